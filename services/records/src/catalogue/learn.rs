//! Facts in. One path for what is announced, what the reconciler found, what was just stated, and a rebuild.

use std::collections::{BTreeMap, BTreeSet};

use custos_domain::{fact::Fact, manifest::StoredObject};
use sqlx::{FromRow, PgTransaction, Postgres, QueryBuilder, types::Json};

use super::{Catalogue, Moment, write};
use crate::fold::{self, Evidence, Known, known::READINGS};

/// Facts in one transaction, at most: PostgreSQL takes 65 535 values in a statement.
pub const MOST: usize = 500;
/// How often a transaction is tried that the database broke off for another's sake.
const TRIES: u32 = 5;

impl Catalogue {
    /// Makes facts known and computes the rows of everything they are about from all that is known of it. Answers how many
    /// were news. Facts that are known already change nothing, so this may run twice, or stop anywhere.
    pub async fn learn(&self, facts: &[Known]) -> sqlx::Result<u64> {
        let mut news = 0;
        for some in facts.chunks(MOST) {
            news += self.learn_some(some).await?;
        }
        Ok(news)
    }

    async fn learn_some(&self, facts: &[Known]) -> sqlx::Result<u64> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_to_learn(facts).await {
                Err(error) if tries < TRIES && broken_off(&error) => {
                    tracing::debug!(%error, tries, "broken off by the database; trying again");
                }
                other => return other,
            }
        }
    }

    async fn try_to_learn(&self, facts: &[Known]) -> sqlx::Result<u64> {
        // Sorted, so that two replicas take their locks in the same order.
        let unique: BTreeMap<&str, &Known> = facts.iter().map(|known| (known.object.key.as_str(), known)).collect();
        let subjects: BTreeSet<String> =
            facts.iter().filter(|known| known.changes_rows()).map(Known::subject).collect();
        let mut tx = self.pool.begin().await?;
        lock(&mut tx, &subjects).await?;
        let news = insert(&mut tx, unique.into_values()).await?;
        for (subject, facts) in all_of(&mut tx, &subjects).await? {
            write::write(&mut tx, &subject, &fold::project(facts)).await?;
        }
        tx.commit().await?;
        Ok(news)
    }
}

/// From here to the end of the transaction nobody else computes rows for these. A lock and no serializable transaction: facts of
/// different items share index pages, and their transactions would break each other off for nothing.
async fn lock(tx: &mut PgTransaction<'_>, subjects: &BTreeSet<String>) -> sqlx::Result<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    let mut sql = QueryBuilder::<Postgres>::new("INSERT INTO subject (name) ");
    sql.push_values(subjects, |mut row, subject| {
        row.push_bind(subject);
    });
    // A no-op that locks the row whether or not it was there.
    sql.push(" ON CONFLICT (name) DO UPDATE SET name = excluded.name");
    sql.build().execute(&mut **tx).await.map(drop)
}

async fn insert<'a>(tx: &mut PgTransaction<'_>, facts: impl Iterator<Item = &'a Known>) -> sqlx::Result<u64> {
    let mut sql = QueryBuilder::<Postgres>::new(
        "INSERT INTO fact (key, bucket, version, id, tenant, subject, act, at, body, evidence) ",
    );
    sql.push_values(facts, |mut row, known| {
        let Known { fact, object, evidence } = known;
        row.push_bind(&object.key)
            .push_bind(&object.bucket)
            .push_bind(&object.version)
            .push_bind(fact.id.as_str())
            .push_bind(fact.tenant.as_str())
            .push_bind(known.subject())
            .push_bind(fact.act.name())
            .push_bind(Moment(fact.at))
            .push_bind(Json(fact))
            .push_bind(evidence.as_ref().map(Json));
    });
    // Another version of a known key: what was read before was not the oldest, or the store was moved. The oldest stands.
    sql.push(
        " ON CONFLICT (key) DO UPDATE SET bucket = excluded.bucket, version = excluded.version, id = excluded.id,
             tenant = excluded.tenant, subject = excluded.subject, act = excluded.act, at = excluded.at,
             body = excluded.body, evidence = excluded.evidence
          WHERE (fact.bucket, fact.version, fact.body) IS DISTINCT FROM (excluded.bucket, excluded.version, excluded.body)
             OR fact.evidence IS DISTINCT FROM excluded.evidence",
    );
    sql.build().execute(&mut **tx).await.map(|done| done.rows_affected())
}

/// Everything known of these subjects that can change a row.
async fn all_of(tx: &mut PgTransaction<'_>, subjects: &BTreeSet<String>) -> sqlx::Result<BTreeMap<String, Vec<Known>>> {
    let mut facts: BTreeMap<String, Vec<Known>> = BTreeMap::new();
    if subjects.is_empty() {
        return Ok(facts);
    }
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let rows: Vec<FactRow> = sqlx::query_as(
        "SELECT key, bucket, version, subject, body, evidence FROM fact WHERE subject = ANY ($1) AND act <> ALL ($2)",
    )
    .bind(subjects)
    .bind(READINGS.as_slice())
    .fetch_all(&mut **tx)
    .await?;
    for row in rows {
        facts.entry(row.subject.clone()).or_default().push(row.known());
    }
    Ok(facts)
}

/// A fact as it stands in the database.
#[derive(Debug, FromRow)]
pub(super) struct FactRow {
    key: String,
    bucket: String,
    version: String,
    subject: String,
    body: Json<Fact>,
    evidence: Option<Json<Evidence>>,
}

impl FactRow {
    pub(super) fn known(self) -> Known {
        Known {
            fact: self.body.0,
            object: StoredObject { bucket: self.bucket, key: self.key, version: self.version },
            evidence: self.evidence.map(|evidence| evidence.0),
        }
    }
}

/// Serialisation failure or deadlock (class 40 of SQLSTATE): nothing happened, and another try may well succeed.
fn broken_off(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code.starts_with("40"))
}
