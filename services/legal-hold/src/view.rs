//! Holds as the API shows them. What has not reached the store is never shown as if it had.

use custos_domain::{hold::Permanence, policy::Words};
use custos_platform::http::auth::Person;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    hold::{Hold, Step},
    ledger::items::InStore,
};

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldView {
    /// Its id.
    pub id: String,
    /// The agency.
    pub tenant: String,
    /// `person`, or `policy` where the agency's policy has no period or no end.
    pub origin: &'static str,
    /// The article it rests on, such as `E-14.1`.
    pub cite: String,
    /// What happened, in the words of the one who asked.
    pub text: String,
    /// `open`, or `permanent`: on confirmation the lock goes to the horizon as well.
    pub permanence: &'static str,
    /// `placed`, `confirmed`, `release_proposed` or `released`. The hold is on until it is released.
    pub stage: &'static str,
    /// Who placed it; `policy` when a policy did.
    pub placed_by: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    /// The leader's word.
    pub confirmed: Option<StepView>,
    /// The first of two people's word that it may end.
    pub release_proposed: Option<StepView>,
    /// The second's.
    pub released: Option<StepView>,
    /// The items it is on, as far as the reader may know of them.
    pub items: Vec<HeldItem>,
    /// How many more it is on, of units outside the reader's own.
    pub items_elsewhere: usize,
}

/// What one person decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// Who.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What they wrote.
    pub note: String,
}

/// One item under a hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldItem {
    /// The unified code.
    pub code: String,
    /// The unit that deposited it.
    pub unit: String,
    /// The hold in the store.
    pub store: StoreState,
}

/// What the store was last read back to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreState {
    /// `pending`: not applied yet. `applied`: switched on and read back, but a power cut could still undo it. `confirmed`: read
    /// back a second time past the settle time. `lifting`: to be switched off. `lifted` and `lifted_confirmed`: the same for off.
    pub state: &'static str,
    /// The state in words.
    #[schema(value_type = Object)]
    pub words: Words,
    /// When it was applied.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub applied_at: Option<Timestamp>,
    /// When it was read back a second time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<Timestamp>,
    /// Versions it was read back of: original, outboard, manifest, seal, permit.
    pub versions: usize,
    /// Why the last try failed; the next one follows by itself.
    pub problem: Option<String>,
}

impl HoldView {
    /// The hold as `reader` may see it.
    pub fn of(hold: &Hold, items: &[InStore], reader: &Person) -> Self {
        let seen = items.iter().filter(|item| reader.covers(item.item.tenant(), &item.item.unit));
        let seen: Vec<HeldItem> = seen.map(HeldItem::of).collect();
        Self {
            id: hold.id.to_string(),
            tenant: hold.tenant.to_string(),
            origin: hold.origin.as_str(),
            cite: hold.reason.cite.to_string(),
            text: hold.reason.text.clone(),
            permanence: match hold.permanence {
                Permanence::Open => "open",
                Permanence::Permanent => "permanent",
            },
            stage: hold.stage().name(),
            placed_by: hold.placed_by.to_string(),
            placed_at: hold.placed_at,
            confirmed: hold.confirmed.as_ref().map(StepView::of),
            release_proposed: hold.proposed.as_ref().map(StepView::of),
            released: hold.released.as_ref().map(StepView::of),
            items_elsewhere: items.len() - seen.len(),
            items: seen,
        }
    }
}

impl StepView {
    fn of(step: &Step) -> Self {
        Self { by: step.by.to_string(), at: step.at, note: step.note.clone() }
    }
}

impl HeldItem {
    fn of(item: &InStore) -> Self {
        Self { code: item.item.code.to_string(), unit: item.item.unit.to_string(), store: StoreState::of(item) }
    }
}

impl StoreState {
    /// What can honestly be said of an item.
    pub fn of(item: &InStore) -> Self {
        let applied = item.applied.as_ref().filter(|applied| applied.on == item.wanted);
        let settled_at = item.settled_at.filter(|_| applied.is_some());
        let (state, en, zh) = match (item.wanted, applied, settled_at) {
            (true, None, _) => {
                ("pending", "placed; not applied to the store yet".to_owned(), "已提出，尚未在存儲中生效".to_owned())
            }
            (true, Some(applied), None) => (
                "applied",
                format!("applied to the store at {}; to be read again", applied.at),
                format!("已於 {} 在存儲中生效，待再次讀回核實", applied.at),
            ),
            (true, Some(_), Some(at)) => {
                ("confirmed", format!("confirmed in the store at {at}"), format!("已於 {at} 在存儲中核實"))
            }
            (false, None, _) => (
                "lifting",
                "released; still to be switched off in the store".to_owned(),
                "已解除，存儲中尚待關閉".to_owned(),
            ),
            (false, Some(applied), None) => (
                "lifted",
                format!("switched off in the store at {}; to be read again", applied.at),
                format!("已於 {} 在存儲中關閉，待再次讀回核實", applied.at),
            ),
            (false, Some(_), Some(at)) => (
                "lifted_confirmed",
                format!("confirmed as switched off in the store at {at}"),
                format!("已於 {at} 核實在存儲中關閉"),
            ),
        };
        Self {
            state,
            words: Words { zh, en },
            applied_at: applied.map(|applied| applied.at),
            confirmed_at: settled_at,
            versions: applied.map_or(0, |applied| applied.objects.len()),
            problem: item.problem.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
