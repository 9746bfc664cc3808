//! Records: the catalogue. What there is, where it came from, who held and read it, and why it is kept until when.
//!
//! It believes only the store: what it shows is computed from the custody log and the locked documents the log points to, and
//! can be thrown away at any time (INV-9). In reading order:
//!
//! 1. [`fold`]: pure: from everything stated about something to the rows that are shown of it; [`words`]: rows in sentences.
//! 2. [`load`], [`catalogue`]: facts from the store; rows in the database. [`index`] is the way from one to the other.
//! 3. [`follow`], [`reconcile`], [`rebuild`]: what leads there: an announcement, a look at the store, a person.
//! 4. [`api`]: people ask; who asked what is a fact before they are answered ([`access`]).
//! 5. [`fingerprint`]: whether two catalogues are equal in every row.

pub mod access;
pub mod api;
pub mod catalogue;
mod error;
pub mod fingerprint;
pub mod fold;
pub mod follow;
pub mod index;
pub mod load;
mod metrics;
pub mod rebuild;
pub mod reconcile;
mod serve;
mod walk;
pub mod words;

use custos_platform::{clock::Clock, facts::FactLog, vault::Vault};

pub use error::RecordsError;
pub use serve::{Args, Command, serve};

use crate::{catalogue::Catalogue, index::Indexer};

/// The schema the catalogue is in.
const SCHEMA: &str = "records";

/// Everything the verbs share.
#[derive(Debug)]
pub struct Records {
    vault: Vault,
    catalogue: Catalogue,
    indexer: Indexer,
    facts: FactLog,
    clock: Clock,
}
