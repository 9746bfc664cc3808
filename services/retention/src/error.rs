//! Everything retention can answer but success, and the two tables that turn it into a worker's fate and into HTTP.

use custos_domain::policy::PolicyError;
use custos_platform::{
    db::DbError,
    http::Problem,
    vault::{StoreError, skew::ClockError},
    worker::Fault,
};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// No manifest of this item.
    #[error("no item with this code was deposited")]
    NotDeposited,
    /// No policy for the item's tenant.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Our clock and the store's differ too much to compute a lock from.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The manifest names an ingest time that cannot be.
    #[error("the manifest says the item was ingested at {0}, which is still to come; no lock is computed from that")]
    Future(jiff::Timestamp),
    /// A confirmation without what it confirms; the log may be filled out of order.
    #[error("the log has a confirmation of hold {0}, but not yet the hold")]
    Unplaced(custos_domain::ids::HoldId),
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] DbError),
    /// A stored document of ours that cannot be read.
    #[error("unreadable: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl From<sqlx::Error> for RetentionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The fate of an announcement. Trying again helps against whatever may pass, or a person can mend meanwhile.
impl From<RetentionError> for Fault {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::Policy(error) => error.into(),
            RetentionError::Clock(error) => error.into(),
            RetentionError::Store(error) => error.into(),
            RetentionError::Database(error) => error.into(),
            RetentionError::Unplaced(_) => Self::retry(error.into()),
            RetentionError::NotDeposited | RetentionError::Future(_) | RetentionError::Unreadable(_) => {
                Self::reject(error.into())
            }
        }
    }
}

impl From<RetentionError> for Problem {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::NotDeposited => Self::not_found("no item with this code was deposited; check the code"),
            RetentionError::Policy(error) => error.into(),
            RetentionError::Clock(error) => error.into(),
            RetentionError::Store(error) => error.into(),
            RetentionError::Database(error) => error.into(),
            RetentionError::Future(_) | RetentionError::Unplaced(_) | RetentionError::Unreadable(_) => {
                Self::internal(&error.into())
            }
        }
    }
}
