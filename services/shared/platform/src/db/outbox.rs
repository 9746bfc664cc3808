//! Facts that are born in PostgreSQL, such as a hold that a person placed.
//!
//! The fact is written in the transaction that makes it true ([`put`]), and a [`relay`] brings it to the store and the bus: at least
//! once, which is once, for its id is its name in both. Facts leave in the order of their rows, except that one that fails waits
//! and lets others pass.
//!
//! A service that owns a schema has this in a migration ([`TABLE`]):
//!
//! ```sql
#![doc = include_str!("outbox.sql")]
//! ```

mod metrics;

use std::{fmt::Display, future::Future, time::Duration};

use custos_domain::fact::Fact;
use sqlx::{FromRow, PgConnection, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::DbError;
use crate::{backoff::Backoff, facts::FactLog, lifecycle::Lifecycle, sweep::Trigger, telemetry};
use metrics::OutboxMetrics;

/// The table, as every migration has it.
pub const TABLE: &str = include_str!("outbox.sql");

/// How often to look without being told.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest time one fact may take to the store and the bus; its row is held meanwhile.
const STATE_LIMIT: Duration = Duration::from_secs(30);
/// Between tries of one fact.
const BETWEEN_TRIES: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_mins(5) };
/// How often to remove rows that were stated long ago.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Puts `fact` into the outbox of the transaction's schema. A fact that is there already stays as it is.
///
/// Trigger the [`relay`] after committing; it looks by itself every few seconds.
pub async fn put(tx: &mut PgConnection, fact: &Fact) -> Result<(), DbError> {
    let text = serde_json::to_string(fact).map_err(|error| DbError::Data(sqlx::Error::Encode(error.into())))?;
    sqlx::query("INSERT INTO outbox (fact_id, fact) VALUES ($1, $2) ON CONFLICT (fact_id) DO NOTHING")
        .bind(fact.id.as_str())
        .bind(text)
        .execute(tx)
        .await?;
    Ok(())
}

/// [`relay`] to the custody log and the bus, as the service's part `name` (such as `retention.outbox`): it stops with it.
pub fn spawn_relay(name: &'static str, pool: PgPool, trigger: Trigger, facts: FactLog, lifecycle: &Lifecycle) {
    let soft = lifecycle.soft().clone();
    lifecycle.spawn(name, async move {
        let state = |fact| {
            let facts = facts.clone();
            async move { facts.state_and_announce(&fact).await.map(drop) }
        };
        relay(pool, trigger, soft, state).await;
        Ok(())
    });
}

/// Brings facts from the outbox to `state` until `soft` is cancelled. `state` makes one fact durable and announces it; it may
/// be asked for the same fact again. Several relays may run at once.
pub async fn relay<S, F, E>(pool: PgPool, trigger: Trigger, soft: CancellationToken, state: S)
where
    S: Fn(Fact) -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let metrics = OutboxMetrics::new();
    let mut pruned: Option<Instant> = None;
    while !soft.is_cancelled() {
        let round = async {
            while !soft.is_cancelled() && relay_one(&pool, &state, &metrics).await? {}
            if pruned.is_none_or(|pruned| pruned.elapsed() >= PRUNE_EVERY) {
                prune(&pool).await?;
                pruned = Some(Instant::now());
            }
            metrics.measure(&pool).await
        };
        if let Err(error) = round.await {
            tracing::warn!(%error, "the outbox waits for the database");
        }
        let told = tokio::time::timeout(LOOK_EVERY, trigger.told());
        soft.run_until_cancelled(told).await;
    }
}

#[derive(FromRow)]
struct Row {
    id: i64,
    fact: String,
    tries: i32,
}

/// Takes the first fact nobody else has taken; answers whether there was one.
///
/// The row stays locked while the fact is stated: when we die, the lock dies with us and another relay takes it.
async fn relay_one<S, F, E>(pool: &PgPool, state: &S, metrics: &OutboxMetrics) -> Result<bool, DbError>
where
    S: Fn(Fact) -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut tx = pool.begin().await?;
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, fact, tries FROM outbox WHERE stated_at IS NULL AND not_before <= clock_timestamp()
         ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(false) };
    match state_one(&row, state).await {
        Ok(()) => {
            sqlx::query("UPDATE outbox SET stated_at = clock_timestamp(), tries = tries + 1 WHERE id = $1")
                .bind(row.id)
                .execute(&mut *tx)
                .await?;
        }
        Err(error) => {
            let tries = u32::try_from(row.tries).unwrap_or(0).saturating_add(1);
            let pause = BETWEEN_TRIES.pause(tries, rand::random());
            tracing::warn!(outbox = row.id, tries, error, ?pause, "a fact is not stated yet; trying again");
            sqlx::query(
                "UPDATE outbox SET tries = tries + 1, not_before = clock_timestamp() + make_interval(secs => $2)
                 WHERE id = $1",
            )
            .bind(row.id)
            .bind(pause.as_secs_f64())
            .execute(&mut *tx)
            .await?;
            metrics.failed();
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// Continues the fact's own trace.
async fn state_one<S, F, E>(row: &Row, state: &S) -> Result<(), String>
where
    S: Fn(Fact) -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let fact: Fact = serde_json::from_str(&row.fact).map_err(|error| format!("the row holds no fact: {error}"))?;
    let span = tracing::info_span!("platform.outbox.relay", custos.fact = %fact.id, custos.tries = row.tries);
    if let Some(trace) = &fact.trace {
        telemetry::set_parent(&span, trace);
    }
    match tokio::time::timeout(STATE_LIMIT, state(fact)).instrument(span).await {
        Ok(stated) => stated.map_err(|error| error.to_string()),
        Err(_elapsed) => Err(format!("not stated within {} s", STATE_LIMIT.as_secs())),
    }
}

/// What was stated a month ago is in the store, where it counts.
async fn prune(pool: &PgPool) -> Result<(), DbError> {
    sqlx::query("DELETE FROM outbox WHERE stated_at < clock_timestamp() - interval '30 days'").execute(pool).await?;
    Ok(())
}
