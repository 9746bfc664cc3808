//! Single rows and short lists out.

use custos_domain::{
    fact::Fact,
    ids::{DeviceId, DockingId, FactId, StationId, UnitPath},
    item::UnifiedCode,
    manifest::StoredObject,
};
use jiff::Timestamp;
use sqlx::{FromRow, Postgres, QueryBuilder, Row as _, postgres::PgRow, types::Json};

use super::{Catalogue, Moment, Scope, scope::push_subtree, search::Page};
use crate::fold::{DockingRecord, IncidentRecord, ItemRecord, known::READINGS};

/// A place in a list ordered by time and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Time of the last row, to the microsecond.
    pub at: Timestamp,
    /// Its name.
    pub name: String,
}

/// Which dockings.
#[derive(Debug, Clone, Default)]
pub struct DockingFilter {
    /// A unit and what is below it.
    pub unit: Option<UnitPath>,
    /// A station.
    pub station: Option<StationId>,
    /// A recorder.
    pub device: Option<DeviceId>,
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub before: Option<Timestamp>,
    /// Only those with files that never arrived.
    pub missing: bool,
}

/// Which incidents.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// A unit and what is below it.
    pub unit: Option<UnitPath>,
    /// Open or closed.
    pub open: Option<bool>,
    /// A class, by its name.
    pub class: Option<&'static str>,
}

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
    ) -> sqlx::Result<Page<Entry, Place>> {
        let mut sql = QueryBuilder::<Postgres>::new("SELECT at, key, bucket, version, body FROM fact WHERE subject = ");
        sql.push_bind(format!("item/{code}"));
        if !readings {
            sql.push(" AND act <> ALL (").push_bind(READINGS.as_slice()).push(")");
        }
        if let Some(Place { at, name }) = after {
            sql.push(" AND (at, key) > (").push_bind(Moment(*at)).push(", ").push_bind(name).push(")");
        }
        sql.push(" ORDER BY at, key");
        let rows: Page<TimelineRow, Place> = self.page(sql, limit).await?;
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

    /// One page of dockings, the newest first.
    pub async fn dockings(
        &self,
        scope: &Scope,
        filter: &DockingFilter,
        after: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Page<DockingRecord, Place>> {
        let mut sql = QueryBuilder::<Postgres>::new("SELECT at, subject AS name, record FROM docking WHERE ");
        scope.push(&mut sql);
        if let Some(unit) = &filter.unit {
            sql.push(" AND ");
            push_subtree(&mut sql, unit);
        }
        if let Some(station) = &filter.station {
            sql.push(" AND station = ").push_bind(station.as_str().to_owned());
        }
        if let Some(device) = &filter.device {
            sql.push(" AND device = ").push_bind(device.as_str().to_owned());
        }
        for (comparison, value) in [(" AND at >= ", filter.from), (" AND at < ", filter.before)] {
            if let Some(value) = value {
                sql.push(comparison).push_bind(Moment(value));
            }
        }
        if filter.missing {
            sql.push(" AND missing > 0");
        }
        push_newest_first(&mut sql, "subject", after);
        self.records(sql, limit).await
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

    /// One page of incidents, the newest first.
    pub async fn incidents(
        &self,
        scope: &Scope,
        filter: &IncidentFilter,
        after: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Page<IncidentRecord, Place>> {
        let mut sql = QueryBuilder::<Postgres>::new("SELECT at, id AS name, record FROM incident WHERE ");
        scope.push(&mut sql);
        if let Some(unit) = &filter.unit {
            sql.push(" AND ");
            push_subtree(&mut sql, unit);
        }
        match filter.open {
            Some(true) => sql.push(" AND open"),
            Some(false) => sql.push(" AND NOT open"),
            None => &mut sql,
        };
        if let Some(class) = filter.class {
            sql.push(" AND class = ").push_bind(class);
        }
        push_newest_first(&mut sql, "id", after);
        self.records(sql, limit).await
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

    async fn records<T>(&self, sql: QueryBuilder<Postgres>, limit: usize) -> sqlx::Result<Page<T, Place>>
    where
        T: serde::de::DeserializeOwned + Send + Unpin + 'static,
    {
        let rows: Page<Listed<T>, Place> = self.page(sql, limit).await?;
        Ok(Page { rows: rows.rows.into_iter().map(|listed| listed.record.0).collect(), next: rows.next })
    }

    async fn page<R>(&self, mut sql: QueryBuilder<Postgres>, limit: usize) -> sqlx::Result<Page<R, Place>>
    where
        R: Placed + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        sql.push(" LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1);
        let mut rows: Vec<R> = sql.build_query_as().fetch_all(&self.pool).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(Placed::place);
        Ok(Page { rows, next })
    }
}

/// A row that knows its place in the list.
trait Placed {
    fn place(&self) -> Place;
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

#[derive(Debug)]
struct Listed<T> {
    at: Moment,
    name: String,
    record: Json<T>,
}

impl<T> Placed for Listed<T> {
    fn place(&self) -> Place {
        Place { at: self.at.0, name: self.name.clone() }
    }
}

impl<'r, T: serde::de::DeserializeOwned + 'static> FromRow<'r, PgRow> for Listed<T> {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        Ok(Self { at: row.try_get("at")?, name: row.try_get("name")?, record: row.try_get("record")? })
    }
}

fn push_newest_first(sql: &mut QueryBuilder<Postgres>, name: &str, after: Option<&Place>) {
    if let Some(Place { at, name: last }) = after {
        sql.push(" AND (at, ").push(name).push(") < (").push_bind(Moment(*at)).push(", ");
        sql.push_bind(last.clone()).push(")");
    }
    sql.push(" ORDER BY at DESC, ").push(name).push(" DESC");
}
