//! The worker's verb: a deposited item is re-read and sealed, or its mismatch is written down. Either is a locked document and a
//! fact; running twice changes nothing, since both documents are create-only.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use custos_domain::{
    digest::Root,
    fact::{Act, Actor, Fact, IncidentClass, Subject, fact_id},
    item::ItemKey,
    keys,
    manifest::{Manifest, StoredObject},
    seal::Seal,
};
use custos_platform::{
    clock::Clock,
    facts::{FactError, FactLog},
    signer::Signer,
    vault::{StoreError, Vault},
    worker::{Delivery, Fault},
};
use jiff::Timestamp;

use crate::{
    reread::{Digests, RereadError, reread},
    verdict::disagreements,
};

/// Everything the worker works with.
#[derive(Debug)]
pub struct Hashing {
    pub(crate) vault: Vault,
    pub(crate) facts: FactLog,
    pub(crate) signer: Signer,
    pub(crate) clock: Clock,
}

impl Hashing {
    /// Handles one announcement of a deposit.
    pub async fn handle(self: Arc<Self>, delivery: Delivery) -> Result<(), Fault> {
        let deposited = self.facts.load(delivery.object()).await.map_err(of_store)?;
        let Act::Deposited { manifest, .. } = &deposited.act else {
            return Err(Fault::reject(anyhow::anyhow!("expected a deposit, found {}", deposited.act.name())));
        };
        let document = self.vault.read_document(manifest).await.map_err(of_store)?;
        let item = Item {
            root: Root::of(&document.bytes),
            manifest: serde_json::from_slice(&document.bytes).map_err(|e| Fault::reject(e.into()))?,
            object: document.object,
            deposited,
        };
        if self.known(&item).await? {
            return Ok(());
        }
        let declared = item.manifest.evidence.declaration().map_err(|e| Fault::reject(e.into()))?;
        let found = self.reread(&item.manifest, &delivery).await?;
        match disagreements(&found, &item.manifest, declared.as_ref()).as_slice() {
            [] => self.seal(&item, &found).await,
            wrong => self.mismatch(&item, &wrong.join("; ")).await,
        }
    }

    /// Whether an earlier try wrote the verdict already; then only its fact may be missing.
    async fn known(&self, item: &Item) -> Result<bool, Fault> {
        let originals = &self.vault.buckets().originals;
        if let Some(seal) = self.vault.read_first(originals, &keys::seal(item.key())).await.map_err(of_store)? {
            let envelope: custos_domain::dsse::Envelope =
                serde_json::from_slice(&seal.bytes).map_err(|e| Fault::reject(e.into()))?;
            let sealed: Seal = envelope.open(&[self.signer.id()]).map_err(|e| Fault::reject(e.into()))?;
            self.state_sealed(item, seal.object, sealed.sealed_at).await?;
            return Ok(true);
        }
        if let Some(report) = self.vault.read_first(originals, &keys::mismatch(item.key())).await.map_err(of_store)? {
            let report: Mismatch = serde_json::from_slice(&report.bytes).map_err(|e| Fault::reject(e.into()))?;
            self.state_mismatch(item, report).await?;
            return Ok(true);
        }
        Ok(false)
    }

    async fn reread(&self, manifest: &Manifest, delivery: &Delivery) -> Result<Digests, Fault> {
        match reread(&self.vault, &manifest.original, manifest.length, delivery).await {
            Ok(digests) => Ok(digests),
            // The locked version is gone: as bad as bytes that differ, and just as much a person's business.
            Err(RereadError::Store(StoreError::NotFound { .. })) => Ok(Digests::nothing()),
            Err(error) => Err(Fault::retry(error.into())),
        }
    }

    async fn seal(&self, item: &Item, found: &Digests) -> Result<(), Fault> {
        let seal = Seal {
            code: item.manifest.code.clone(),
            original: item.manifest.original.clone(),
            manifest: item.object.clone(),
            manifest_root: item.root,
            length: found.length,
            root: found.root,
            sha256: found.sha256,
            sm3: found.sm3,
            crc: found.crc,
            sealed_at: self.clock.now(),
        };
        let envelope = self.signer.sign(&seal).map_err(|e| Fault::reject(e.into()))?;
        let bytes = serde_json::to_vec_pretty(&envelope).map_err(|e| Fault::reject(e.into()))?;
        let object = self.write(item, &keys::seal(item.key()), bytes).await?;
        self.state_sealed(item, object, seal.sealed_at).await
    }

    async fn mismatch(&self, item: &Item, detail: &str) -> Result<(), Fault> {
        tracing::error!(item = %item.manifest.code, detail, "the stored original is not what was deposited");
        crate::serve::mismatched();
        let report = Mismatch {
            detail: detail.to_owned(),
            found_at: self.clock.now(),
            original: item.manifest.original.clone(),
        };
        let bytes = serde_json::to_vec_pretty(&report).map_err(|e| Fault::reject(e.into()))?;
        self.write(item, &keys::mismatch(item.key()), bytes).await?;
        self.state_mismatch(item, report).await
    }

    /// Writes a verdict, locked at least as long as the manifest now is.
    async fn write(&self, item: &Item, key: &str, bytes: Vec<u8>) -> Result<StoredObject, Fault> {
        let lock = self.vault.lock_of(&item.object).await.map_err(of_store)?.unwrap_or(item.manifest.locked_until);
        let until = lock.max(self.clock.now() + jiff::SignedDuration::from_hours(24));
        let originals = &self.vault.buckets().originals;
        let created = self.vault.create_locked(originals, key, Bytes::from(bytes), "application/json", until).await;
        Ok(created.map_err(of_store)?.object().clone())
    }

    async fn state_sealed(&self, item: &Item, seal: StoredObject, at: Timestamp) -> Result<(), Fault> {
        let fact = fact(item, Act::Sealed { seal }, at);
        self.facts.state_and_announce(&fact).await.map(drop).map_err(of_fact)
    }

    async fn state_mismatch(&self, item: &Item, report: Mismatch) -> Result<(), Fault> {
        let incident = Act::IncidentOpened { class: IncidentClass::Mismatch, detail: report.detail };
        let fact = fact(item, incident, report.found_at);
        self.facts.state_and_announce(&fact).await.map(drop).map_err(of_fact)
    }
}

/// A fact about the item, caused by its deposit.
fn fact(item: &Item, act: Act, at: Timestamp) -> Fact {
    let manifest = &item.manifest;
    let subject = Subject::item(&manifest.code, manifest.ingested_at);
    Fact {
        id: fact_id(act.name(), &subject, "hashing"),
        at,
        tenant: manifest.code.key().tenant.clone(),
        unit: Some(manifest.unit.clone()),
        actor: Actor::Service { name: "hashing".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        cause: Some(item.deposited.id.clone()),
        subject,
        act,
        trace: manifest.trace.clone(),
    }
}

/// A deposited item with its manifest as read.
struct Item {
    deposited: Fact,
    manifest: Manifest,
    object: StoredObject,
    root: Root,
}

impl Item {
    fn key(&self) -> &ItemKey {
        self.manifest.code.key()
    }
}

/// The locked report that a re-read did not match.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Mismatch {
    detail: String,
    found_at: Timestamp,
    original: StoredObject,
}

/// Trying again helps against an absent store, not against one that says no.
fn of_store(error: StoreError) -> Fault {
    if error.is_permanent() && !error.is_not_found() { Fault::reject(error.into()) } else { Fault::retry(error.into()) }
}

fn of_fact(error: FactError) -> Fault {
    match error {
        FactError::Store(error) => of_store(error),
        FactError::Bus(error) => Fault::retry_after(Duration::from_secs(5), error.into()),
    }
}
