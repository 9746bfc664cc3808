use std::time::Duration;

use sqlx::{
    AssertSqlSafe, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::error;
use crate::backoff::Backoff;

/// Between attempts while the database is away.
const RETRY: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(10) };

/// Set after the pool's own settings, and so over them.
const UNLIMITED: [(&str, &str); 2] = [("statement_timeout", "0"), ("lock_timeout", "0")];

/// Why the schema is not what this release expects.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A migration this release does not know.
    #[error(
        "schema {schema} holds migration {version}, which this release does not know: it belongs to a newer one; run that"
    )]
    Newer {
        /// The schema.
        schema: String,
        /// The migration.
        version: i64,
    },
    /// A migration that was applied in another form.
    #[error("migration {version} of schema {schema} was changed after it was applied; migrations are only ever added")]
    Altered {
        /// The schema.
        schema: String,
        /// The migration.
        version: i64,
    },
    /// Not a name.
    #[error("`{0}` is no schema: expected a-z and _")]
    Name(String),
    /// The schema is not there, and this user may not make it.
    #[error("schema {schema} does not exist and cannot be made: {cause}; create it, owned by the service's user")]
    NoSchema {
        /// The schema.
        schema: String,
        /// What the database said.
        cause: sqlx::Error,
    },
    /// A migration failed, or the database did.
    #[error("migrating schema {schema}: {cause}")]
    Failed {
        /// The schema.
        schema: String,
        /// What went wrong.
        cause: MigrateError,
    },
}

/// Brings `schema` to what `migrator` describes. Waits for a database that is away; when it is another release's it changes
/// nothing and fails.
///
/// Several replicas may do so together: the first one does the work.
pub async fn migrate(pool: &PgPool, migrator: &Migrator, schema: &str) -> Result<(), MigrationError> {
    if schema.is_empty() || !schema.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        return Err(MigrationError::Name(schema.escape_debug().take(64).collect()));
    }
    let mut failures = 0;
    loop {
        match attempt(pool, migrator, schema).await {
            Err(error) if error.is_away() => tracing::warn!(schema, %error, "waiting for the database"),
            ended => return ended,
        }
        failures += 1;
        tokio::time::sleep(RETRY.pause(failures, rand::random())).await;
    }
}

/// On a connection of its own, closed at the end: an index may take longer to build than a statement may run, and the lock that
/// migrating takes lives as long as the connection.
async fn attempt(pool: &PgPool, migrator: &Migrator, schema: &str) -> Result<(), MigrationError> {
    let options =
        PgConnectOptions::clone(&pool.connect_options()).options(UNLIMITED).options([("search_path", schema)]);
    let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let migrated = async {
        ensure_schema(&own, schema).await?;
        migrator.run(&own).await.map_err(|cause| of_migrate(schema, cause))
    };
    let migrated = migrated.await;
    own.close().await;
    migrated
}

/// Looks first: `IF NOT EXISTS` asks for the right to create even when there is nothing to do.
async fn ensure_schema(pool: &PgPool, schema: &str) -> Result<(), MigrationError> {
    let there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_optional(pool)
        .await
        .map_err(|cause| of_migrate(schema, cause.into()))?;
    if there.is_none() {
        // The name was checked above: letters and underscores only.
        let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
        let created = sqlx::raw_sql(create).execute(pool).await;
        created.map_err(|cause| MigrationError::NoSchema { schema: schema.to_owned(), cause })?;
    }
    Ok(())
}

impl MigrationError {
    fn is_away(&self) -> bool {
        match self {
            Self::Failed { cause: MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _), .. }
            | Self::NoSchema { cause, .. } => error::is_away(cause),
            _ => false,
        }
    }
}

fn of_migrate(schema: &str, cause: MigrateError) -> MigrationError {
    let schema = schema.to_owned();
    match cause {
        MigrateError::VersionMissing(version) => MigrationError::Newer { schema, version },
        MigrateError::VersionMismatch(version) => MigrationError::Altered { schema, version },
        cause => MigrationError::Failed { schema, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_that_is_away_is_waited_for() {
        let away = || sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert!(of_migrate("x", away().into()).is_away());
        assert!(of_migrate("x", MigrateError::ExecuteMigration(away(), 1)).is_away());
        assert!(!of_migrate("x", sqlx::Error::RowNotFound.into()).is_away());
        for final_word in [MigrateError::VersionMissing(3), MigrateError::VersionMismatch(3), MigrateError::Dirty(3)] {
            assert!(!of_migrate("x", final_word).is_away());
        }
        let newer = of_migrate("holds", MigrateError::VersionMissing(3)).to_string();
        assert!(newer.contains("schema holds") && newer.contains("newer"), "{newer}");
    }

    #[tokio::test]
    async fn what_is_no_name_reaches_no_statement() {
        let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://u@127.0.0.1:1/d").expect("pool");
        for name in ["", "a; DROP SCHEMA b", "Å", "UPPER", "a-b", "\"x\""] {
            let migrator = Migrator::with_migrations(Vec::new());
            let refused = tokio::time::timeout(Duration::from_secs(5), migrate(&pool, &migrator, name)).await;
            assert!(matches!(refused, Ok(Err(MigrationError::Name(_)))), "{name}: {refused:?}");
        }
    }
}
