//! Legal hold (保全): people and policies say what may not be let go; this service brings it into the store and keeps it there.
//!
//! Deciding and applying are apart. A decision is made when it is in the database, with its facts, in one transaction; the store's
//! legal hold follows, on every version of the item, and nobody is told that it is there before it was read back. In reading order:
//!
//! 1. [`hold`], [`rule`]: pure: a hold, its steps and what it may rest on. [`plan`]: pure: what to do in the store.
//! 2. [`ledger`]: the database. [`facts`]: what is stated.
//! 3. [`place`], [`decide`], [`show`]: the API; [`view`]: what it shows.
//! 4. [`apply`]: the reconciler; [`remind`]: permanence must reach the lock; [`recover`]: what only the log knows.
//! 5. [`listen`], [`policy_hold`]: what others announce. [`rebuild`]: an empty database filled from the log.

pub mod apply;
pub mod decide;
mod error;
pub mod facts;
pub mod hold;
pub mod ledger;
pub mod listen;
mod metrics;
pub mod place;
pub mod plan;
pub mod policy_hold;
pub mod rebuild;
pub mod recover;
pub mod remind;
mod routes;
pub mod rule;
mod serve;
pub mod show;
mod text;
pub mod view;

use std::time::Duration;

use custos_domain::policy::PolicySet;
use custos_platform::{clock::Clock, facts::FactLog, lifecycle::Lifecycle, sweep::Trigger, vault::Vault};

pub use error::LegalHoldError;
pub use routes::Api;
pub use serve::{Args, main};

use crate::ledger::Ledger;

/// Everything the verbs share.
#[derive(Debug)]
pub struct LegalHold {
    vault: Vault,
    facts: FactLog,
    ledger: Ledger,
    /// Makes the outbox's relay look now.
    relay: Trigger,
    /// Makes the reconciler look now.
    reconciler: Trigger,
    policies: PolicySet,
    clock: Clock,
    lifecycle: Lifecycle,
    /// How long after a hold was applied it is read back a second time.
    settle: Duration,
    /// How long until a hold that is in order is read again.
    audit_every: Duration,
}

impl LegalHold {
    /// Something was decided: the log is to be told, and the store to be changed, at once.
    fn wake(&self) {
        self.relay.now();
        self.reconciler.now();
    }
}
