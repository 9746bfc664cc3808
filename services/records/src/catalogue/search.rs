//! Searching items: filters within a scope, newest first, by keyset pages.

use custos_domain::{
    ids::{DeviceId, OfficerId, StationId, TenantId, UnitPath},
    item::ItemKind,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use utoipa::ToSchema;

use super::{
    Catalogue, Moment, Scope,
    lists::{Page, Place, push_newest_first},
    scope::push_subtree,
};
use crate::fold::{ItemRecord, item::State, kept::Class};

/// By which time items are filtered and ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// When ingest committed. Every item has it.
    #[default]
    Ingested,
    /// When the recording began, by the recorder's clock less its measured error. Items without a known start are left out.
    Started,
}

impl Axis {
    fn column(self) -> &'static str {
        match self {
            Self::Ingested => "ingested_at",
            Self::Started => "started_at",
        }
    }
}

/// What is looked for. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// An agency.
    pub tenant: Option<TenantId>,
    /// A unit and what is below it.
    pub unit: Option<UnitPath>,
    /// A station.
    pub station: Option<StationId>,
    /// A recorder.
    pub device: Option<DeviceId>,
    /// A wearer.
    pub officer: Option<OfficerId>,
    /// By which time.
    pub axis: Axis,
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub before: Option<Timestamp>,
    /// Video, photograph or audio.
    pub kind: Option<ItemKind>,
    /// How long it is kept.
    pub class: Option<Class>,
    /// Held or not.
    pub held: Option<bool>,
    /// Whether it was re-read and agreed.
    pub state: Option<State>,
    /// Marked by its wearer or not.
    pub key_file: Option<bool>,
    /// Of unknown name or not.
    pub unknown_name: Option<bool>,
    /// With open incidents or without.
    pub incidents: Option<bool>,
}

impl Catalogue {
    /// One page of at most `limit` items.
    pub async fn search(
        &self,
        scope: &Scope,
        filter: &Filter,
        after: Option<&Place>,
        limit: usize,
    ) -> sqlx::Result<Page<ItemRecord>> {
        self.records(statement(scope, filter, after), limit).await
    }
}

fn statement(scope: &Scope, filter: &Filter, after: Option<&Place>) -> QueryBuilder<Postgres> {
    let time = filter.axis.column();
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(time).push(" AS at, code AS name, record FROM item WHERE ");
    scope.push(&mut sql);
    if filter.axis == Axis::Started {
        sql.push(" AND started_at IS NOT NULL");
    }
    if let Some(unit) = &filter.unit {
        sql.push(" AND ");
        push_subtree(&mut sql, unit);
    }
    for (condition, value) in [
        (" AND tenant = ", filter.tenant.as_ref().map(TenantId::as_str)),
        (" AND station = ", filter.station.as_ref().map(StationId::as_str)),
        (" AND device = ", filter.device.as_ref().map(DeviceId::as_str)),
        (" AND officer = ", filter.officer.as_ref().map(OfficerId::as_str)),
        (" AND kind = ", filter.kind.map(ItemKind::as_str)),
        (" AND class = ", filter.class.map(Class::as_str)),
        (" AND state = ", filter.state.map(State::as_str)),
    ] {
        if let Some(value) = value {
            sql.push(condition).push_bind(value.to_owned());
        }
    }
    for (yes, no, value) in [
        // Written out, so that the index on held items can be used.
        (" AND held", " AND NOT held", filter.held),
        (" AND key_file", " AND NOT key_file", filter.key_file),
        (" AND unknown_name", " AND NOT unknown_name", filter.unknown_name),
        (" AND open_incidents > 0", " AND open_incidents = 0", filter.incidents),
    ] {
        match value {
            Some(true) => sql.push(yes),
            Some(false) => sql.push(no),
            None => &mut sql,
        };
    }
    for (comparison, value) in [(" >= ", filter.from), (" < ", filter.before)] {
        if let Some(value) = value {
            sql.push(" AND ").push(time).push(comparison).push_bind(Moment(value));
        }
    }
    push_newest_first(&mut sql, time, "code", after);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_and_a_scope_are_both_in_the_statement() {
        let tenant = TenantId::parse("E").expect("tenant");
        let unit = UnitPath::parse("NJ").expect("unit");
        let filter = Filter { axis: Axis::Started, unit: Some(unit.clone()), held: Some(true), ..Filter::default() };
        let sql = statement(&Scope::Unit(tenant, unit), &filter, None);
        assert_eq!(
            sql.sql().as_str(),
            "SELECT started_at AS at, code AS name, record FROM item WHERE tenant = $1 AND (unit = $2 OR (unit >= $3 AND unit < $4)) \
             AND started_at IS NOT NULL AND (unit = $5 OR (unit >= $6 AND unit < $7)) AND held \
             ORDER BY started_at DESC, code DESC"
        );
    }
}
