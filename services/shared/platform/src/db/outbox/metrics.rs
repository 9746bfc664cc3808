use opentelemetry::metrics::{Counter, Gauge};
use sqlx::PgPool;

use crate::{
    db::DbError,
    telemetry::{counter, meter},
};

pub(super) struct OutboxMetrics {
    unstated: Gauge<u64>,
    lag: Gauge<f64>,
    failed: Counter<u64>,
}

impl OutboxMetrics {
    pub(super) fn new() -> Self {
        let meter = meter();
        Self {
            unstated: meter
                .u64_gauge("custos.outbox.unstated")
                .with_unit("{fact}")
                .with_description("facts in the outbox that are not stated yet")
                .build(),
            lag: meter
                .f64_gauge("custos.outbox.lag")
                .with_unit("s")
                .with_description("age of the oldest fact in the outbox that is not stated yet")
                .build(),
            failed: counter(&meter, "custos.outbox.failures", "{try}", "tries to state a fact that failed", &[&[]]),
        }
    }

    pub(super) fn failed(&self) {
        self.failed.add(1, &[]);
    }

    pub(super) async fn measure(&self, pool: &PgPool) -> Result<(), DbError> {
        let (unstated, lag): (i64, f64) = sqlx::query_as(
            "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
             FROM outbox WHERE stated_at IS NULL",
        )
        .fetch_one(pool)
        .await?;
        self.unstated.record(u64::try_from(unstated).unwrap_or(0), &[]);
        self.lag.record(lag, &[]);
        Ok(())
    }
}
