//! Lists out, by keyset pages: a page begins after the last row of the one before, whatever came in meanwhile.

use custos_domain::ids::{DeviceId, StationId};
use jiff::Timestamp;
use sqlx::{FromRow, Postgres, QueryBuilder, Row as _, postgres::PgRow, types::Json};

use super::{
    Catalogue, Moment, Scope,
    listed::{DOCKINGS, INCIDENTS, List, within},
};
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
        let mut sql = begin(DOCKINGS, scope);
        if let Some(station) = &filter.station {
            sql.push(" AND t.station = ").push_bind(station.as_str().to_owned());
        }
        if let Some(device) = &filter.device {
            sql.push(" AND t.device = ").push_bind(device.as_str().to_owned());
        }
        for (comparison, value) in [(" AND t.at >= ", filter.from), (" AND t.at < ", filter.before)] {
            if let Some(value) = value {
                sql.push(comparison).push_bind(Moment(value));
            }
        }
        if filter.missing {
            sql.push(" AND t.missing > 0");
        }
        end(&mut sql, DOCKINGS, scope, after);
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
        let mut sql = begin(INCIDENTS, scope);
        match filter.open {
            Some(true) => sql.push(" AND t.open"),
            Some(false) => sql.push(" AND NOT t.open"),
            None => &mut sql,
        };
        if let Some(class) = filter.class {
            sql.push(" AND t.class = ").push_bind(class);
        }
        end(&mut sql, INCIDENTS, scope, after);
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

/// The beginning of a statement over a list, as far as the scope reaches; `t` is the list's table.
pub(super) fn begin(list: List, scope: &Scope) -> QueryBuilder<Postgres> {
    let List { name, table, time, key } = list;
    let mut sql = QueryBuilder::new(format!("SELECT t.{time} AS at, t.{key} AS name, t.record FROM "));
    let Some((tenant, unit)) = within(scope) else {
        sql.push(format!("{table} AS t WHERE t.{time} IS NOT NULL"));
        return sql;
    };
    sql.push(format!("listed AS l JOIN {table} AS t ON t.{key} = l.name AND t.{time} = l.at WHERE l.list = '{name}'"));
    sql.push(" AND l.tenant = ").push_bind(tenant.as_str().to_owned());
    sql.push(" AND l.unit = ").push_bind(unit);
    // Once more for the table itself: its own indexes begin with the agency.
    sql.push(" AND t.tenant = ").push_bind(tenant.as_str().to_owned());
    sql
}

/// The end of such a statement: the order, newest first, and where in it to begin.
pub(super) fn end(sql: &mut QueryBuilder<Postgres>, list: List, scope: &Scope, after: Option<&Place>) {
    let (time, name) = match within(scope) {
        Some(_) => ("l.at".to_owned(), "l.name".to_owned()),
        None => (format!("t.{}", list.time), format!("t.{}", list.key)),
    };
    if let Some(Place { at, name: last }) = after {
        sql.push(format!(" AND ({time}, {name}) < ("))
            .push_bind(Moment(*at))
            .push(", ")
            .push_bind(last.clone())
            .push(")");
    }
    sql.push(format!(" ORDER BY {time} DESC, {name} DESC"));
}
