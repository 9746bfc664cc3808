//! Lists out, by keyset pages: a page begins after the last row of the one before, whatever came in meanwhile.

use custos_domain::ids::{DeviceId, StationId, UnitPath};
use jiff::Timestamp;
use sqlx::{FromRow, Postgres, QueryBuilder, Row as _, postgres::PgRow, types::Json};

use super::{Catalogue, Moment, Scope, scope::push_subtree};
use crate::fold::{DockingRecord, IncidentRecord};

/// One page.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; none on the last.
    pub next: Option<Place>,
}

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

impl Catalogue {
    /// One page of dockings, the newest first.
    pub async fn dockings(
        &self,
        scope: &Scope,
        filter: &DockingFilter,
        after: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Page<DockingRecord>> {
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
        push_newest_first(&mut sql, "at", "subject", after);
        self.records(sql, limit).await
    }

    /// One page of incidents, the newest first.
    pub async fn incidents(
        &self,
        scope: &Scope,
        filter: &IncidentFilter,
        after: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Page<IncidentRecord>> {
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
        push_newest_first(&mut sql, "at", "id", after);
        self.records(sql, limit).await
    }

    /// A page of records, of a statement that yields `at`, `name` and `record`.
    pub(super) async fn records<T>(&self, sql: QueryBuilder<Postgres>, limit: usize) -> sqlx::Result<Page<T>>
    where
        T: serde::de::DeserializeOwned + Send + Unpin + 'static,
    {
        let rows: Page<Listed<T>> = self.page(sql, limit).await?;
        Ok(Page { rows: rows.rows.into_iter().map(|listed| listed.record.0).collect(), next: rows.next })
    }

    /// Ends a statement with a limit and runs it. Planned for these very values: a unit may have ten items or ten million.
    pub(super) async fn page<R>(&self, mut sql: QueryBuilder<Postgres>, limit: usize) -> sqlx::Result<Page<R>>
    where
        R: Placed + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        sql.push(" LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1);
        let mut rows: Vec<R> = sql.build_query_as().persistent(false).fetch_all(&self.pool).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(Placed::place);
        Ok(Page { rows, next })
    }
}

/// A row that knows its place in the list.
pub(super) trait Placed {
    fn place(&self) -> Place;
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

/// The order of a list, newest first, and where in it to begin.
pub(super) fn push_newest_first(sql: &mut QueryBuilder<Postgres>, time: &str, name: &str, after: Option<&Place>) {
    if let Some(Place { at, name: last }) = after {
        sql.push(" AND (").push(time).push(", ").push(name).push(") < (").push_bind(Moment(*at)).push(", ");
        sql.push_bind(last.clone()).push(")");
    }
    sql.push(" ORDER BY ").push(time).push(" DESC, ").push(name).push(" DESC");
}
