use std::{path::PathBuf, str::FromStr as _, time::Duration};

use sqlx::{
    ConnectOptions as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::config::{ConfigError, read_secret};

/// Longest wait for a free or new connection.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);

/// What every connection is told when it begins. The schema comes first in the search path and alone, so that no table of
/// somebody else can stand in for ours.
const SETTINGS: [(&str, &str); 4] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    // Longer than the outbox holds a row while it states the fact.
    ("idle_in_transaction_session_timeout", "90s"),
    // Custody facts leave through this database: an acknowledged commit is on disk (and on the standby, where there is one).
    ("synchronous_commit", "on"),
];

/// Where the database is.
#[derive(Debug, Clone, clap::Args)]
pub struct DbArgs {
    /// The database: postgres://user@host:port/name, with ?sslmode=verify-full&sslrootcert=FILE across a network
    #[arg(long, env = "CUSTOS_DATABASE_URL", value_name = "URL")]
    pub database_url: String,

    /// File with the user's password
    #[arg(long, env = "CUSTOS_DATABASE_PASSWORD_FILE", value_name = "FILE")]
    pub database_password_file: PathBuf,

    /// Most connections held at a time
    #[arg(long, env = "CUSTOS_DATABASE_CONNECTIONS", value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=200))]
    pub database_connections: u32,
}

/// A pool of connections for `service`, with `schema` as their search path. Connects when first used, and again whenever a
/// connection was lost.
///
/// Fails when an option cannot work.
pub fn connect(args: &DbArgs, service: &str, schema: &str) -> Result<PgPool, ConfigError> {
    let password = read_secret("--database-password-file", &args.database_password_file)?;
    let options = options(&args.database_url)?
        .password(password.expose())
        .application_name(service)
        .options([("search_path", schema)])
        .options(SETTINGS);
    let pool = PgPoolOptions::new().max_connections(args.database_connections).acquire_timeout(ACQUIRE_LIMIT);
    Ok(pool.connect_lazy_with(options))
}

fn options(url: &str) -> Result<PgConnectOptions, ConfigError> {
    let wrong = |problem: String| ConfigError::new("--database-url", problem);
    let (_, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "postgres" | "postgresql"))
        .ok_or_else(|| wrong("write postgres://user@host:port/name".to_owned()))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user).unwrap_or_default();
    if user.contains(':') || rest.contains("password=") {
        // It would show in the process list.
        return Err(wrong("must not hold a password; use --database-password-file".to_owned()));
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| wrong(error.to_string()))?;
    // sqlx asks the log filters about each statement and drops the answer, whereupon the next span or line of the thread is lost
    // (tokio-rs/tracing issue 2519). Statements are not logged here anyway.
    Ok(options.disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(url: &str, password: &str) -> Result<PgPool, ConfigError> {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("password");
        std::fs::write(&file, password).expect("write");
        let args = DbArgs { database_url: url.to_owned(), database_password_file: file, database_connections: 3 };
        connect(&args, "custos-retention", "retention")
    }

    #[tokio::test]
    async fn a_pool_is_made_without_a_server() {
        let pool = pool("postgres://retention@127.0.0.1:1/custos", "hunter2\n").expect("pool");
        let options = pool.connect_options();
        assert_eq!(options.get_application_name(), Some("custos-retention"));
        let settings = options.get_options().expect("settings");
        for expected in ["search_path=retention", "statement_timeout=30s", "synchronous_commit=on"] {
            assert!(settings.contains(expected), "{settings}");
        }
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_named_and_hide_the_password() {
        for url in ["127.0.0.1", "mysql://u@h/d", "postgres://u:hunter2@h/d", "postgres://u@h/d?password=hunter2"] {
            let error = pool(url, "hunter2").expect_err(url).to_string();
            assert!(error.starts_with("--database-url: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = pool("postgres://u@h/d", "\n").expect_err("empty").to_string();
        assert!(error.starts_with("--database-password-file: "), "{error}");
    }
}
