//! What is wrong, until a person closes it.

use custos_domain::{
    fact::{Act, Actor, IncidentClass, Subject},
    ids::{FactId, TenantId, UnitPath, UploadId},
    item::UnifiedCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Known;

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncidentRecord {
    /// The fact that opened it; also its name.
    #[schema(value_type = String)]
    pub id: FactId,
    /// The agency.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// The unit, when one is concerned.
    #[schema(value_type = Option<String>)]
    pub unit: Option<UnitPath>,
    /// The item, when it is about one.
    #[schema(value_type = Option<String>)]
    pub item: Option<UnifiedCode>,
    /// The upload that became no item, when it is about one.
    #[schema(value_type = Option<String>)]
    pub upload: Option<UploadId>,
    /// What kind of thing is wrong.
    #[schema(value_type = String)]
    pub class: IncidentClass,
    /// In words: expected and found.
    pub detail: String,
    /// Who found it.
    #[schema(value_type = Object)]
    pub opened_by: Actor,
    /// When.
    #[schema(value_type = String)]
    pub opened_at: Timestamp,
    /// The fact that led to it.
    #[schema(value_type = Option<String>)]
    pub cause: Option<FactId>,
    /// How it ended.
    pub closed: Option<Closed>,
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Closed {
    /// Who closed it.
    #[schema(value_type = Object)]
    pub by: Actor,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What was found and done.
    pub note: String,
}

/// Every incident of a subject, the oldest first.
pub(super) fn fold(facts: &[Known]) -> Vec<IncidentRecord> {
    let mut incidents: Vec<IncidentRecord> = facts.iter().filter_map(opened).collect();
    // Closings second: theirs may bear the earlier time when two clocks disagree.
    for known in facts {
        let Act::IncidentClosed { incident, note } = &known.fact.act else { continue };
        if let Some(record) = incidents.iter_mut().find(|record| record.id == *incident) {
            let closed = || Closed { by: known.fact.actor.clone(), at: known.fact.at, note: note.clone() };
            record.closed.get_or_insert_with(closed);
        }
    }
    incidents
}

fn opened(known: &Known) -> Option<IncidentRecord> {
    let fact = &known.fact;
    let Act::IncidentOpened { class, detail } = &fact.act else { return None };
    let upload = if let Subject::Upload { upload } = &fact.subject { Some(upload.clone()) } else { None };
    Some(IncidentRecord {
        id: fact.id.clone(),
        tenant: fact.tenant.clone(),
        unit: fact.unit.clone(),
        item: fact.subject.code().cloned(),
        upload,
        class: *class,
        detail: detail.clone(),
        opened_by: fact.actor.clone(),
        opened_at: fact.at,
        cause: fact.cause.clone(),
        closed: None,
    })
}
