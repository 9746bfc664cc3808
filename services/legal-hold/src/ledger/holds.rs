//! Holds and their steps.

use custos_domain::{
    hold::{HoldReason, Permanence},
    ids::{HoldId, PersonId, TenantId, UnitPath},
    item::UnifiedCode,
    policy::Cite,
};
use custos_platform::db::Moment;
use sqlx::{
    FromRow, PgTransaction, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{ItemRef, Ledger, parsed};
use crate::hold::{Hold, Origin, Step};

/// Which holds to list.
#[derive(Debug)]
pub struct Filter<'a> {
    /// Of this agency.
    pub tenant: &'a TenantId,
    /// On an item of this unit or below.
    pub unit: &'a UnitPath,
    /// On this item.
    pub item: Option<&'a UnifiedCode>,
    /// At this stage.
    pub stage: Option<&'a str>,
    /// Placed before this one.
    pub after: Option<&'a HoldId>,
    /// At most so many.
    pub limit: i64,
}

impl Ledger {
    /// Adds a hold on `items`, unless it is there already or was asked for with the same key. Answers whether it was added.
    pub async fn add(
        &self,
        tx: &mut PgTransaction<'_>,
        hold: &Hold,
        asked_key: Option<&str>,
        items: &[ItemRef],
    ) -> sqlx::Result<bool> {
        let insert = sqlx::query(
            "INSERT INTO hold (id, tenant, origin, cite, words, permanence, placed_by, placed_at, asked_key,
                               confirmed_by, confirmed_at, confirm_note, proposed_by, proposed_at, propose_note,
                               released_by, released_at, release_note)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
             ON CONFLICT DO NOTHING",
        )
        .bind(hold.id.as_str())
        .bind(hold.tenant.as_str())
        .bind(hold.origin.as_str())
        .bind(hold.reason.cite.as_str())
        .bind(&hold.reason.text)
        .bind(permanence_name(hold.permanence))
        .bind(hold.placed_by.as_str())
        .bind(Moment(hold.placed_at))
        .bind(asked_key);
        let added = bind_steps(insert, hold).execute(&mut **tx).await?.rows_affected() > 0;
        if added {
            self.put_on(tx, &hold.id, items).await?;
        }
        Ok(added)
    }

    /// Writes the steps of a hold. The database refuses to change one that was taken.
    pub async fn step(&self, tx: &mut PgTransaction<'_>, hold: &Hold) -> sqlx::Result<()> {
        let update = sqlx::query(
            "UPDATE hold SET confirmed_by = $2, confirmed_at = $3, confirm_note = $4,
                             proposed_by = $5, proposed_at = $6, propose_note = $7,
                             released_by = $8, released_at = $9, release_note = $10
             WHERE id = $1",
        );
        bind_steps(update.bind(hold.id.as_str()), hold).execute(&mut **tx).await.map(drop)
    }

    /// A hold.
    pub async fn hold(&self, id: &HoldId) -> sqlx::Result<Option<Hold>> {
        sqlx::query_as("SELECT * FROM hold WHERE id = $1").bind(id.as_str()).fetch_optional(&self.0).await
    }

    /// A hold, kept from others until the transaction ends.
    pub async fn hold_for_update(&self, tx: &mut PgTransaction<'_>, id: &HoldId) -> sqlx::Result<Option<Hold>> {
        sqlx::query_as("SELECT * FROM hold WHERE id = $1 FOR UPDATE").bind(id.as_str()).fetch_optional(&mut **tx).await
    }

    /// The hold this person asked for with this key.
    pub async fn asked(&self, tenant: &TenantId, person: &PersonId, key: &str) -> sqlx::Result<Option<Hold>> {
        let query = sqlx::query_as("SELECT * FROM hold WHERE tenant = $1 AND placed_by = $2 AND asked_key = $3");
        query.bind(tenant.as_str()).bind(person.as_str()).bind(key).fetch_optional(&self.0).await
    }

    /// The holds on an item, ended ones too, the oldest first.
    pub async fn holds_on(&self, code: &UnifiedCode) -> sqlx::Result<Vec<Hold>> {
        sqlx::query_as(
            "SELECT hold.* FROM hold JOIN hold_item ON hold_item.hold = hold.id
             WHERE hold_item.item = $1 ORDER BY placed_at, id",
        )
        .bind(code.to_string())
        .fetch_all(&self.0)
        .await
    }

    /// One page of holds, the newest first.
    pub async fn list(&self, filter: &Filter<'_>) -> sqlx::Result<Vec<Hold>> {
        sqlx::query_as(
            "SELECT * FROM hold
             WHERE tenant = $1
               AND ($3::text IS NULL OR stage = $3)
               AND ($4::text IS NULL
                    OR (placed_at, id) < (SELECT last.placed_at, last.id FROM hold AS last WHERE last.id = $4 AND last.tenant = $1))
               AND EXISTS (SELECT FROM hold_item JOIN item ON item.code = hold_item.item
                           WHERE hold_item.hold = hold.id
                             AND ($5::text IS NULL OR item.code = $5)
                             AND (item.unit = $2 OR starts_with(item.unit, $2 || '/')))
             ORDER BY placed_at DESC, id DESC LIMIT $6",
        )
        .bind(filter.tenant.as_str())
        .bind(filter.unit.as_str())
        .bind(filter.stage)
        .bind(filter.after.map(HoldId::as_str))
        .bind(filter.item.map(ToString::to_string))
        .bind(filter.limit)
        .fetch_all(&self.0)
        .await
    }
}

fn bind_steps<'q>(query: Query<'q, Postgres, PgArguments>, hold: &'q Hold) -> Query<'q, Postgres, PgArguments> {
    [&hold.confirmed, &hold.proposed, &hold.released].into_iter().fold(query, |query, step| {
        let step = step.as_ref();
        query
            .bind(step.map(|step| step.by.as_str()))
            .bind(step.map(|step| Moment(step.at)))
            .bind(step.map(|step| step.note.as_str()))
    })
}

fn permanence_name(permanence: Permanence) -> &'static str {
    match permanence {
        Permanence::Open => "open",
        Permanence::Permanent => "permanent",
    }
}

impl FromRow<'_, PgRow> for Hold {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let text = |column: &str| row.try_get::<String, _>(column);
        let step = |by: &str, at: &str, note: &str| -> sqlx::Result<Option<Step>> {
            let Some(person) = row.try_get::<Option<String>, _>(by)? else { return Ok(None) };
            let (by, at) = (parsed(PersonId::parse(&person))?, row.try_get::<Moment, _>(at)?.0);
            Ok(Some(Step { by, at, note: row.try_get(note)? }))
        };
        Ok(Self {
            id: parsed(HoldId::parse(&text("id")?))?,
            tenant: parsed(TenantId::parse(&text("tenant")?))?,
            origin: if text("origin")? == Origin::Policy.as_str() { Origin::Policy } else { Origin::Person },
            reason: HoldReason { cite: parsed(Cite::parse(&text("cite")?))?, text: text("words")? },
            permanence: if text("permanence")? == "permanent" { Permanence::Permanent } else { Permanence::Open },
            placed_by: parsed(PersonId::parse(&text("placed_by")?))?,
            placed_at: row.try_get::<Moment, _>("placed_at")?.0,
            confirmed: step("confirmed_by", "confirmed_at", "confirm_note")?,
            proposed: step("proposed_by", "proposed_at", "propose_note")?,
            released: step("released_by", "released_at", "release_note")?,
        })
    }
}
