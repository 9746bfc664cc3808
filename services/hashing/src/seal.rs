//! The worker's verb: a deposited item is re-read and sealed, or its mismatch is written down. Either is a locked document and a
//! fact; running twice changes nothing, since both documents are create-only.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use custos_domain::{
    digest::Root,
    dsse::KeyId,
    fact::{Act, Actor, Fact, IncidentClass, Subject, fact_id},
    item::ItemKey,
    keys,
    manifest::{Manifest, StoredObject},
    seal::Seal,
};
use custos_platform::{
    clock::Clock,
    facts::FactLog,
    signer::Signer,
    vault::{StoreArgs, StoreError, Vault},
    worker::{Delivery, Fault},
};
use jiff::Timestamp;

use crate::{
    reread::{Digests, RereadError, reread},
    verdict::{Verdict, disagreements, verdict},
};

/// How a version is read a second time.
#[derive(Debug)]
pub struct SecondLook {
    /// The store, for a client of its own.
    pub store: StoreArgs,
    /// How long after the first re-read ended.
    pub after: Duration,
}

/// Everything the worker works with.
#[derive(Debug)]
pub struct Hashing {
    pub(crate) vault: Vault,
    pub(crate) facts: FactLog,
    pub(crate) signer: Signer,
    /// Keys whose seals count: ours, and those this service signed with before.
    pub(crate) seal_keys: Vec<KeyId>,
    pub(crate) second_look: SecondLook,
    pub(crate) clock: Clock,
}

impl Hashing {
    /// Handles one announcement of a deposit.
    pub async fn handle(self: Arc<Self>, delivery: Delivery) -> Result<(), Fault> {
        let deposited = self.facts.load(delivery.object()).await?;
        let Act::Deposited { manifest, .. } = &deposited.act else {
            return Err(Fault::reject(anyhow::anyhow!("expected a deposit, found {}", deposited.act.name())));
        };
        let document = self.vault.read_document(manifest).await?;
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
        let found = self.reread(&self.vault, &item.manifest, &delivery).await?;
        if disagreements(&found, &item.manifest, declared.as_ref()).is_empty() {
            return self.seal(&item, &found).await;
        }
        let again = self.read_again(&item, &delivery).await?;
        let wrong = disagreements(&again, &item.manifest, declared.as_ref());
        match verdict(&found, &again, &wrong, delivery.deliveries()) {
            Verdict::Agrees => {
                crate::serve::misread();
                tracing::warn!(item = %item.manifest.code, "a re-read differed, the next one agrees: misread, not damaged");
                self.seal(&item, &again).await
            }
            Verdict::Undecided => {
                crate::serve::misread();
                Err(Fault::retry(anyhow::anyhow!("two re-reads of one version differ from each other")))
            }
            Verdict::Differs(detail) => self.mismatch(&item, &detail).await,
        }
    }

    /// A mismatch can never be taken back, and a wrong read or a 404 may be the matter of a moment: the version is read once
    /// more, later and over connections of its own, before anything is written down.
    async fn read_again(&self, item: &Item, delivery: &Delivery) -> Result<Digests, Fault> {
        let SecondLook { store, after } = &self.second_look;
        tokio::select! {
            () = tokio::time::sleep(*after) => {}
            () = delivery.stopping() => return Err(Fault::retry(anyhow::anyhow!("stopped before the second re-read"))),
        }
        // Another client has no connection yet.
        let vault = Vault::new(store).map_err(|e| Fault::retry(e.into()))?;
        self.reread(&vault, &item.manifest, delivery).await
    }

    /// Whether an earlier try wrote the verdict already; then only its fact may be missing.
    async fn known(&self, item: &Item) -> Result<bool, Fault> {
        let originals = &self.vault.buckets().originals;
        if let Some(seal) = self.vault.read_first(originals, &keys::seal(item.key())).await? {
            let envelope: custos_domain::dsse::Envelope =
                serde_json::from_slice(&seal.bytes).map_err(|e| Fault::reject(e.into()))?;
            let sealed: Seal = envelope.open(&self.seal_keys).map_err(|e| Fault::reject(e.into()))?;
            self.state_sealed(item, seal.object, sealed.sealed_at).await?;
            return Ok(true);
        }
        if let Some(report) = self.vault.read_first(originals, &keys::mismatch(item.key())).await? {
            let report: Mismatch = serde_json::from_slice(&report.bytes).map_err(|e| Fault::reject(e.into()))?;
            self.state_mismatch(item, report).await?;
            return Ok(true);
        }
        Ok(false)
    }

    async fn reread(&self, vault: &Vault, manifest: &Manifest, delivery: &Delivery) -> Result<Digests, Fault> {
        match reread(vault, &manifest.original, manifest.length, delivery).await {
            Ok(digests) => Ok(digests),
            // The locked version is gone: as bad as bytes that differ, and just as much a person's business.
            Err(RereadError::Store(StoreError::NotFound { .. })) => Ok(Digests::nothing()),
            Err(RereadError::Store(error)) if error.remedy().is_some() => Err(error.into()),
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
        let lock = self.vault.lock_of(&item.object).await?.unwrap_or(item.manifest.locked_until);
        let until = lock.max(self.clock.now() + jiff::SignedDuration::from_hours(24));
        let originals = &self.vault.buckets().originals;
        let created = self.vault.create_locked(originals, key, Bytes::from(bytes), "application/json", until).await;
        Ok(created?.object().clone())
    }

    async fn state_sealed(&self, item: &Item, seal: StoredObject, at: Timestamp) -> Result<(), Fault> {
        let fact = fact(item, Act::Sealed { seal }, at);
        Ok(self.facts.state_and_announce(&fact).await.map(drop)?)
    }

    async fn state_mismatch(&self, item: &Item, report: Mismatch) -> Result<(), Fault> {
        let incident = Act::IncidentOpened { class: IncidentClass::Mismatch, detail: report.detail };
        let fact = fact(item, incident, report.found_at);
        Ok(self.facts.state_and_announce(&fact).await.map(drop)?)
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
