//! Single rows out, and an item's timeline.

use custos_domain::{
    fact::Fact,
    ids::{DockingId, FactId, StationId},
    item::UnifiedCode,
    manifest::StoredObject,
};
use sqlx::{FromRow, Postgres, QueryBuilder, types::Json};

use super::{
    Catalogue, Moment, Scope,
    lists::{Page, Place, Placed},
};
use crate::fold::{DockingRecord, IncidentRecord, ItemRecord, known::READINGS};

/// A fact, and where it lies.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The fact.
    pub fact: Fact,
    /// Its object.
    pub object: StoredObject,
}

impl Catalogue {
    /// Whether the database answers.
    pub async fn reachable(&self) -> sqlx::Result<()> {
        sqlx::query("SELECT FROM item LIMIT 1").execute(&self.pool).await.map(drop)
    }

    /// An item, when it is within the scope.
    pub async fn item(&self, scope: &Scope, code: &UnifiedCode) -> sqlx::Result<Option<ItemRecord>> {
        let mut sql = QueryBuilder::<Postgres>::new("SELECT record FROM item WHERE code = ");
        sql.push_bind(code.to_string()).push(" AND ");
        scope.push(&mut sql);
        let found: Option<Json<ItemRecord>> = sql.build_query_scalar().fetch_optional(&self.pool).await?;
        Ok(found.map(|record| record.0))
    }

    /// An item's facts in order of time; with or without those who read its record.
    pub async fn timeline(
        &self,
        code: &UnifiedCode,
        readings: bool,
        after: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Page<Entry>> {
        let mut sql = QueryBuilder::<Postgres>::new("SELECT at, key, bucket, version, body FROM fact WHERE subject = ");
        sql.push_bind(format!("item/{code}"));
        if !readings {
            sql.push(" AND act <> ALL (").push_bind(READINGS.as_slice()).push(")");
        }
        if let Some(Place { at, name }) = after {
            sql.push(" AND (at, key) > (").push_bind(Moment(*at)).push(", ").push_bind(name).push(")");
        }
        sql.push(" ORDER BY at, key");
        let rows: Page<TimelineRow> = self.page(sql, limit).await?;
        let entry = |row: TimelineRow| Entry {
            fact: row.body.0,
            object: StoredObject { bucket: row.bucket, key: row.key, version: row.version },
        };
        Ok(Page { rows: rows.rows.into_iter().map(entry).collect(), next: rows.next })
    }

    /// Every incident of an item.
    pub async fn incidents_of(&self, code: &UnifiedCode) -> sqlx::Result<Vec<IncidentRecord>> {
        let rows: Vec<Json<IncidentRecord>> =
            sqlx::query_scalar("SELECT record FROM incident WHERE subject = $1 ORDER BY at, id")
                .bind(format!("item/{code}"))
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|record| record.0).collect())
    }

    /// One docking, when it is within the scope.
    pub async fn docking(
        &self,
        scope: &Scope,
        station: &StationId,
        docking: &DockingId,
    ) -> sqlx::Result<Option<DockingRecord>> {
        let mut sql = QueryBuilder::<Postgres>::new("SELECT record FROM docking WHERE station = ");
        sql.push_bind(station.as_str().to_owned()).push(" AND docking = ").push_bind(docking.as_str().to_owned());
        sql.push(" AND ");
        scope.push(&mut sql);
        sql.push(" LIMIT 1");
        let found: Option<Json<DockingRecord>> = sql.build_query_scalar().fetch_optional(&self.pool).await?;
        Ok(found.map(|record| record.0))
    }

    /// An incident, when it is within the scope, with the fact that opened it.
    pub async fn incident(&self, scope: &Scope, id: &FactId) -> sqlx::Result<Option<(IncidentRecord, Fact)>> {
        let mut sql = QueryBuilder::<Postgres>::new("SELECT record, subject FROM incident WHERE id = ");
        sql.push_bind(id.as_str().to_owned()).push(" AND ");
        scope.push(&mut sql);
        let found: Option<(Json<IncidentRecord>, String)> = sql.build_query_as().fetch_optional(&self.pool).await?;
        let Some((record, subject)) = found else { return Ok(None) };
        let opened: Option<Json<Fact>> =
            sqlx::query_scalar("SELECT body FROM fact WHERE subject = $1 AND act = 'incident_opened' AND id = $2")
                .bind(subject)
                .bind(id.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(opened.map(|fact| (record.0, fact.0)))
    }
}

#[derive(Debug, FromRow)]
struct TimelineRow {
    at: Moment,
    key: String,
    bucket: String,
    version: String,
    body: Json<Fact>,
}

impl Placed for TimelineRow {
    fn place(&self) -> Place {
        Place { at: self.at.0, name: self.key.clone() }
    }
}
