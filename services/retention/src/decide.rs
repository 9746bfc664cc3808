//! Pure: what is owed to an item, and how far the store's locks are from it.
//!
//! Everything here only ever adds: an obligation that was decided stays as it was decided, a lock is only ever extended.

use std::mem::discriminant;

use custos_domain::{
    hold::HoldReason,
    manifest::StoredObject,
    policy::{Kept, Obligation, Origin, Policy, combine},
};
use jiff::Timestamp;

/// One obligation on an item, as it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What is asked for, and by which article.
    pub obligation: Obligation,
    /// The version of the policy file that asked.
    pub policy_version: u32,
    /// The lock it asks of the store: its own date; the horizon where it is permanent; the safe floor where nobody knows an
    /// end, since the hold that goes with it has none.
    pub until: Timestamp,
}

/// What is owed to an item ingested at `ingested_at` beside what was decided `before`; `confirmed` are the reasons of the holds
/// that a leader confirmed as permanent.
///
/// What an article was found to ask before is not decided again: applying another version of a policy to what is kept already is
/// a decision of its own, with a dry run and two signatures, and never an effect of starting a service with another file.
pub fn newly_owed(
    policy: &Policy,
    ingested_at: Timestamp,
    before: &[Standing],
    confirmed: &[HoldReason],
) -> Vec<Standing> {
    // The place of the full rule set: an item's tags, once they are stated, are what goes in here.
    let by_tags = policy.obligations(ingested_at, &[]);
    let permanent = confirmed.iter().map(|reason| permanent(policy, reason));
    let mut owed: Vec<Standing> = Vec::new();
    for obligation in by_tags.into_iter().chain(permanent) {
        let known = |standing: &Standing| same_rule(&standing.obligation, &obligation);
        if !before.iter().any(known) && !owed.iter().any(known) {
            let until = lock_for(policy, ingested_at, &obligation);
            owed.push(Standing { obligation, policy_version: policy.version, until });
        }
    }
    owed
}

/// What was decided before, from what was stated of it. A fact tells the lock that stood, which may be longer than the one that
/// its obligation asked for, and tells it again when versions came later.
pub fn restored(policy: &Policy, ingested_at: Timestamp, stated: Vec<Standing>) -> Vec<Standing> {
    let mut standing: Vec<Standing> = Vec::new();
    for mut said in stated {
        if !standing.iter().any(|known| same_rule(&known.obligation, &said.obligation)) {
            said.until = said.until.min(lock_for(policy, ingested_at, &said.obligation));
            standing.push(said);
        }
    }
    standing
}

/// One article may ask for several things of different kinds, such as a date and permanence.
fn same_rule(a: &Obligation, b: &Obligation) -> bool {
    discriminant(a) == discriminant(b) && a.cite() == b.cite()
}

/// The lock that every version of an item with these obligations must have.
pub fn wanted(standing: &[Standing]) -> Option<Timestamp> {
    standing.iter().map(|standing| standing.until).max()
}

/// What the obligations come to.
pub fn kept(standing: &[Standing]) -> Kept {
    combine(standing.iter().map(|standing| standing.obligation.clone()))
}

fn permanent(policy: &Policy, reason: &HoldReason) -> Obligation {
    let HoldReason { cite, text } = reason.clone();
    match policy.rules.iter().find(|rule| rule.cite == cite) {
        Some(rule) => Obligation::Permanent { cite, text: rule.text.clone(), origin: rule.origin },
        // The rule is gone from the file since; what people decided under it stands.
        None => Obligation::Permanent { cite, text, origin: Origin::Ours },
    }
}

/// The horizon caps every lock, whatever asked for it: a COMPLIANCE lock cannot be taken back.
fn lock_for(policy: &Policy, ingested_at: Timestamp, obligation: &Obligation) -> Timestamp {
    let until = match obligation {
        Obligation::Dated { until, .. } => *until,
        Obligation::Permanent { .. } => policy.horizon_until(ingested_at),
        Obligation::Open { .. } | Obligation::Unset { .. } => policy.floor_until(ingested_at),
    };
    policy.horizon.years.clamp(ingested_at, until)
}

/// One version's lock as read from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// COMPLIANCE until then, to the second.
    Until(Timestamp),
    /// None, or of a weaker mode.
    None,
    /// The version itself is gone.
    Gone,
}

/// A version and its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The version.
    pub object: StoredObject,
    /// Its lock.
    pub lock: Lock,
}

impl Found {
    /// Whether the version is locked until `date`, to the second.
    pub fn reaches(&self, date: Timestamp) -> bool {
        matches!(self.lock, Lock::Until(until) if until.as_second() >= date.as_second())
    }
}

/// What was read back from the store before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The lock they all had.
    pub until: Timestamp,
    /// The versions.
    pub objects: Vec<StoredObject>,
}

/// How the store's locks stand against what is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Versions whose lock must be extended.
    pub short: Vec<StoredObject>,
    /// Locks that were longer when last read, in words.
    pub drifted: Vec<String>,
    /// Versions that are gone, in words.
    pub gone: Vec<String>,
}

impl Gap {
    /// Compares what is found with what is wanted and with what was read back before. A date that has passed by `now` asks for
    /// nothing any more, and the store would refuse it.
    pub fn between(found: &[Found], wanted: Timestamp, recorded: Option<&Recorded>, now: Timestamp) -> Self {
        let recorded = recorded.filter(|before| before.until > now);
        let mut gap = Self { short: Vec::new(), drifted: Vec::new(), gone: Vec::new() };
        for version in found {
            let Found { object, lock } = version;
            if *lock == Lock::Gone {
                gap.gone.push(format!("{} version {} is gone", object.key, object.version));
                continue;
            }
            if wanted > now && !version.reaches(wanted) {
                gap.short.push(object.clone());
            }
            // A version that came after the last look was never read back: it is late, not drifted.
            if let Some(before) = recorded
                && before.objects.contains(object)
                && !version.reaches(before.until)
            {
                let now =
                    if let Lock::Until(until) = lock { format!("until {until}") } else { "not at all".to_owned() };
                let (key, version) = (&object.key, &object.version);
                gap.drifted.push(format!("{key} version {version} is locked {now}; it was until {}", before.until));
            }
        }
        gap
    }
}

#[cfg(test)]
mod tests;
