//! Pure: what to do about one item's hold in the store, from what is wanted, what was last read back and what is there.
//!
//! The same question is asked after a hold was placed, past the settle time, when a seal came later, and for ever after to find
//! drift. So there is one answer for all of them.

use std::time::Duration;

use custos_domain::manifest::StoredObject;
use jiff::{SignedDuration, Timestamp};

/// A version, and whether the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The version.
    pub object: StoredObject,
    /// Whether the store's legal hold is on; none when the version is gone.
    pub held: Option<bool>,
}

/// What was last read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whether the hold was on.
    pub on: bool,
    /// Since when it is so.
    pub at: Timestamp,
    /// Whether it was read back a second time, past the settle time.
    pub settled: bool,
    /// The versions.
    pub objects: Vec<StoredObject>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Versions to switch.
    pub switch: Vec<StoredObject>,
    /// Holds that were on when last read, in words.
    pub drifted: Vec<String>,
    /// Versions that are gone, in words.
    pub gone: Vec<String>,
    /// What can be said once the switching is done.
    pub then: Then,
}

/// What can be said of the hold in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It was applied just now; a power cut could still undo it.
    Applied,
    /// It was applied before and nothing changed; the settle time has not passed.
    Waiting(Duration),
    /// It was read back a second time, past the settle time, just now.
    Settled,
    /// It was settled before, and still is.
    AsBefore,
}

/// Decides for one item.
pub fn plan(on: bool, applied: Option<&Applied>, found: &[Found], now: Timestamp, settle: Duration) -> Plan {
    let mut plan = Plan { switch: Vec::new(), drifted: Vec::new(), gone: Vec::new(), then: Then::Applied };
    for Found { object, held } in found {
        let Some(held) = *held else {
            plan.gone.push(format!("{} version {} is gone", object.key, object.version));
            continue;
        };
        if held == on {
            continue;
        }
        plan.switch.push(object.clone());
        // A version that came after the last look was never held: it is late, not drifted. A hold that came back by itself
        // when it should be off does no harm and is only switched off again.
        if on && applied.is_some_and(|before| before.on && before.objects.contains(object)) {
            plan.drifted.push(format!("{} version {} is not held any more", object.key, object.version));
        }
    }
    plan.then = match applied {
        Some(before) if before.on == on && plan.switch.is_empty() => unchanged(before, now, settle),
        _ => Then::Applied,
    };
    plan
}

fn unchanged(before: &Applied, now: Timestamp, settle: Duration) -> Then {
    if before.settled {
        return Then::AsBefore;
    }
    let age = now.duration_since(before.at).max(SignedDuration::ZERO).unsigned_abs();
    match settle.checked_sub(age).filter(|left| !left.is_zero()) {
        Some(left) => Then::Waiting(left),
        None => Then::Settled,
    }
}

#[cfg(test)]
mod tests;
