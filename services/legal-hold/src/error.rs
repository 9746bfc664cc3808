//! Everything legal-hold can answer but success, and the two tables that turn it into a worker's fate and into HTTP.

use custos_domain::policy::PolicyError;
use custos_platform::{db::DbError, facts::FactError, http::Problem, vault::StoreError, worker::Fault};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum LegalHoldError {
    /// An item that is held has no manifest any more.
    #[error("the item's manifest is gone from the store; a person must look")]
    ManifestGone,
    /// Somebody else deals with the item by now.
    #[error("another one deals with this item")]
    LeaseLost,
    /// No policy for the tenant.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] DbError),
    /// A fact was not announced.
    #[error("the bus: {0}")]
    Fact(#[from] FactError),
}

impl LegalHoldError {
    /// The same for a person who waits for a hold to reach the store: what is wrong, without addresses and inner workings.
    pub fn told(&self) -> String {
        match self {
            Self::Store(StoreError::Unavailable { .. }) => "the store is not available".to_owned(),
            Self::Store(StoreError::Refused { operation, code, .. }) => {
                format!("the store refused {operation} with {code}; an administrator must look")
            }
            Self::Store(_) => "the store no longer has a version of this item; an administrator must look".to_owned(),
            Self::Database(_) => "the database is not available".to_owned(),
            Self::ManifestGone | Self::LeaseLost | Self::Policy(_) | Self::Fact(_) => self.to_string(),
        }
    }
}

impl From<sqlx::Error> for LegalHoldError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<LegalHoldError> for Fault {
    fn from(error: LegalHoldError) -> Self {
        match error {
            LegalHoldError::Policy(error) => error.into(),
            LegalHoldError::Database(error) => error.into(),
            LegalHoldError::Store(error) => error.into(),
            LegalHoldError::Fact(error) => error.into(),
            LegalHoldError::ManifestGone | LegalHoldError::LeaseLost => Self::retry(error.into()),
        }
    }
}

impl From<LegalHoldError> for Problem {
    fn from(error: LegalHoldError) -> Self {
        match error {
            LegalHoldError::Policy(error) => error.into(),
            LegalHoldError::Database(error) => error.into(),
            LegalHoldError::Store(error) => error.into(),
            LegalHoldError::ManifestGone | LegalHoldError::LeaseLost | LegalHoldError::Fact(_) => {
                Self::internal(&error.into())
            }
        }
    }
}
