use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::token::Refusal;
use crate::config::{AuthArgs, ConfigError, JwksSource};

/// Least time between two requests: made-up key ids must not become load on the identity provider.
pub(super) const RETRY: Duration = Duration::from_secs(10);
/// How long a withdrawn key may still be believed.
const REFRESH: Duration = Duration::from_mins(5);
/// Longest wait for the identity provider.
const FETCH_LIMIT: Duration = Duration::from_secs(5);

/// The identity provider's public keys, as last seen. When the provider is away the last known ones stay good: without
/// it nobody gets new tokens, and the old ones run out by themselves.
#[derive(Debug)]
pub(super) struct Keys {
    source: Source,
    current: RwLock<Arc<[Key]>>,
    looked: Mutex<Option<Instant>>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Url(reqwest::Client, String),
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The one algorithm it is for, when it says so.
    algorithm: Option<Algorithm>,
    verifies: DecodingKey,
}

/// A JWKS (RFC 7517 section 5) whose keys are read one by one: an unknown kind of key is no reason to refuse the others.
#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl Keys {
    pub(super) fn new(args: &AuthArgs) -> Result<Self, ConfigError> {
        let source = match &args.jwks {
            JwksSource::File(path) => Source::File(path.clone()),
            JwksSource::Url(url) => Source::Url(client(args.jwks_ca.as_deref())?, url.clone()),
        };
        Ok(Self { source, current: RwLock::new(Arc::from([])), looked: Mutex::new(None) })
    }

    /// The first look. Only a file is expected to be there already.
    pub(super) async fn load(&self) -> Result<(), ConfigError> {
        match (self.look().await, &self.source) {
            (Err(error), Source::File(_)) => Err(ConfigError::new("--jwks", format!("{error:#}"))),
            (Err(error), Source::Url(..)) => {
                tracing::warn!(error = format!("{error:#}"), "sign-in keys not loaded yet");
                Ok(())
            }
            (Ok(()), _) => Ok(()),
        }
    }

    /// Looks at the source now and then, more often while there are no keys. Never ends.
    pub(super) async fn keep_fresh(&self) {
        loop {
            let pause = if self.check().is_ok() { REFRESH } else { RETRY };
            tokio::time::sleep(pause).await;
            self.look_again().await;
        }
    }

    /// Whether anybody could be recognised at all.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.current().is_empty(), "no keys of the identity provider loaded yet");
        Ok(())
    }

    /// The key a token names. One that is not known is looked for at the source: keys rotate.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Refusal> {
        if let Some(key) = pick(&self.current(), id, algorithm) {
            return Ok(key);
        }
        self.look_again().await;
        let current = self.current();
        let missing = if current.is_empty() { Refusal::NoKeys } else { Refusal::UnknownKey };
        pick(&current, id, algorithm).ok_or(missing)
    }

    fn current(&self) -> Arc<[Key]> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn look_again(&self) {
        if let Err(error) = self.look().await {
            tracing::warn!(error = format!("{error:#}"), "sign-in keys not refreshed; the known ones stay good");
        }
    }

    /// Holding the lock during the look lets everybody who misses a key share one look.
    async fn look(&self) -> anyhow::Result<()> {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < self.source.patience()) {
            return Ok(());
        }
        *looked = Some(Instant::now());
        let keys = parse(&self.source.read().await?)?;
        tracing::debug!(count = keys.len(), "sign-in keys loaded");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        Ok(())
    }
}

impl Source {
    /// Least time between two looks.
    fn patience(&self) -> Duration {
        match self {
            Self::File(_) => Duration::from_secs(1),
            Self::Url(..) => RETRY,
        }
    }

    async fn read(&self) -> anyhow::Result<Vec<u8>> {
        Ok(match self {
            Self::File(path) => {
                tokio::fs::read(path).await.with_context(|| format!("cannot read {}", path.display()))?
            }
            Self::Url(client, url) => client.get(url).send().await?.error_for_status()?.bytes().await?.into(),
        })
    }
}

/// A token without a key id is only clear when there is a single key for its algorithm.
fn pick(keys: &[Key], id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
    let fits = |key: &&Key| {
        key.verifies.family() == algorithm.family()
            && key.algorithm.is_none_or(|only| only == algorithm)
            && id.is_none_or(|id| key.id.as_deref() == Some(id))
    };
    let mut fitting = keys.iter().filter(fits);
    let found = fitting.next()?;
    if id.is_none() && fitting.next().is_some() {
        return None;
    }
    Some(found.verifies.clone())
}

fn parse(text: &[u8]) -> anyhow::Result<Vec<Key>> {
    let document: Document = serde_json::from_slice(text)
        .map_err(|error| anyhow::anyhow!("not a JWKS document ({error}); expected {{\"keys\": […]}}"))?;
    let keys: Vec<Key> = document.keys.into_iter().filter_map(usable).collect();
    anyhow::ensure!(!keys.is_empty(), "the JWKS document holds no EdDSA, ES256 or RS256 signature key");
    Ok(keys)
}

fn usable(value: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|of| *of != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match jwk.common.key_algorithm {
        None => None,
        Some(KeyAlgorithm::EdDSA) => Some(Algorithm::EdDSA),
        Some(KeyAlgorithm::ES256) => Some(Algorithm::ES256),
        Some(KeyAlgorithm::RS256) => Some(Algorithm::RS256),
        Some(_) => return None,
    };
    let verifies = DecodingKey::from_jwk(&jwk).ok().filter(|key| key.family() != AlgorithmFamily::Hmac)?;
    Some(Key { id: jwk.common.key_id, algorithm, verifies })
}

fn client(ca: Option<&Path>) -> Result<reqwest::Client, ConfigError> {
    let wrong = |error: reqwest::Error| ConfigError::new("--jwks-ca", error.to_string());
    let mut builder =
        reqwest::Client::builder().https_only(true).redirect(reqwest::redirect::Policy::none()).timeout(FETCH_LIMIT);
    if let Some(path) = ca {
        let pem = std::fs::read(path).map_err(|error| ConfigError::unreadable("--jwks-ca", path, &error))?;
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).map_err(wrong)?);
    }
    builder.build().map_err(wrong)
}
