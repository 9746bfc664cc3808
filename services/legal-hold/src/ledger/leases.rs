//! Whose turn it is to change an item's hold in the store.
//!
//! **One owner at a time.** Whoever takes an item gets a lease and an epoch; what they write back counts only while the epoch is
//! still theirs. Leases go by the database's clock, the one clock all replicas share.

use std::time::Duration;

use custos_platform::db::Moment;
use jiff::Timestamp;
use sqlx::{PgTransaction, types::Json};

use super::{ItemRef, Ledger, items::ItemRow};
use crate::plan::Applied;

/// An item that was taken to be looked at.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The item.
    pub item: ItemRef,
    /// The fencing number of this lease.
    pub epoch: i64,
    /// What might have changed was last changed so many times.
    pub generation: i64,
    /// What was last read back.
    pub applied: Option<Applied>,
    /// How many tries failed in a row.
    pub failures: u32,
}

/// When to look at an item again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// After this long.
    pub after: Duration,
    /// Whether it is nothing but a routine look, which others may go before.
    pub routine: bool,
}

impl Ledger {
    /// Takes up to `limit` items whose time has come, for a routine look or for one that somebody waits for. Nobody else gets them
    /// for as long as `lease`.
    pub async fn take_due(&self, routine: bool, limit: i64, lease: Duration) -> sqlx::Result<Vec<Lease>> {
        let rows: Vec<ItemRow> = sqlx::query_as(
            "UPDATE item SET epoch = epoch + 1, lease_until = now() + make_interval(secs => $2)
             WHERE code IN (SELECT code FROM item
                            WHERE routine = $3 AND look_at <= now() AND (lease_until IS NULL OR lease_until <= now())
                            ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED)
             RETURNING *, wanted (code)",
        )
        .bind(limit)
        .bind(lease.as_secs_f64())
        .bind(routine)
        .fetch_all(&self.0)
        .await?;
        rows.into_iter().map(ItemRow::lease).collect()
    }

    /// Keeps the lease for as long again. Answers false when it is somebody else's by now.
    pub async fn renew(&self, lease: &Lease, time: Duration) -> sqlx::Result<bool> {
        let renewed = sqlx::query(
            "UPDATE item SET lease_until = now() + make_interval(secs => $3)
             WHERE code = $1 AND epoch = $2 AND lease_until IS NOT NULL",
        )
        .bind(lease.item.code.to_string())
        .bind(lease.epoch)
        .bind(time.as_secs_f64());
        Ok(renewed.execute(&self.0).await?.rows_affected() > 0)
    }

    /// Whether the lease is still held, and nothing has changed since it was taken.
    pub async fn is_current(&self, lease: &Lease) -> sqlx::Result<bool> {
        let current: Option<i32> = sqlx::query_scalar(
            "SELECT 1 FROM item WHERE code = $1 AND epoch = $2 AND generation = $3 AND lease_until > now()",
        )
        .bind(lease.item.code.to_string())
        .bind(lease.epoch)
        .bind(lease.generation)
        .fetch_optional(&self.0)
        .await?;
        Ok(current.is_some())
    }

    /// Gives an item back with what was read back of it, to be looked at as `next` says, or at once if something changed meanwhile. Answers false, and writes nothing, when the lease is somebody else's by now.
    pub async fn give_back(
        &self,
        tx: &mut PgTransaction<'_>,
        lease: &Lease,
        applied: &Applied,
        now: Timestamp,
        next: Option<Next>,
    ) -> sqlx::Result<bool> {
        let given = sqlx::query(
            "UPDATE item SET applied_on = $3, applied_at = $4, settled_at = $5, objects = $6, problem = NULL, failures = 0,
                    lease_until = NULL,
                    look_at = CASE WHEN generation <> $7 THEN now() ELSE now() + make_interval(secs => $8) END,
                    routine = generation = $7 AND $9
             WHERE code = $1 AND epoch = $2",
        )
        .bind(lease.item.code.to_string())
        .bind(lease.epoch)
        .bind(applied.on)
        .bind(Moment(applied.at))
        .bind(applied.settled.then_some(Moment(now)))
        .bind(Json(&applied.objects))
        .bind(lease.generation)
        .bind(next.map(|next| next.after.as_secs_f64()))
        .bind(next.is_some_and(|next| next.routine));
        Ok(given.execute(&mut **tx).await?.rows_affected() > 0)
    }

    /// Gives an item back that somebody else took or decided on meanwhile. What we did in the store may have come after what they
    /// did, so it is looked at again at once.
    pub async fn let_go(&self, lease: &Lease) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE item SET generation = generation + 1, look_at = now(), routine = false,
                    lease_until = CASE WHEN epoch <> $2 THEN lease_until END
             WHERE code = $1",
        )
        .bind(lease.item.code.to_string())
        .bind(lease.epoch)
        .execute(&self.0)
        .await
        .map(drop)
    }

    /// Gives an item back that could not be dealt with.
    pub async fn give_up(&self, lease: &Lease, problem: &str, pause: Duration) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE item SET problem = $3, failures = failures + 1, lease_until = NULL,
                    look_at = now() + make_interval(secs => $4)
             WHERE code = $1 AND epoch = $2",
        )
        .bind(lease.item.code.to_string())
        .bind(lease.epoch)
        .bind(problem)
        .bind(pause.as_secs_f64())
        .execute(&self.0)
        .await
        .map(drop)
    }
}

impl ItemRow {
    pub(super) fn lease(self) -> sqlx::Result<Lease> {
        Ok(Lease {
            item: self.item()?,
            epoch: self.epoch,
            generation: self.generation,
            applied: self.applied(),
            failures: self.failures.unsigned_abs(),
        })
    }
}
