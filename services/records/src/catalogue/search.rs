//! Searching items: filters within a scope, newest first, by keyset pages.

use custos_domain::{
    ids::{DeviceId, OfficerId, StationId},
    item::ItemKind,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use utoipa::ToSchema;

use super::{
    Catalogue, Moment, Scope,
    listed::{INGESTED, STARTED},
    lists::{Page, Place, begin, end},
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

/// What is looked for. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
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
    let list = match filter.axis {
        Axis::Ingested => INGESTED,
        Axis::Started => STARTED,
    };
    let mut sql = begin(list, scope);
    for (condition, value) in [
        (" AND t.station = ", filter.station.as_ref().map(StationId::as_str)),
        (" AND t.device = ", filter.device.as_ref().map(DeviceId::as_str)),
        (" AND t.officer = ", filter.officer.as_ref().map(OfficerId::as_str)),
        (" AND t.kind = ", filter.kind.map(ItemKind::as_str)),
    ] {
        if let Some(value) = value {
            sql.push(condition).push_bind(value.to_owned());
        }
    }
    // Written out, so that the indexes on rare ones can be used: these are names of ours, nothing from outside.
    for (column, value) in [("class", filter.class.map(Class::as_str)), ("state", filter.state.map(State::as_str))] {
        if let Some(value) = value {
            sql.push(format!(" AND t.{column} = '{value}'"));
        }
    }
    for (yes, no, value) in [
        (" AND t.held", " AND NOT t.held", filter.held),
        (" AND t.key_file", " AND NOT t.key_file", filter.key_file),
        (" AND t.unknown_name", " AND NOT t.unknown_name", filter.unknown_name),
        (" AND t.open_incidents > 0", " AND t.open_incidents = 0", filter.incidents),
    ] {
        match value {
            Some(true) => sql.push(yes),
            Some(false) => sql.push(no),
            None => &mut sql,
        };
    }
    for (comparison, value) in [(">=", filter.from), ("<", filter.before)] {
        if let Some(value) = value {
            sql.push(format!(" AND t.{} {comparison} ", list.time)).push_bind(Moment(value));
        }
    }
    end(&mut sql, list, scope, after);
    sql
}

#[cfg(test)]
mod tests {
    use custos_domain::ids::{TenantId, UnitPath};

    use super::*;

    #[test]
    fn a_scope_is_in_every_statement_and_bounds_it_by_one_range_of_an_index() {
        let (tenant, unit) = (TenantId::parse("E").expect("tenant"), UnitPath::parse("NJ").expect("unit"));
        let filter = Filter { axis: Axis::Started, held: Some(true), ..Filter::default() };
        let after = Place { at: Timestamp::UNIX_EPOCH, name: String::new() };
        let sql = statement(&Scope::Unit(tenant, unit), &filter, Some(&after));
        assert_eq!(
            sql.sql().as_str(),
            "SELECT t.started_at AS at, t.code AS name, t.record FROM listed AS l \
             JOIN item AS t ON t.code = l.name AND t.started_at = l.at \
             WHERE l.list = 'started' AND l.tenant = $1 AND l.unit = $2 AND t.tenant = $3 AND t.held \
             AND (l.at, l.name) < ($4, $5) ORDER BY l.at DESC, l.name DESC"
        );
        let sql = statement(&Scope::Province, &Filter { class: Some(Class::Unset), ..Filter::default() }, None);
        assert_eq!(
            sql.sql().as_str(),
            "SELECT t.ingested_at AS at, t.code AS name, t.record FROM item AS t WHERE t.ingested_at IS NOT NULL \
             AND t.class = 'unset' ORDER BY t.ingested_at DESC, t.code DESC"
        );
    }
}
