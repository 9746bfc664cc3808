//! Everything records can answer but success, and the two tables that turn it into a worker's fate and into HTTP.

use custos_platform::{db::DbError, http::Problem, vault::StoreError, worker::Fault};

use crate::load::LoadError;

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
            RecordsError::Store(error) | RecordsError::Load(LoadError::Store(error)) => error.into(),
            RecordsError::Announce(error) => error.into(),
            RecordsError::Load(LoadError::Unusable { .. }) => Self::reject(error.into()),
            RecordsError::Load(LoadError::Missing(_)) | RecordsError::Migration(_) => Self::retry(error.into()),
        }
    }
}

/// As the platform has it, but in words of what they are here.
impl From<RecordsError> for Problem {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Database(ref cause) if !cause.is_permanent() => {
                Self::away("the catalogue's database", &error)
            }
            RecordsError::Store(ref cause) | RecordsError::Load(LoadError::Store(ref cause))
                if !cause.is_permanent() =>
            {
                Self::away("the store, where this access must be written down first,", &error)
            }
            RecordsError::Store(error) | RecordsError::Load(LoadError::Store(error)) => error.into(),
            error => Self::internal(&error.into()),
        }
    }
}
