//! The catalogue as a pure function: from everything that was stated about one subject to the rows that are shown of it.
//!
//! There is no "apply the next fact": a row is computed from the whole set of its facts, each time. So the order in which facts
//! arrive and how often they do cannot matter, and live operation, replay and rebuild are the same code (INV-9).

pub mod docking;
pub mod holds;
pub mod incident;
pub mod intake;
pub mod item;
pub mod kept;
pub mod known;
pub mod pending;

use std::collections::BTreeMap;

pub use self::{
    docking::DockingRecord,
    incident::IncidentRecord,
    intake::Intake,
    item::ItemRecord,
    known::{Deposit, Evidence, Known, SealDigests},
    pending::{Pending, Step},
};

/// All rows of one subject.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projection {
    /// The item, once its deposit is known.
    pub item: Option<ItemRecord>,
    /// The docking.
    pub docking: Option<DockingRecord>,
    /// Every incident, open or closed, the oldest first.
    pub incidents: Vec<IncidentRecord>,
    /// What should follow by itself and has not been heard of yet.
    pub pending: Vec<Pending>,
}

/// The rows of one subject, from its facts in any order and any number.
#[must_use]
pub fn project(facts: impl IntoIterator<Item = Known>) -> Projection {
    // By key, since a fact is its object; then by time, so that "the latest" is the same for everybody.
    let unique: BTreeMap<String, Known> = facts.into_iter().map(|known| (known.object.key.clone(), known)).collect();
    let mut facts: Vec<Known> = unique.into_values().collect();
    facts.sort_by(|a, b| (a.fact.at, &a.fact.id).cmp(&(b.fact.at, &b.fact.id)));
    let incidents = incident::fold(&facts);
    let item = item::fold(&facts, &incidents);
    let pending = item.as_ref().map(|item| pending::fold(item, &facts)).unwrap_or_default();
    Projection { item, docking: docking::fold(&facts), incidents, pending }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
