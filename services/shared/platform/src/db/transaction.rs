use std::{future::Future, sync::LazyLock, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use sqlx::{PgPool, PgTransaction};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{DbError, error::is_conflict};
use crate::{backoff::Backoff, telemetry::meter};

/// Tries before a transaction gives up on being alone.
const MOST_TRIES: u32 = 10;
const RETRY: Backoff = Backoff { first: Duration::from_millis(5), most: Duration::from_millis(500) };

static TRANSACTIONS: LazyLock<Instruments> = LazyLock::new(Instruments::new);

/// Runs `steps` as one transaction called `name` (such as `hold.place`), and again when it turned out not to have been alone.
///
/// Serializable: it sees and leaves the database as if nothing else had run meanwhile, so that a decision over several rows
/// needs no thought about races. `steps` may run several times and does nothing that cannot be undone but with its transaction.
/// It hands the transaction back for the commit; an error drops it, which undoes everything.
///
/// ```no_run
/// # use custos_platform::db::{self, DbError};
/// # async fn place(pool: &sqlx::PgPool, hold: &str) -> Result<i64, DbError> {
/// let standing = db::transaction(pool, "hold.place", |mut tx| async move {
///     sqlx::query("INSERT INTO hold (id) VALUES ($1)").bind(hold).execute(&mut *tx).await?;
///     let standing: i64 = sqlx::query_scalar("SELECT count(*) FROM hold").fetch_one(&mut *tx).await?;
///     Ok::<_, DbError>((tx, standing))
/// })
/// .await?;
/// # Ok(standing)
/// # }
/// ```
///
/// When the connection is lost while committing, nobody knows whether it was ([`DbError::Away`]): steps that ran are to be
/// recognised when they are asked for again.
pub async fn transaction<T, E, S, F>(pool: &PgPool, name: &'static str, mut steps: S) -> Result<T, E>
where
    S: FnMut(PgTransaction<'static>) -> F,
    F: Future<Output = Result<(PgTransaction<'static>, T), E>>,
    E: From<DbError> + std::error::Error + 'static,
{
    let span = tracing::info_span!("platform.db.transaction", otel.kind = "client", db.operation.name = name);
    let (begun, mut attempts) = (Instant::now(), 0);
    let committed = async {
        loop {
            attempts += 1;
            match attempt(pool, &mut steps).await {
                Err(error) if attempts < MOST_TRIES && is_conflict(&error) => {
                    tracing::debug!(name, attempts, "not alone; trying again");
                    tokio::time::sleep(RETRY.pause(attempts, rand::random())).await;
                }
                ended => return ended,
            }
        }
    };
    let ended = committed.instrument(span).await;
    TRANSACTIONS.ended(name, ended.is_ok(), attempts, begun.elapsed());
    ended
}

async fn attempt<T, E, S, F>(pool: &PgPool, steps: &mut S) -> Result<T, E>
where
    S: FnMut(PgTransaction<'static>) -> F,
    F: Future<Output = Result<(PgTransaction<'static>, T), E>>,
    E: From<DbError>,
{
    let began = pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await;
    let (tx, result) = steps(began.map_err(|error| E::from(error.into()))?).await?;
    tx.commit().await.map_err(|error| E::from(error.into()))?;
    Ok(result)
}

struct Instruments {
    ended: Counter<u64>,
    retried: Counter<u64>,
    duration: Histogram<f64>,
}

impl Instruments {
    fn new() -> Self {
        let meter = meter();
        Self {
            ended: meter
                .u64_counter("custos.db.transactions")
                .with_unit("{transaction}")
                .with_description("transactions, by name and outcome")
                .build(),
            retried: meter
                .u64_counter("custos.db.retries")
                .with_unit("{try}")
                .with_description("tries that were not alone and were made again, by name")
                .build(),
            duration: meter
                .f64_histogram("custos.db.duration")
                .with_unit("s")
                .with_description("how long transactions took with all their tries, by name")
                .build(),
        }
    }

    fn ended(&self, name: &'static str, ok: bool, tries: u32, took: Duration) {
        let name = KeyValue::new("transaction", name);
        let outcome = KeyValue::new("outcome", if ok { "committed" } else { "failed" });
        self.ended.add(1, &[name.clone(), outcome]);
        self.retried.add(u64::from(tries.saturating_sub(1)), std::slice::from_ref(&name));
        self.duration.record(took.as_secs_f64(), &[name]);
    }
}
