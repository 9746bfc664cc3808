//! Retention: sets and extends locks by the tenants' policies, reads them again for ever, and says why an item is kept.
//!
//! It never shortens a lock and never deletes. In reading order:
//!
//! 1. [`decide`]: pure: what is owed to an item, and how far the store is from it.
//! 2. [`history`], [`ledger`]: what the custody log says of an item, and what the database records.
//! 3. [`look`]: the one verb: look at an item, leave it as it ought to be, state what was done.
//! 4. [`listen`], [`audit`]: what leads to a look: an announcement, or that its time has come.
//! 5. [`probe`]: every night the store is tried: does it still do what all of this rests on?
//! 6. [`obligations`], [`policy_view`], [`eligible`]: the API.

pub mod audit;
pub mod decide;
pub mod eligible;
mod error;
pub mod history;
pub mod ledger;
pub mod listen;
pub mod look;
mod metrics;
pub mod obligations;
pub mod policy_view;
pub mod probe;
mod routes;
mod serve;

use std::time::Duration;

use custos_domain::policy::PolicySet;
use custos_platform::{
    clock::Clock,
    facts::FactLog,
    lifecycle::Lifecycle,
    sweep::Trigger,
    vault::{Vault, probe::StoreMode},
};

pub use error::RetentionError;
pub use routes::Api;
pub use serve::{Args, serve};

use crate::{audit::Walk, history::History, ledger::Ledger};

/// Everything the verbs share.
#[derive(Debug)]
pub struct Retention {
    vault: Vault,
    facts: FactLog,
    history: History,
    ledger: Ledger,
    /// Makes the outbox's relay look now.
    relay: Trigger,
    policies: PolicySet,
    clock: Clock,
    lifecycle: Lifecycle,
    walk: Walk,
    /// How long after an extension it is read back a second time.
    settle: Duration,
    /// How long until a lock that is in order is read again.
    audit_every: Duration,
    /// What is asked of the store.
    store_mode: StoreMode,
}
