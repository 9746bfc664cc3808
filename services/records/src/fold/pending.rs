//! What should follow by itself. A step whose announcement was lost never begins: its cause is announced again (see
//! [`crate::reconcile`]).

use custos_domain::{fact::Act, hold::Permanence, ids::FactId, policy::Obligation};
use jiff::Timestamp;

use super::{
    Known,
    holds::HoldRecord,
    item::{ItemRecord, State},
};

/// A step that has not been heard of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The step.
    pub step: Step,
    /// Key of the fact whose announcement begins it.
    pub fact: String,
    /// When that fact was stated.
    pub since: Timestamp,
}

/// A step that a service takes on an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Deposited: hashing re-reads and seals, or reports a mismatch.
    Seal,
    /// Sealed: transcode makes a playback copy, or says why there is none.
    Derive,
    /// Sealed: retention extends the lock.
    Lock,
    /// An obligation without a date was stated: legal-hold places a hold.
    Hold,
    /// A permanent hold was confirmed: retention extends the lock to the horizon.
    Horizon,
}

impl Step {
    /// Every step, in an item's order.
    pub const ALL: [Self; 5] = [Self::Seal, Self::Derive, Self::Lock, Self::Hold, Self::Horizon];

    /// Its stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Derive => "derive",
            Self::Lock => "lock",
            Self::Hold => "hold",
            Self::Horizon => "horizon",
        }
    }
}

/// The steps an item waits for, in its order.
pub(super) fn fold(item: &ItemRecord, facts: &[Known]) -> Vec<Pending> {
    let mut pending = Vec::new();
    let mut wait = |step, known: &Known| {
        pending.push(Pending { step, fact: known.object.key.clone(), since: known.fact.at });
    };
    for known in facts {
        match &known.fact.act {
            Act::Deposited { .. } if item.state == State::Deposited => wait(Step::Seal, known),
            Act::Sealed { .. } => {
                if item.playback.derived_at.is_none() {
                    wait(Step::Derive, known);
                }
                if item.obligations.is_empty() {
                    wait(Step::Lock, known);
                }
            }
            Act::LockExtended { .. } if lacks_hold(item, &known.fact.id) => wait(Step::Hold, known),
            Act::HoldConfirmed { hold, permanence: Permanence::Permanent, .. } => {
                let standing = item.holds.iter().find(|record| record.hold == *hold && record.stands());
                if standing.is_some_and(|hold| !has_horizon(item, hold)) {
                    wait(Step::Horizon, known);
                }
            }
            _ => {}
        }
    }
    pending.sort_by(|a, b| (a.step, &a.fact).cmp(&(b.step, &b.fact)));
    pending
}

/// Whether this fact states an obligation that asks for a hold, and no hold was ever placed for it. Permanence comes from a hold
/// that a leader confirmed, so it has one.
fn lacks_hold(item: &ItemRecord, fact: &FactId) -> bool {
    let stated = item.obligations.iter().find(|standing| standing.fact == *fact);
    let Some(obligation) = stated.map(|standing| &standing.obligation) else { return false };
    let asks = matches!(obligation, Obligation::Open { .. } | Obligation::Unset { .. });
    let placed = item.holds.iter().any(|hold| {
        let same_article = hold.reason.as_ref().is_some_and(|reason| reason.cite == *obligation.cite());
        same_article || hold.placed.as_ref().is_some_and(|placed| placed.cause.as_ref() == Some(fact))
    });
    asks && !placed
}

/// Whether permanence was stated for the article this hold rests on.
fn has_horizon(item: &ItemRecord, hold: &HoldRecord) -> bool {
    item.obligations.iter().any(|standing| {
        let same_article = hold.reason.as_ref().is_none_or(|reason| reason.cite == *standing.obligation.cite());
        same_article && matches!(standing.obligation, Obligation::Permanent { .. })
    })
}
