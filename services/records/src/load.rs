//! Facts, and the locked documents they point to, from the store. Of what came over the bus only a key is believed.

use custos_domain::{
    dsse::Envelope,
    fact::{Act, Fact},
    keys,
    manifest::{Manifest, StoredObject},
    seal::Seal,
};
use custos_platform::vault::{StoreError, Vault};

use crate::fold::{Deposit, Evidence, Known, known::document_of};

/// Why a fact is not in the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing lies there.
    #[error("there is no {0}")]
    Missing(String),
    /// What lies there is no fact, or not the one that belongs there. A fact of a newer release looks like this, too.
    #[error("{key} is of no use: {why}")]
    Unusable {
        /// The object.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads facts.
#[derive(Debug, Clone)]
pub struct Loader {
    vault: Vault,
}

impl Loader {
    /// Reads from this vault.
    #[must_use]
    pub fn new(vault: Vault) -> Self {
        Self { vault }
    }

    /// The fact at `key`: the oldest version, whatever was put over it (INV-7).
    pub async fn first(&self, key: &str) -> Result<Known, LoadError> {
        let first = self.vault.first_version(&self.vault.buckets().log, key).await?;
        self.version(&first.ok_or_else(|| LoadError::Missing(key.to_owned()))?).await
    }

    /// The fact that a walk found.
    pub async fn version(&self, object: &StoredObject) -> Result<Known, LoadError> {
        let unusable = |why: String| LoadError::Unusable { key: object.key.clone(), why };
        let bytes = self.read(object).await?;
        let fact: Fact = serde_json::from_slice(&bytes).map_err(|e| unusable(e.to_string()))?;
        if keys::fact(&fact) != object.key {
            return Err(unusable(format!("it is the fact {}, which lies elsewhere", fact.id)));
        }
        if fact.subject.code().is_some_and(|code| code.key().tenant != fact.tenant) {
            return Err(unusable(format!("it says agency {} of another agency's item", fact.tenant)));
        }
        let evidence = match document_of(&fact) {
            Some(document) => Some(self.evidence(&fact, document).await?),
            None => None,
        };
        Ok(Known { fact, object: object.clone(), evidence })
    }

    async fn evidence(&self, fact: &Fact, document: &StoredObject) -> Result<Evidence, LoadError> {
        let unusable = |why: String| LoadError::Unusable { key: document.key.clone(), why };
        if document.bucket != self.vault.buckets().originals {
            return Err(unusable(format!("the fact {} looks for it in the bucket {}", fact.id, document.bucket)));
        }
        let bytes = self.read(document).await?;
        let (evidence, code) = if let Act::Sealed { .. } = fact.act {
            let envelope: Envelope = serde_json::from_slice(&bytes).map_err(|e| unusable(e.to_string()))?;
            // Its signature is for ingest and the dock to judge, who act on it; here it is shown.
            let seal: Seal = envelope.peek().map_err(|e| unusable(e.to_string()))?;
            (Evidence::Seal((&seal).into()), seal.code)
        } else {
            let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| unusable(e.to_string()))?;
            let deposit = Deposit::of(&manifest).map_err(|e| unusable(e.to_string()))?;
            (Evidence::Manifest(Box::new(deposit)), manifest.code)
        };
        if fact.subject.code() != Some(&code) {
            return Err(unusable(format!("it is about {code}, the fact {} is not", fact.id)));
        }
        Ok(evidence)
    }

    async fn read(&self, object: &StoredObject) -> Result<bytes::Bytes, LoadError> {
        match self.vault.read_document(object).await {
            Ok(document) => Ok(document.bytes),
            Err(error) if error.is_not_found() => Err(LoadError::Missing(object.key.clone())),
            Err(error) => Err(error.into()),
        }
    }
}
