//! Ingest: the only way footage comes in. It depends on the store alone; PostgreSQL or NATS down, docks keep uploading and
//! receipts are issued.
//!
//! A deposit's way, in reading order:
//!
//! 1. [`docking`]: a recorder is connected; what it holds is written down.
//! 2. [`declare`]: POST: a signed declaration becomes a [`session`]; from a station in the `register` that is allowed to, also
//!    what a `plain` client says. Either is its [`basis`].
//! 3. [`prove`]: PUT outboard: from now on every MiB can be checked.
//! 4. [`receive`]: PATCH and HEAD: `take` runs one append; [`append`] takes bytes, [`assembler`] checks them, [`progress`] says what is durable.
//!    Without an outboard one is [`growing`]; `settle` compares it with what was said.
//! 5. [`commit`]: Complete, read-back, lock, manifest, fact; with what has [`landed`] known or asked for.
//! 6. [`hand_out`]: the receipt, and later the erase permit.
//! 7. [`reconcile`]: what a crash left half done is finished; [`reap`]: what nobody finishes is dropped; [`audit`]: what nobody of us
//!    stored is noticed.
//!
//! `recall` saves asking the store for what this process wrote itself.
//!
//! Load: [`admission`] decides who gets memory next, [`budget`] hands it out, at the `door` before any bytes come; [`lanes`] decide whose
//! part goes to the store next; [`pace`] cuts slow senders, [`quota`] bounds what is under way.
//!
//! Before any of it: [`probe`]: a store that does not keep what this rests on is not given any footage.

pub mod admission;
pub mod append;
pub mod assembler;
pub mod audit;
pub mod basis;
mod batches;
pub mod budget;
pub mod checksum;
pub mod commit;
pub mod committer;
pub mod declare;
pub mod deposit;
mod digests;
pub mod docking;
mod door;
mod error;
pub mod expected;
pub mod growing;
pub mod hand_out;
mod headers;
pub mod landed;
pub mod lanes;
mod limits;
mod metrics;
pub mod pace;
mod plain;
pub mod probe;
pub mod progress;
pub mod prove;
pub mod quota;
pub mod reap;
mod recall;
pub mod receive;
pub mod reconcile;
mod register;
mod routes;
mod serve;
pub mod session;
mod settle;
pub mod station;
pub mod strangers;
mod take;
mod takeover;
pub mod target;
mod tus;
mod verdicts;

use std::time::Duration;

use custos_domain::{
    fact::{Act, Actor, Fact, Subject, fact_id},
    ids::{FactId, TenantId},
    policy::PolicySet,
    recorder::Rules,
};
use custos_platform::{
    clock::Clock,
    facts::FactLog,
    lifecycle::Lifecycle,
    signer::{Signer, Trust},
    vault::{Vault, probe::StoreMode, skew::StoreClock},
};
use jiff::Timestamp;

pub use error::IngestError;
pub use serve::{Args, Command, serve};

use crate::{
    budget::Budget, committer::Committer, door::Door, lanes::Lanes, probe::Gate, quota::Quotas, register::Register,
    session::Sessions, takeover::Takeover,
};

/// Everything the verbs share.
#[derive(Debug)]
pub struct Ingest {
    vault: Vault,
    sessions: Sessions,
    facts: FactLog,
    policies: PolicySet,
    signer: Signer,
    trust: Trust,
    register: Register,
    /// What file names of recorders mean.
    names: Rules,
    clock: Clock,
    store_clock: StoreClock,
    /// What is asked of the store.
    store_mode: StoreMode,
    /// Closed until the store has been tried.
    gate: Gate,
    lifecycle: Lifecycle,
    budget: Budget,
    door: Door,
    lanes: Lanes,
    quotas: Quotas,
    pace: pace::Terms,
    takeover: Takeover,
    commits: Committer,
    /// How long after the manifest a permit may be given, at the earliest.
    settle: Duration,
}

impl Ingest {
    /// The time, if our clock and the store's agree well enough to compute a lock from it.
    fn trusted_now(&self) -> Result<Timestamp, IngestError> {
        Ok(self.store_clock.now()?)
    }

    /// The first date of a lock begun now, by the tenant's policy.
    fn floor(&self, tenant: &TenantId, now: Timestamp) -> Result<Timestamp, IngestError> {
        let policy = self.policies.get(tenant).map_err(|e| IngestError::Foreign(e.to_string()))?;
        Ok(policy.floor_until(now))
    }

    /// A fact of this service about `subject`, now.
    fn fact(&self, tenant: TenantId, subject: Subject, act: Act, discriminator: &str) -> Fact {
        Fact {
            id: fact_id(act.name(), &subject, discriminator),
            at: self.clock.now(),
            tenant,
            unit: None,
            actor: Actor::Service { name: "ingest".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            cause: None,
            subject,
            act,
            trace: custos_platform::telemetry::current_traceparent(),
        }
    }

    /// Makes a fact durable and lets it be announced; nobody waits for the bus.
    async fn state(&self, fact: Fact) -> Result<FactId, IngestError> {
        self.state_once(fact).await.map(|(id, _)| id)
    }

    /// The same; tells whether it was news.
    async fn state_once(&self, fact: Fact) -> Result<(FactId, bool), IngestError> {
        let stated = self.facts.state(&fact).await?;
        let (id, new) = (stated.fact.id.clone(), stated.new);
        self.facts.announce_later(stated);
        Ok((id, new))
    }
}
