//! The fact log: a fact is made durable in the store first, and announced second (INV-5).
//!
//! A fact is one create-only object under COMPLIANCE in the log bucket. Its id, and so its key, is derived from what happened to
//! what: a step that runs twice states one fact, and the first statement stands.

use bytes::Bytes;
use custos_domain::{calendar, fact::Fact, item::UnifiedCode, keys, manifest::StoredObject};
use custos_proto::Announcement;
use jiff::{Timestamp, ToSpan};

use crate::{
    bus::{Bus, BusError},
    clock::Clock,
    lifecycle::Lifecycle,
    vault::{StoreError, Vault, documents::Created},
    worker::Fault,
};

/// How long facts stay locked.
#[derive(Debug, Clone, clap::Args)]
pub struct FactArgs {
    /// Days for which a fact cannot be deleted by anybody. Records of access live at least as long as what they are about;
    /// ten years is ours, not the regulations'.
    #[arg(long, env = "CUSTOS_FACT_LOCK_DAYS", default_value_t = 3653, value_parser = clap::value_parser!(u16).range(1..=36_525))]
    pub fact_lock_days: u16,
}

/// Where facts are stated.
#[derive(Debug, Clone)]
pub struct FactLog {
    vault: Vault,
    bus: Bus,
    clock: Clock,
    lifecycle: Lifecycle,
    lock_days: u16,
}

/// A fact that is durable.
#[derive(Debug, Clone)]
pub struct StatedFact {
    /// The statement that stands.
    pub fact: Fact,
    /// Where it lies.
    pub object: StoredObject,
    /// Whether this call stated it, rather than an earlier one.
    pub new: bool,
}

/// Why a fact was not stated or announced.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus. The fact is durable; a reconciler announces it again.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// What is durable is announced when the bus is back.
impl From<FactError> for Fault {
    fn from(error: FactError) -> Self {
        match error {
            FactError::Store(error) => error.into(),
            FactError::Bus(error) => Self::retry(error.into()),
        }
    }
}

impl FactLog {
    /// A log in this vault, announced on this bus.
    #[must_use]
    pub fn new(args: &FactArgs, vault: Vault, bus: Bus, clock: Clock, lifecycle: Lifecycle) -> Self {
        Self { vault, bus, clock, lifecycle, lock_days: args.fact_lock_days }
    }

    /// Makes a fact durable. Stating it again answers the first statement.
    pub async fn state(&self, fact: &Fact) -> Result<StatedFact, StoreError> {
        let bytes = Bytes::from(serde_json::to_vec_pretty(fact).map_err(|e| unreadable(fact.id.as_str(), &e))?);
        let until = self.clock.now() + (24 * i64::from(self.lock_days)).hours();
        let created = self
            .vault
            .create_locked_first(&self.vault.buckets().log, &keys::fact(fact), bytes, "application/json", until)
            .await?;
        match created {
            Created::Now(object) => Ok(StatedFact { fact: fact.clone(), object, new: true }),
            Created::Before(document) => {
                let fact = serde_json::from_slice(&document.bytes).map_err(|e| unreadable(&document.object.key, &e))?;
                Ok(StatedFact { fact, object: document.object, new: false })
            }
        }
    }

    /// Tells the others, and waits until the bus has it.
    pub async fn announce(&self, stated: &StatedFact) -> Result<(), FactError> {
        let announcement = Announcement::of(&stated.fact, &stated.object);
        Ok(self.bus.announce(&announcement, stated.fact.trace.as_deref()).await?)
    }

    /// States and announces; for workers, which acknowledge only afterwards.
    pub async fn state_and_announce(&self, fact: &Fact) -> Result<StatedFact, FactError> {
        let stated = self.state(fact).await?;
        self.announce(&stated).await?;
        Ok(stated)
    }

    /// Tells the others without anybody waiting. When the bus is away, a reconciler does it later.
    pub fn announce_later(&self, stated: StatedFact) {
        let log = self.clone();
        self.lifecycle.track(async move {
            if let Err(error) = log.announce(&stated).await {
                tracing::info!(fact = %stated.fact.id, error = %error, "not announced now; a reconciler will");
            }
        });
    }

    /// What is stated of an item under one act's name, such as `hold_placed`; an item deposited at `ingested_at`.
    pub async fn of_item(
        &self,
        code: &UnifiedCode,
        ingested_at: Timestamp,
        act: &str,
    ) -> Result<Vec<Fact>, StoreError> {
        let prefix = format!("{}{act}-", keys::item_facts(code, calendar::day(ingested_at)));
        let (mut facts, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.vault.versions(&self.vault.buckets().log, &prefix, cursor).await?;
            for object in &page.objects {
                facts.push(self.load(object).await?);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(facts),
            }
        }
    }

    /// The fact an announcement points to. The store is believed, never the message.
    pub async fn load(&self, object: &StoredObject) -> Result<Fact, StoreError> {
        let document = self.vault.read_document(object).await?;
        serde_json::from_slice(&document.bytes).map_err(|e| unreadable(&object.key, &e))
    }
}

fn unreadable(key: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Refused { operation: "GetObject", code: "UnreadableFact".to_owned(), detail: format!("{key}: {error}") }
}
