//! Items under hold: what of it has reached the store, and whose turn it is to change it there.
//!
//! **One owner at a time.** Whoever takes an item gets a lease and an epoch; what they write back counts only while the epoch is
//! still theirs. Leases go by the database's clock, the one clock all replicas share.

use std::time::Duration;

use custos_domain::{
    ids::{HoldId, UnitPath},
    item::UnifiedCode,
    manifest::StoredObject,
};
use jiff::Timestamp;
use sqlx::{FromRow, PgTransaction, types::Json};

use super::{ItemRef, Ledger, parsed};
use crate::{moment::Moment, plan::Applied};

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

/// What the API says of an item in the store.
#[derive(Debug, Clone)]
pub struct InStore {
    /// The item.
    pub item: ItemRef,
    /// Whether any reason stands.
    pub wanted: bool,
    /// What was last read back.
    pub applied: Option<Applied>,
    /// When it was last read back past the settle time.
    pub settled_at: Option<Timestamp>,
    /// Why the last try failed.
    pub problem: Option<String>,
}

impl Ledger {
    /// Puts a hold on items and wakes them.
    pub(super) async fn put_on(
        &self,
        tx: &mut PgTransaction<'_>,
        hold: &HoldId,
        items: &[ItemRef],
    ) -> sqlx::Result<()> {
        // In one order, so that two requests on the same items cannot wait for each other.
        let mut items: Vec<&ItemRef> = items.iter().collect();
        items.sort_by(|a, b| a.code.cmp(&b.code));
        for item in items {
            self.put_on_one(tx, hold, item).await?;
        }
        Ok(())
    }

    /// Puts a hold on one item and wakes it. Answers false, and wakes nobody, when it was on it already.
    pub async fn put_on_one(&self, tx: &mut PgTransaction<'_>, hold: &HoldId, item: &ItemRef) -> sqlx::Result<bool> {
        let code = item.code.to_string();
        let there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM hold_item WHERE hold = $1 AND item = $2")
            .bind(hold.as_str())
            .bind(&code)
            .fetch_optional(&mut **tx)
            .await?;
        if there.is_some() {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO item AS known (code, tenant, unit, ingested_at, look_at) VALUES ($1, $2, $3, $4, now())
             ON CONFLICT (code) DO UPDATE SET generation = known.generation + 1, look_at = now()",
        )
        .bind(&code)
        .bind(item.tenant().as_str())
        .bind(item.unit.as_str())
        .bind(Moment(item.ingested_at))
        .execute(&mut **tx)
        .await?;
        sqlx::query("INSERT INTO hold_item (hold, item) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(hold.as_str())
            .bind(&code)
            .execute(&mut **tx)
            .await?;
        Ok(true)
    }

    /// Something about this hold changed: its items are to be looked at.
    pub async fn wake_items_of(&self, tx: &mut PgTransaction<'_>, hold: &HoldId) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE item SET generation = generation + 1, look_at = now()
             WHERE code IN (SELECT code FROM item JOIN hold_item ON hold_item.item = item.code
                            WHERE hold_item.hold = $1 ORDER BY code FOR UPDATE OF item)",
        )
        .bind(hold.as_str())
        .execute(&mut **tx)
        .await
        .map(drop)
    }

    /// Something about this item changed in the store: if it is known here, it is to be looked at.
    pub async fn wake(&self, code: &UnifiedCode) -> sqlx::Result<bool> {
        let woken = sqlx::query(
            "UPDATE item SET generation = generation + 1, look_at = now()
             WHERE code = $1 AND wanted (code)",
        );
        Ok(woken.bind(code.to_string()).execute(&self.0).await?.rows_affected() > 0)
    }

    /// Takes up to `limit` items whose time has come. Nobody else gets them for as long as `lease`.
    pub async fn take_due(&self, limit: i64, lease: Duration) -> sqlx::Result<Vec<Lease>> {
        let rows: Vec<ItemRow> = sqlx::query_as(
            "UPDATE item SET epoch = epoch + 1, lease_until = now() + make_interval(secs => $2)
             WHERE code IN (SELECT code FROM item
                            WHERE look_at <= now() AND (lease_until IS NULL OR lease_until <= now())
                            ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED)
             RETURNING *, wanted (code)",
        )
        .bind(limit)
        .bind(lease.as_secs_f64())
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

    /// Gives an item back with what was read back of it, to be looked at again after `pause`, or at once if something changed
    /// meanwhile. Answers false, and writes nothing, when the lease is somebody else's by now.
    pub async fn give_back(
        &self,
        tx: &mut PgTransaction<'_>,
        lease: &Lease,
        applied: &Applied,
        now: Timestamp,
        pause: Option<Duration>,
    ) -> sqlx::Result<bool> {
        let given = sqlx::query(
            "UPDATE item SET applied_on = $3, applied_at = $4, settled_at = $5, objects = $6, problem = NULL, failures = 0,
                    lease_until = NULL,
                    look_at = CASE WHEN generation <> $7 THEN now() ELSE now() + make_interval(secs => $8) END
             WHERE code = $1 AND epoch = $2",
        )
        .bind(lease.item.code.to_string())
        .bind(lease.epoch)
        .bind(applied.on)
        .bind(Moment(applied.at))
        .bind(applied.settled.then_some(Moment(now)))
        .bind(Json(&applied.objects))
        .bind(lease.generation)
        .bind(pause.map(|pause| pause.as_secs_f64()));
        Ok(given.execute(&mut **tx).await?.rows_affected() > 0)
    }

    /// Gives an item back that somebody else took or decided on meanwhile. What we did in the store may have come after what they
    /// did, so it is looked at again at once.
    pub async fn let_go(&self, lease: &Lease) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE item SET generation = generation + 1, look_at = now(),
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

    /// The items of a hold, as they are in the store.
    pub async fn items_of(&self, hold: &HoldId) -> sqlx::Result<Vec<InStore>> {
        let rows: Vec<ItemRow> = sqlx::query_as(
            "SELECT item.*, wanted (item.code) FROM item JOIN hold_item ON hold_item.item = item.code
             WHERE hold_item.hold = $1 ORDER BY code",
        )
        .bind(hold.as_str())
        .fetch_all(&self.0)
        .await?;
        rows.into_iter().map(ItemRow::in_store).collect()
    }

    /// An item, as it is in the store.
    pub async fn item(&self, code: &UnifiedCode) -> sqlx::Result<Option<InStore>> {
        let row: Option<ItemRow> = sqlx::query_as("SELECT *, wanted (code) FROM item WHERE code = $1")
            .bind(code.to_string())
            .fetch_optional(&self.0)
            .await?;
        row.map(ItemRow::in_store).transpose()
    }

    /// How many items wait to be dealt with, and for how many seconds the one that waits longest.
    pub async fn waiting(&self) -> sqlx::Result<(i64, f64)> {
        sqlx::query_as(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(look_at)), 0)::float8 FROM item WHERE look_at <= now()",
        )
        .fetch_one(&self.0)
        .await
    }
}

#[derive(Debug, FromRow)]
struct ItemRow {
    code: String,
    unit: String,
    ingested_at: Moment,
    wanted: bool,
    generation: i64,
    applied_on: Option<bool>,
    applied_at: Option<Moment>,
    settled_at: Option<Moment>,
    objects: Json<Vec<StoredObject>>,
    problem: Option<String>,
    failures: i32,
    epoch: i64,
}

impl ItemRow {
    fn item(&self) -> sqlx::Result<ItemRef> {
        Ok(ItemRef {
            code: parsed(UnifiedCode::parse(&self.code))?,
            unit: parsed(UnitPath::parse(&self.unit))?,
            ingested_at: self.ingested_at.0,
        })
    }

    fn applied(&self) -> Option<Applied> {
        Some(Applied {
            on: self.applied_on?,
            at: self.applied_at?.0,
            settled: self.settled_at.is_some(),
            objects: self.objects.0.clone(),
        })
    }

    fn lease(self) -> sqlx::Result<Lease> {
        Ok(Lease {
            item: self.item()?,
            epoch: self.epoch,
            generation: self.generation,
            applied: self.applied(),
            failures: self.failures.unsigned_abs(),
        })
    }

    fn in_store(self) -> sqlx::Result<InStore> {
        Ok(InStore {
            item: self.item()?,
            wanted: self.wanted,
            applied: self.applied(),
            settled_at: self.settled_at.map(|moment| moment.0),
            problem: self.problem,
        })
    }
}
