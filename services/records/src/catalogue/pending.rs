//! Steps that are waited for, and how often they were asked for again.

use custos_domain::fact::Fact;
use custos_platform::facts::StatedFact;
use jiff::Timestamp;
use sqlx::{FromRow, types::Json};

use super::{Catalogue, Moment};
use custos_domain::manifest::StoredObject;

/// A fact to be announced again, and for which steps.
#[derive(Debug, Clone)]
pub struct Due {
    /// The fact, as stated.
    pub stated: StatedFact,
    /// How often its announcement was repeated already.
    pub tries: u32,
}

/// How one step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The step's name.
    pub step: String,
    /// Items that wait for it.
    pub items: u64,
    /// Since when the first of them does.
    pub since: Timestamp,
}

impl Catalogue {
    /// Facts whose consequences are overdue at `now`, those waited for longest first.
    pub async fn due(&self, now: Timestamp, limit: i64) -> sqlx::Result<Vec<Due>> {
        let rows: Vec<DueRow> = sqlx::query_as(
            "SELECT fact.key, fact.bucket, fact.version, fact.body, due.tries
             FROM (SELECT fact, min(tries) AS tries, min(next_at) AS next_at FROM pending
                   WHERE next_at <= $1 GROUP BY fact ORDER BY min(next_at) LIMIT $2) AS due
             JOIN fact ON fact.key = due.fact
             ORDER BY due.next_at",
        )
        .bind(Moment(now))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(DueRow::due).collect())
    }

    /// Writes down that a fact was announced again, and when its turn comes next.
    pub async fn asked_again(&self, fact: &str, next_at: Timestamp) -> sqlx::Result<()> {
        sqlx::query("UPDATE pending SET tries = tries + 1, next_at = $2 WHERE fact = $1")
            .bind(fact)
            .bind(Moment(next_at))
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// What is waited for, step by step.
    pub async fn backlog(&self) -> sqlx::Result<Vec<Backlog>> {
        let rows: Vec<(String, i64, Moment)> =
            sqlx::query_as("SELECT step, count(*), min(since) FROM pending GROUP BY step")
                .fetch_all(&self.pool)
                .await?;
        let backlog =
            |(step, items, since): (String, i64, Moment)| Backlog { step, items: items.unsigned_abs(), since: since.0 };
        Ok(rows.into_iter().map(backlog).collect())
    }
}

#[derive(Debug, FromRow)]
struct DueRow {
    key: String,
    bucket: String,
    version: String,
    body: Json<Fact>,
    tries: i64,
}

impl DueRow {
    fn due(self) -> Due {
        let object = StoredObject { bucket: self.bucket, key: self.key, version: self.version };
        Due {
            stated: StatedFact { fact: self.body.0, object, new: false },
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
        }
    }
}
