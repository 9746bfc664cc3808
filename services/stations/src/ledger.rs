//! The schema `stations`: the only place with its SQL.
//!
//! 1. [`stations`]: who is registered. [`codes`]: who may enrol.
//! 2. [`certificates`]: what was issued and revoked. [`published`]: how far the register is.

pub mod certificates;
pub mod codes;
pub mod published;
pub mod stations;

use sqlx::{PgPool, PgTransaction};

/// The database, as stations uses it.
#[derive(Debug, Clone)]
pub struct Ledger(PgPool);

impl Ledger {
    /// The ledger in this database.
    pub fn new(pool: PgPool) -> Self {
        Self(pool)
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> sqlx::Result<PgTransaction<'static>> {
        self.0.begin().await
    }
}

/// What a row holds is what a type of ours wrote there; anything else is damage.
fn parsed<T, E: std::error::Error + Send + Sync + 'static>(value: Result<T, E>) -> sqlx::Result<T> {
    value.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
