//! The worker's verb: a sealed item gets its playback copy, or the named reason why there is none. Either way the original is
//! untouched and the item goes on.

use std::{path::PathBuf, sync::Arc};

use custos_domain::{
    fact::{Act, Actor, Fact, Subject, fact_id},
    item::ItemKind,
    keys,
    manifest::{Manifest, StoredObject},
};
use custos_platform::{
    clock::Clock,
    facts::FactLog,
    vault::Vault,
    worker::{Delivery, Fault},
};
use tokio::sync::watch;

use crate::{
    fetch::{FetchError, fetch},
    media::{self, Derivation, DeriveError, Job, Limits, MediaKind, Outcome, Progress, Reason, Sandbox},
    publish::{self, PublishError, Record},
};

/// Everything the worker works with.
#[derive(Debug)]
pub struct Transcode {
    pub(crate) vault: Vault,
    pub(crate) facts: FactLog,
    pub(crate) clock: Clock,
    pub(crate) sandbox: Sandbox,
    pub(crate) limits: Limits,
    pub(crate) scratch: PathBuf,
}

impl Transcode {
    /// Handles one announcement of a seal.
    pub async fn handle(self: Arc<Self>, delivery: Delivery) -> Result<(), Fault> {
        let sealed = self.facts.load(delivery.object()).await?;
        let (Act::Sealed { .. }, Some(code)) = (&sealed.act, sealed.subject.code()) else {
            return Err(Fault::reject(anyhow::anyhow!("expected a seal, found {}", sealed.act.name())));
        };
        let originals = &self.vault.buckets().originals;
        let document = self.vault.read_first(originals, &keys::manifest(code.key())).await?;
        let document = document.ok_or_else(|| Fault::retry(anyhow::anyhow!("the manifest of {code} is not there")))?;
        let manifest: Manifest = serde_json::from_slice(&document.bytes).map_err(|e| Fault::reject(e.into()))?;
        let (record, object) = match publish::published(&self.vault, &manifest).await.map_err(of_publish)? {
            Some(published) => published,
            None => Box::pin(self.derive(&manifest, &delivery)).await?,
        };
        self.state(&sealed, &manifest, &record, object).await
    }

    /// Fetches, derives and publishes in a scratch folder that is gone afterwards, however it ends.
    async fn derive(&self, manifest: &Manifest, delivery: &Delivery) -> Result<(Record, StoredObject), Fault> {
        let folder = tempfile::tempdir_in(&self.scratch).map_err(|e| Fault::retry(e.into()))?;
        let (input, out) = (folder.path().join("original"), folder.path().join("out"));
        tokio::fs::create_dir(&out).await.map_err(|e| Fault::retry(e.into()))?;
        let (progress, moved) = watch::channel(Progress::START);
        let piece = || progress.send_modify(|progress| progress.media_ms += 1);
        let fetched = while_moving(delivery, &moved, fetch(&self.vault, manifest, &input, &piece)).await?;
        let job = Job { input, kind: kind(manifest.kind), out: out.clone() };
        let derivation = match fetched {
            Ok(()) => {
                progress.send_replace(Progress::START);
                let deriving = media::derive(&job, &self.sandbox, &self.limits, &progress);
                while_moving(delivery, &moved, deriving).await?.map_err(of_derive)?
            }
            Err(FetchError::Damaged { mib }) => damaged(mib, &self.sandbox),
            Err(FetchError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(Fault::retry(error.into())),
        };
        let record = Record {
            code: manifest.code.clone(),
            original: manifest.original.clone(),
            root: manifest.root,
            derived_at: self.clock.now(),
            derivation,
        };
        let publishing = publish::publish(&self.vault, &record, &out, &piece);
        let object = while_moving(delivery, &moved, Box::pin(publishing)).await?.map_err(of_publish)?;
        crate::serve::derived(&publish::outcome(&record).0);
        Ok((record, object))
    }

    async fn state(
        &self,
        sealed: &Fact,
        manifest: &Manifest,
        record: &Record,
        object: StoredObject,
    ) -> Result<(), Fault> {
        let (outcome, detail) = publish::outcome(record);
        let duration_ms = record.derivation.technical.as_ref().and_then(|technical| technical.duration_ms);
        let act = Act::Derived { outcome, detail, derivation: object, duration_ms };
        let subject = Subject::item(&manifest.code, manifest.ingested_at);
        let fact = Fact {
            // By version: deriving again after the derived bucket was lost is the same fact.
            id: fact_id(act.name(), &subject, &manifest.original.version),
            at: record.derived_at,
            tenant: manifest.code.key().tenant.clone(),
            unit: Some(manifest.unit.clone()),
            actor: Actor::Service { name: "transcode".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            cause: Some(sealed.id.clone()),
            subject,
            act,
            trace: manifest.trace.clone(),
        };
        Ok(self.facts.state_and_announce(&fact).await.map(drop)?)
    }
}

/// Runs `work`, and tells the bus "in progress" only while it moves: what hangs is delivered again. Ends early at a stop.
async fn while_moving<T>(
    delivery: &Delivery,
    moved: &watch::Receiver<Progress>,
    work: impl Future<Output = T>,
) -> Result<T, Fault> {
    let mut moved = moved.clone();
    moved.mark_unchanged();
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return Ok(result),
            Ok(()) = moved.changed() => delivery.progress().await,
            () = delivery.stopping() => return Err(Fault::retry(anyhow::anyhow!("stopped while deriving"))),
        }
    }
}

/// An original whose bytes no longer fit: there is nothing to show, and hashing has raised it already.
fn damaged(mib: usize, sandbox: &Sandbox) -> Derivation {
    Derivation {
        outcome: Outcome::Undecodable {
            reason: Reason::NotRecognised,
            detail: format!("MiB {mib} of the stored original does not match its outboard"),
        },
        technical: None,
        outputs: Vec::new(),
        notes: Vec::new(),
        tool: sandbox.version().clone(),
        commands: Vec::new(),
    }
}

fn kind(kind: ItemKind) -> MediaKind {
    match kind {
        ItemKind::Video => MediaKind::Video,
        ItemKind::Photo => MediaKind::Photo,
        ItemKind::Audio => MediaKind::Audio,
    }
}

fn of_publish(error: PublishError) -> Fault {
    match error {
        PublishError::Store(error) => error.into(),
        error => Fault::retry(error.into()),
    }
}

fn of_derive(error: DeriveError) -> Fault {
    if error.is_retryable() { Fault::retry(error.into()) } else { Fault::reject(error.into()) }
}
