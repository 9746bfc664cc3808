//! 保全: every hold on an item, as far as it got, and what the store says.

use std::collections::BTreeMap;

use custos_domain::{
    fact::{Act, Actor},
    hold::{HoldReason, Permanence},
    ids::{FactId, HoldId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Known;

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldRecord {
    /// The hold.
    #[schema(value_type = String)]
    pub hold: HoldId,
    /// Why; none while only later steps of the hold are known.
    #[schema(value_type = Option<Object>)]
    pub reason: Option<HoldReason>,
    /// Whether it is for ever.
    #[schema(value_type = String)]
    pub permanence: Permanence,
    /// How far it got.
    pub stage: Stage,
    /// Who asked.
    pub placed: Option<Said>,
    /// The leader who agreed.
    pub confirmed: Option<Said>,
    /// The first of two people who asked for its end.
    pub release_proposed: Option<Said>,
    /// The second, who ended it.
    pub released: Option<Said>,
}

/// How far a hold got. It is on from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// On; no leader has looked at it yet.
    Placed,
    /// On; a leader agreed.
    Confirmed,
    /// Still on; one person asked for its end.
    ReleaseProposed,
    /// Ended by two people.
    Released,
}

/// Somebody's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Said {
    /// Who.
    #[schema(value_type = Object)]
    pub by: Actor,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What they wrote.
    pub note: Option<String>,
    /// The fact.
    #[schema(value_type = String)]
    pub fact: FactId,
    /// The fact that led to it.
    #[schema(value_type = Option<String>)]
    pub cause: Option<FactId>,
}

/// The store's legal hold as last read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldInStore {
    /// On every version, or off.
    pub on: bool,
    /// Whether it was read back again past the settle time.
    pub settled: bool,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
}

impl HoldRecord {
    /// Whether this reason still stands.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.stage != Stage::Released
    }

    fn new(hold: &HoldId) -> Self {
        Self {
            hold: hold.clone(),
            reason: None,
            permanence: Permanence::Open,
            stage: Stage::Placed,
            placed: None,
            confirmed: None,
            release_proposed: None,
            released: None,
        }
    }

    /// A permanent hold stays permanent, whichever word was heard first.
    fn raise(&mut self, permanence: Permanence) {
        if permanence == Permanence::Permanent {
            self.permanence = permanence;
        }
    }

    fn reach(&mut self, stage: Stage) {
        self.stage = self.stage.max(stage);
    }
}

/// Every hold, in order of their ids.
pub(super) fn fold(facts: &[Known]) -> Vec<HoldRecord> {
    let mut holds: BTreeMap<HoldId, HoldRecord> = BTreeMap::new();
    let mut of = |hold: &HoldId, change: &dyn Fn(&mut HoldRecord)| {
        change(holds.entry(hold.clone()).or_insert_with(|| HoldRecord::new(hold)));
    };
    for known in facts {
        match &known.fact.act {
            Act::HoldPlaced { hold, reason, permanence } => of(hold, &|record| {
                record.reason.get_or_insert_with(|| reason.clone());
                record.placed.get_or_insert_with(|| said(known, None));
                record.raise(*permanence);
            }),
            Act::HoldConfirmed { hold, permanence, note } => of(hold, &|record| {
                record.confirmed.get_or_insert_with(|| said(known, Some(note)));
                record.raise(*permanence);
                record.reach(Stage::Confirmed);
            }),
            Act::HoldReleaseProposed { hold, note } => of(hold, &|record| {
                record.release_proposed.get_or_insert_with(|| said(known, Some(note)));
                record.reach(Stage::ReleaseProposed);
            }),
            Act::HoldReleased { hold, note } => of(hold, &|record| {
                record.released.get_or_insert_with(|| said(known, Some(note)));
                record.reach(Stage::Released);
            }),
            _ => {}
        }
    }
    holds.into_values().collect()
}

/// What the store said last.
pub(super) fn in_store(facts: &[Known]) -> Option<HoldInStore> {
    facts.iter().rev().find_map(|known| match known.fact.act {
        Act::HoldApplied { on, settled, .. } => Some(HoldInStore { on, settled, at: known.fact.at }),
        _ => None,
    })
}

fn said(known: &Known, note: Option<&String>) -> Said {
    Said {
        by: known.fact.actor.clone(),
        at: known.fact.at,
        note: note.cloned(),
        fact: known.fact.id.clone(),
        cause: known.fact.cause.clone(),
    }
}
