//! Signing keys of services: Ed25519, PKCS#8 PEM in a file, and the public keys a service trusts.

use std::path::{Path, PathBuf};

use custos_domain::dsse::{Document, Envelope, KeyId, SignatureError};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use serde::Deserialize;

use crate::config::{ConfigError, read_secret};

/// The key this service signs with.
#[derive(Debug, Clone, clap::Args)]
pub struct SigningArgs {
    /// File with this service's Ed25519 signing key, PKCS#8 PEM.
    #[arg(long, env = "CUSTOS_SIGNING_KEY_FILE")]
    pub signing_key_file: PathBuf,
}

/// Signs documents.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl Signer {
    /// Reads the key.
    pub fn load(args: &SigningArgs) -> Result<Self, ConfigError> {
        let pem = read_secret("--signing-key-file", &args.signing_key_file)?;
        SigningKey::from_pkcs8_pem(pem.expose()).map(Self).map_err(|e| {
            let problem = format!("{} is no Ed25519 key in PKCS#8 PEM: {e}", args.signing_key_file.display());
            ConfigError::new("--signing-key-file", problem)
        })
    }

    /// Signs one document.
    pub fn sign<D: Document>(&self, document: &D) -> Result<Envelope, SignatureError> {
        Envelope::seal(document, &self.0)
    }

    /// The public half, by which others know this service.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(self.0.verifying_key().to_bytes())
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.id())
    }
}

/// Whose signatures count.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Keys of ingest: receipts and permits.
    #[serde(default)]
    pub receipt: Vec<KeyId>,
    /// Keys of hashing: seals.
    #[serde(default)]
    pub seal: Vec<KeyId>,
    /// Keys of who keeps the register of stations.
    #[serde(default)]
    pub stations: Vec<KeyId>,
}

impl Trust {
    /// Reads the trust file, JSON of the form `{"receipt": ["<hex>"], "seal": ["<hex>"], "stations": ["<hex>"]}`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(path).map_err(|e| ConfigError::unreadable("--trust-file", path, &e))?;
        serde_json::from_slice(&text)
            .map_err(|e| ConfigError::new("--trust-file", format!("{} is no trust file: {e}", path.display())))
    }
}
