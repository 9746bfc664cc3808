//! The rows: the schema `records`. The only place with its SQL.
//!
//! 1. [`learn`]: facts in, rows computed and written, in one transaction. The only way anything gets in.
//!    `listed` keeps what a unit may see where it is found at once.
//! 2. [`search`], [`lists`], [`read`]: rows out, by keyset pages within a [`Scope`].
//! 3. [`known`], [`pending`]: what the reconciler compares with the store, and what it waits for.
//! 4. [`dump`]: all rows, for comparing two catalogues.

pub mod dump;
pub mod known;
pub mod learn;
mod listed;
pub mod lists;
pub mod pending;
pub mod read;
mod scope;
pub mod search;
mod write;

pub use self::scope::{NarrowError, Scope};

use custos_platform::db::Moment;
use sqlx::PgPool;

/// The catalogue's database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pool: PgPool,
}

impl Catalogue {
    /// The catalogue in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}
