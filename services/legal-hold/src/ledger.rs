//! The schema `legal_hold`: the only place with its SQL.
//!
//! 1. [`holds`]: what people and policies decided.
//! 2. [`items`]: what of it has reached the store. [`leases`]: who may change it there.

pub mod holds;
pub mod items;
pub mod leases;

use custos_domain::{
    ids::{TenantId, UnitPath},
    item::UnifiedCode,
    manifest::Manifest,
};
use jiff::Timestamp;
use sqlx::{PgPool, PgTransaction};

/// The database, as legal-hold uses it.
#[derive(Debug, Clone)]
pub struct Ledger(PgPool);

/// An item, as far as holds need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRef {
    /// The unified code.
    pub code: UnifiedCode,
    /// The unit that deposited it.
    pub unit: UnitPath,
    /// When it was ingested.
    pub ingested_at: Timestamp,
}

impl ItemRef {
    /// The agency.
    pub fn tenant(&self) -> &TenantId {
        &self.code.key().tenant
    }
}

impl From<&Manifest> for ItemRef {
    fn from(manifest: &Manifest) -> Self {
        Self { code: manifest.code.clone(), unit: manifest.unit.clone(), ingested_at: manifest.ingested_at }
    }
}

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
