//! Items under hold, and what of it has reached the store.

use custos_domain::{
    ids::{HoldId, UnitPath},
    item::UnifiedCode,
    manifest::StoredObject,
};
use custos_platform::db::Moment;
use jiff::Timestamp;
use sqlx::{FromRow, PgTransaction, types::Json};

use super::{ItemRef, Ledger, parsed};
use crate::plan::Applied;

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
             ON CONFLICT (code) DO UPDATE SET generation = known.generation + 1, look_at = now(), routine = false",
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
            "UPDATE item SET generation = generation + 1, look_at = now(), routine = false
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
            "UPDATE item SET generation = generation + 1, look_at = now(), routine = false
             WHERE code = $1 AND wanted (code)",
        );
        Ok(woken.bind(code.to_string()).execute(&self.0).await?.rows_affected() > 0)
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

    /// How many items wait for a look of this kind, and for how many seconds the one that waits longest.
    pub async fn waiting(&self, routine: bool) -> sqlx::Result<(i64, f64)> {
        sqlx::query_as(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(look_at)), 0)::float8
             FROM item WHERE routine = $1 AND look_at <= now()",
        )
        .bind(routine)
        .fetch_one(&self.0)
        .await
    }
}

/// A row of the table.
#[derive(Debug, FromRow)]
pub(super) struct ItemRow {
    pub(super) code: String,
    pub(super) unit: String,
    pub(super) ingested_at: Moment,
    pub(super) wanted: bool,
    pub(super) generation: i64,
    pub(super) applied_on: Option<bool>,
    pub(super) applied_at: Option<Moment>,
    pub(super) settled_at: Option<Moment>,
    pub(super) objects: Json<Vec<StoredObject>>,
    pub(super) problem: Option<String>,
    pub(super) failures: i32,
    pub(super) epoch: i64,
}

impl ItemRow {
    pub(super) fn item(&self) -> sqlx::Result<ItemRef> {
        Ok(ItemRef {
            code: parsed(UnifiedCode::parse(&self.code))?,
            unit: parsed(UnitPath::parse(&self.unit))?,
            ingested_at: self.ingested_at.0,
        })
    }

    pub(super) fn applied(&self) -> Option<Applied> {
        Some(Applied {
            on: self.applied_on?,
            at: self.applied_at?.0,
            settled: self.settled_at.is_some(),
            objects: self.objects.0.clone(),
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
