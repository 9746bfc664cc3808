//! Everything records can answer but success, and the two tables that turn it into a worker's fate and into HTTP.

use std::time::Duration;

use custos_platform::{db::DbError, http::Problem, vault::StoreError, worker::Fault};

use crate::load::LoadError;

/// When to ask again for what is away now.
const SOON: Duration = Duration::from_secs(5);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// A fact cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The schema is not what this release expects.
    #[error(transparent)]
    Migration(#[from] custos_platform::db::MigrationError),
    /// The bus. What is durable is announced in a later round.
    #[error(transparent)]
    Announce(#[from] custos_platform::facts::FactError),
}

impl From<sqlx::Error> for RecordsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The fate of an announcement: what can never be read is for a person; everything else comes again.
impl From<RecordsError> for Fault {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Database(error) => error.into(),
            RecordsError::Load(error) if error.is_permanent() => Self::reject(error.into()),
            error => Self::retry(error.into()),
        }
    }
}

impl From<RecordsError> for Problem {
    fn from(error: RecordsError) -> Self {
        let away = |what: &str| {
            tracing::warn!(error = %error, "request failed");
            Self::unavailable(format!("{what} is not available; try again in a few seconds"), SOON)
        };
        match &error {
            RecordsError::Database(DbError::Data(_)) | RecordsError::Migration(_) => Self::internal(&error.into()),
            RecordsError::Database(_) => away("the catalogue's database"),
            RecordsError::Store(cause) | RecordsError::Load(LoadError::Store(cause)) if !cause.is_permanent() => {
                away("the store, where this access must be written down first,")
            }
            _ => Self::internal(&error.into()),
        }
    }
}
