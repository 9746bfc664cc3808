use crate::{http::Problem, worker::Fault};

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection, or it was lost; what was under way may or may not have been committed.
    #[error("the database is not reachable: {0}")]
    Away(#[source] sqlx::Error),
    /// Others were faster, every time.
    #[error("others changed the same rows at the same time: {0}")]
    Conflict(#[source] sqlx::Error),
    /// These data can never be stored: a value out of range, or against a constraint (SQLSTATE classes 22 and 23).
    #[error("the database refuses these data: {0}")]
    Data(#[source] sqlx::Error),
    /// Anything else: a missing table, a lacking right, a statement that took too long.
    #[error("the database: {0}")]
    Other(#[source] sqlx::Error),
}

impl DbError {
    /// Whether trying again with the same data is pointless.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Data(_))
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match class(&error) {
            Class::Away => Self::Away(error),
            Class::Conflict => Self::Conflict(error),
            Class::Data => Self::Data(error),
            Class::Other => Self::Other(error),
        }
    }
}

/// Rejects only what can never be stored: with anything else a person may help meanwhile, and the message must not be lost to it.
impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        if error.is_permanent() { Self::reject(error.into()) } else { Self::retry(error.into()) }
    }
}

/// 503 with whatever may pass or a person may mend; data that can never be stored are our fault.
impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        if error.is_permanent() { Self::internal(&error.into()) } else { Self::away("the database", &error) }
    }
}

/// Whether there is no connection.
pub(super) fn is_away(error: &sqlx::Error) -> bool {
    class(error) == Class::Away
}

fn class(error: &sqlx::Error) -> Class {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => Class::Away,
        E::Database(cause) => Class::of(cause.code().as_deref().unwrap_or_default()),
        _ => Class::Other,
    }
}

/// What an SQLSTATE (PostgreSQL documentation, appendix A) means for trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Away,
    Conflict,
    Data,
    Other,
}

impl Class {
    fn of(sqlstate: &str) -> Self {
        match sqlstate {
            // Serialization failure; deadlock.
            "40001" | "40P01" => Self::Conflict,
            // What it refers to may come yet: messages arrive in any order.
            "23503" => Self::Other,
            // Connection exceptions; too many connections; shutting down, starting up; read-only: a standby, after a failover.
            "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25006" => Self::Away,
            code if code.starts_with("08") => Self::Away,
            code if code.starts_with("22") || code.starts_with("23") => Self::Data,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_that_never_fit_are_permanent() {
        let class = |codes: &[&str]| codes.iter().map(|code| Class::of(code)).collect::<Vec<_>>();
        assert_eq!(class(&["40001", "40P01"]), [Class::Conflict; 2]);
        assert_eq!(class(&["22003", "22P05", "23505", "23514"]), [Class::Data; 4]);
        assert_eq!(class(&["08006", "57P01", "53300", "25006"]), [Class::Away; 4]);
        assert_eq!(class(&["42P01", "23503", "57014", "42501", ""]), [Class::Other; 5]);
        assert!(matches!(Fault::from(DbError::Data(sqlx::Error::RowNotFound)), Fault::Reject { .. }));
        assert!(matches!(Fault::from(DbError::Other(sqlx::Error::RowNotFound)), Fault::Retry { .. }));
        assert_eq!(Problem::from(DbError::Data(sqlx::Error::RowNotFound)).status().as_u16(), 500);
        assert_eq!(Problem::from(DbError::Conflict(sqlx::Error::RowNotFound)).status().as_u16(), 503);
        assert!(matches!(DbError::from(sqlx::Error::PoolTimedOut), DbError::Away(_)));
    }
}
