//! The decision record: the schema `retention`. The only place with its SQL.

use custos_domain::{
    ids::{TenantId, UnitPath},
    item::UnifiedCode,
    manifest::StoredObject,
    policy::{Obligation, combine},
};
use custos_platform::{db::Moment, item::StoredItem};
use jiff::Timestamp;
use sqlx::{FromRow, PgPool, PgTransaction, types::Json};

use crate::decide::{Recorded, Standing};

/// The database, as retention uses it.
#[derive(Debug, Clone)]
pub struct Ledger(PgPool);

/// What is recorded of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The item.
    pub code: UnifiedCode,
    /// The agency.
    pub tenant: TenantId,
    /// The unit that deposited it.
    pub unit: UnitPath,
    /// When it was ingested.
    pub ingested_at: Timestamp,
    /// From when on a deletion may be proposed.
    pub eligible_from: Option<Timestamp>,
    /// What was read back.
    pub recorded: Recorded,
    /// When anything last changed.
    pub changed_at: Timestamp,
    /// When everything was last read again and in order.
    pub confirmed_at: Option<Timestamp>,
    /// What is owed.
    pub standing: Vec<Standing>,
}

/// What a look at an item found, to be recorded.
#[derive(Debug)]
pub struct Update<'a> {
    /// The item.
    pub item: &'a StoredItem,
    /// Everything that is owed, old and new.
    pub standing: &'a [Standing],
    /// What was read back.
    pub recorded: Recorded,
    /// When.
    pub now: Timestamp,
    /// Whether the store, or what is owed, is not as it was at the last look.
    pub changed: bool,
    /// Whether everything was in order past the settle time.
    pub confirmed: bool,
    /// When to look again.
    pub look_at: Timestamp,
    /// Whether that is nothing but a routine look, which others may go before.
    pub routine: bool,
}

impl Ledger {
    /// The ledger in this database.
    pub fn new(pool: PgPool) -> Self {
        Self(pool)
    }

    /// Begins a transaction. Row locks and the ratchet in the schema keep two looks apart; nothing here needs more isolation.
    pub async fn begin(&self) -> sqlx::Result<PgTransaction<'static>> {
        self.0.begin().await
    }

    /// What is recorded of an item.
    pub async fn find(&self, code: &UnifiedCode) -> sqlx::Result<Option<Entry>> {
        let row: Option<ItemRow> =
            sqlx::query_as("SELECT * FROM item WHERE code = $1").bind(code.to_string()).fetch_optional(&self.0).await?;
        let Some(row) = row else { return Ok(None) };
        let obligations = self.obligations(std::slice::from_ref(&row.code)).await?;
        row.entry(obligations).map(Some)
    }

    /// Records a look. A record that is longer stands.
    pub async fn record(&self, tx: &mut PgTransaction<'_>, update: &Update<'_>) -> sqlx::Result<()> {
        let Update { item, standing, recorded, now, changed, confirmed, look_at, routine } = update;
        let manifest = &item.manifest;
        sqlx::query(
            "INSERT INTO item AS known (code, tenant, unit, ingested_at, manifest_key, locked_until, objects,
                                        changed_at, confirmed_at, look_at, routine)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $10 THEN $8 END, $11, $12)
             ON CONFLICT (code) DO UPDATE SET
                 locked_until = greatest(known.locked_until, excluded.locked_until),
                 objects = excluded.objects,
                 changed_at = CASE WHEN $9 THEN $8 ELSE known.changed_at END,
                 confirmed_at = CASE WHEN $10 THEN $8 WHEN $9 THEN NULL ELSE known.confirmed_at END,
                 look_at = excluded.look_at,
                 routine = excluded.routine",
        )
        .bind(manifest.code.to_string())
        .bind(manifest.code.key().tenant.as_str())
        .bind(manifest.unit.as_str())
        .bind(Moment(manifest.ingested_at))
        .bind(&item.manifest_object.key)
        .bind(Moment(recorded.until))
        .bind(Json(&recorded.objects))
        .bind(Moment(*now))
        .bind(changed)
        .bind(confirmed)
        .bind(Moment(*look_at))
        .bind(routine)
        .execute(&mut **tx)
        .await?;
        for standing in *standing {
            add_obligation(tx, &manifest.code, standing, *now).await?;
        }
        // From all that stand, under the row's lock: another replica may have added one since we looked.
        let code = manifest.code.to_string();
        let all: Vec<Json<Obligation>> =
            sqlx::query_scalar("SELECT body FROM obligation WHERE item = $1").bind(&code).fetch_all(&mut **tx).await?;
        let eligible_from = combine(all.into_iter().map(|body| body.0)).eligible_from();
        sqlx::query("UPDATE item SET eligible_from = $2 WHERE code = $1")
            .bind(&code)
            .bind(eligible_from.map(Moment))
            .execute(&mut **tx)
            .await
            .map(drop)
    }

    /// Takes up to `limit` items whose time to be looked at has come, routine looks last, and moves that time to `again`: a look that dies is made
    /// up for then, and another replica looks at others meanwhile.
    pub async fn take_due(&self, now: Timestamp, again: Timestamp, limit: i64) -> sqlx::Result<Vec<UnifiedCode>> {
        let codes: Vec<String> = sqlx::query_scalar(
            "UPDATE item SET look_at = $2 WHERE code IN
                 (SELECT code FROM item WHERE look_at <= $1 ORDER BY routine, look_at LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING code",
        )
        .bind(Moment(now))
        .bind(Moment(again))
        .bind(limit)
        .fetch_all(&self.0)
        .await?;
        codes.iter().map(|code| parsed(UnifiedCode::parse(code))).collect()
    }

    /// Since when the most overdue item waits to be looked at.
    pub async fn overdue_since(&self) -> sqlx::Result<Option<Timestamp>> {
        let oldest: Option<Moment> = sqlx::query_scalar("SELECT min(look_at) FROM item").fetch_one(&self.0).await?;
        Ok(oldest.map(|moment| moment.0))
    }

    /// Those of `manifest_keys` that nothing is recorded of.
    pub async fn unknown(&self, manifest_keys: &[String]) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(
            "SELECT key FROM unnest($1::text[]) AS asked (key)
             WHERE NOT EXISTS (SELECT FROM item WHERE manifest_key = asked.key)",
        )
        .bind(manifest_keys)
        .fetch_all(&self.0)
        .await
    }

    /// Items of a unit and below whose obligations ended before `now`, after the place where the last page ended.
    pub async fn ended(
        &self,
        tenant: &TenantId,
        unit: &UnitPath,
        now: Timestamp,
        after: Option<(Timestamp, &UnifiedCode)>,
        limit: i64,
    ) -> sqlx::Result<Vec<Entry>> {
        let rows: Vec<ItemRow> = sqlx::query_as(
            "SELECT * FROM item
             WHERE tenant = $1 AND (unit = $2 OR starts_with(unit, $2 || '/'))
               AND eligible_from <= $3 AND locked_until <= $3
               AND (eligible_from, code) > (coalesce($4, '-infinity'::timestamptz), $5)
             ORDER BY eligible_from, code LIMIT $6",
        )
        .bind(tenant.as_str())
        .bind(unit.as_str())
        .bind(Moment(now))
        .bind(after.map(|(at, _)| Moment(at)))
        .bind(after.map(|(_, code)| code.to_string()).unwrap_or_default())
        .bind(limit)
        .fetch_all(&self.0)
        .await?;
        let codes: Vec<String> = rows.iter().map(|row| row.code.clone()).collect();
        let obligations = self.obligations(&codes).await?;
        rows.into_iter().map(|row| row.entry(obligations.clone())).collect()
    }

    async fn obligations(&self, items: &[String]) -> sqlx::Result<Vec<ObligationRow>> {
        sqlx::query_as(
            "SELECT item, policy_version, until, body FROM obligation WHERE item = ANY ($1) ORDER BY item, stated_at, cite",
        )
        .bind(items)
        .fetch_all(&self.0)
        .await
    }
}

async fn add_obligation(
    tx: &mut PgTransaction<'_>,
    code: &UnifiedCode,
    standing: &Standing,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO obligation (item, kind, cite, policy_version, until, body, stated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (item, kind, cite) DO NOTHING",
    )
    .bind(code.to_string())
    .bind(kind(&standing.obligation))
    .bind(standing.obligation.cite().as_str())
    .bind(i32::try_from(standing.policy_version).unwrap_or(i32::MAX))
    .bind(Moment(standing.until))
    .bind(Json(&standing.obligation))
    .bind(Moment(now))
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The obligation's kind as it stands in documents.
pub fn kind(obligation: &Obligation) -> &'static str {
    match obligation {
        Obligation::Dated { .. } => "dated",
        Obligation::Open { .. } => "open",
        Obligation::Unset { .. } => "unset",
        Obligation::Permanent { .. } => "permanent",
    }
}

#[derive(Debug, FromRow)]
struct ItemRow {
    code: String,
    tenant: String,
    unit: String,
    ingested_at: Moment,
    locked_until: Moment,
    eligible_from: Option<Moment>,
    objects: Json<Vec<StoredObject>>,
    changed_at: Moment,
    confirmed_at: Option<Moment>,
}

#[derive(Debug, Clone, FromRow)]
struct ObligationRow {
    item: String,
    policy_version: i32,
    until: Moment,
    body: Json<Obligation>,
}

impl ItemRow {
    fn entry(self, obligations: Vec<ObligationRow>) -> sqlx::Result<Entry> {
        let standing = obligations.into_iter().filter(|row| row.item == self.code).map(|row| Standing {
            obligation: row.body.0,
            policy_version: row.policy_version.unsigned_abs(),
            until: row.until.0,
        });
        Ok(Entry {
            code: parsed(UnifiedCode::parse(&self.code))?,
            tenant: parsed(TenantId::parse(&self.tenant))?,
            unit: parsed(UnitPath::parse(&self.unit))?,
            ingested_at: self.ingested_at.0,
            eligible_from: self.eligible_from.map(|moment| moment.0),
            recorded: Recorded { until: self.locked_until.0, objects: self.objects.0 },
            changed_at: self.changed_at.0,
            confirmed_at: self.confirmed_at.map(|moment| moment.0),
            standing: standing.collect(),
        })
    }
}

/// What a row holds is what a type of ours wrote there; anything else is damage.
fn parsed<T, E: std::error::Error + Send + Sync + 'static>(value: Result<T, E>) -> sqlx::Result<T> {
    value.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
