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
        let found: Option<Json<ItemRecord>> = sqlx::query_scalar("SELECT record FROM item WHERE code = $1")
            .bind(code.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let seen = |item: &ItemRecord| scope.covers(&item.tenant, Some(&item.intake.unit));
        Ok(found.map(|record| record.0).filter(seen))
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
        let found: Vec<Json<DockingRecord>> =
            sqlx::query_scalar("SELECT record FROM docking WHERE station = $1 AND docking = $2 ORDER BY tenant")
                .bind(station.as_str())
                .bind(docking.as_str())
                .fetch_all(&self.pool)
                .await?;
        let seen = |docking: &DockingRecord| scope.covers(&docking.tenant, docking.unit.as_ref());
        Ok(found.into_iter().map(|record| record.0).find(seen))
    }

    /// An incident, when it is within the scope, with the fact that opened it.
    pub async fn incident(&self, scope: &Scope, id: &FactId) -> sqlx::Result<Option<(IncidentRecord, Fact)>> {
        let found: Option<(Json<IncidentRecord>, Json<Fact>)> = sqlx::query_as(
            "SELECT incident.record, fact.body FROM incident
             JOIN fact ON fact.subject = incident.subject AND fact.id = incident.id
             WHERE incident.id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await?;
        let seen = |incident: &IncidentRecord| scope.covers(&incident.tenant, incident.unit.as_ref());
        Ok(found.map(|(record, fact)| (record.0, fact.0)).filter(|(record, _)| seen(record)))
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
