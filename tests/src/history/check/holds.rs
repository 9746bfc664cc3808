//! INV-6, INV-18: held while a reason stands, and let go by two people.

use std::collections::BTreeSet;

use custos_domain::{
    fact::{Act, Actor, Fact},
    ids::{HoldId, PersonId},
};
use custos_local::Part;

use super::Findings;
use crate::history::{
    Invariant,
    reading::{Found, Reading},
};

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    if reading.world.runs(Part::LegalHold) {
        for found in &reading.manifests {
            let standing = reasons(reading, &found.says.code.to_string());
            for version in reading.versions_of(found).into_iter().filter(|version| version.held == standing.is_empty())
            {
                let (on, off) = ("the store's hold on", "the store's hold off");
                let why = format!("{} reasons stand", standing.len());
                let (expected, is) = if version.held { (off, on) } else { (on, off) };
                let item = format!("{}@{}", version.object.key, version.object.version);
                findings.add(Invariant::Held, item, format!("{expected}: {why}"), is);
            }
        }
    }
    for Found { says, .. } in &reading.facts {
        two_people(reading, says, findings);
    }
    for row in &reading.world.tables.holds {
        let same = |first: Option<&String>, second: Option<&String>| second.is_some() && first == second;
        let released = same(row.proposed_by.as_ref(), row.released_by.as_ref());
        if released || same(Some(&row.placed_by), row.confirmed_by.as_ref()) {
            findings.add(Invariant::TwoPeople, &row.id, "two people", format!("{row:?}"));
        }
        if row.released_by.is_some() && row.proposed_by.is_none() {
            findings.add(Invariant::TwoPeople, &row.id, "a proposal before the release", "none");
        }
    }
}

/// The holds that stand on an item: what the log or the database says, and neither says has ended.
pub(super) fn reasons(reading: &Reading<'_>, code: &str) -> BTreeSet<String> {
    let (mut placed, mut released) = (BTreeSet::new(), BTreeSet::new());
    for Found { says, .. } in &reading.facts {
        if says.subject.code().is_none_or(|of| of.to_string() != code) {
            continue;
        }
        match &says.act {
            Act::HoldPlaced { hold, .. } => drop(placed.insert(hold.to_string())),
            Act::HoldReleased { hold, .. } => drop(released.insert(hold.to_string())),
            _ => {}
        }
    }
    for on in reading.world.tables.hold_items.iter().filter(|on| on.item == code) {
        let row = reading.world.tables.holds.iter().find(|row| row.id == on.hold);
        if row.is_some_and(|row| row.released_by.is_some()) {
            released.insert(on.hold.clone());
        }
        placed.insert(on.hold.clone());
    }
    placed.difference(&released).cloned().collect()
}

/// The second of two steps is another person's than the first.
fn two_people(reading: &Reading<'_>, second: &Fact, findings: &mut Findings) {
    let (hold, first_step) = match &second.act {
        Act::HoldConfirmed { hold, .. } => (hold, "hold_placed"),
        Act::HoldReleased { hold, .. } => (hold, "hold_release_proposed"),
        _ => return,
    };
    let code = second.subject.code().map(ToString::to_string).unwrap_or_default();
    let item = format!("{code}, hold {hold}, {}", second.act.name());
    let Some(decider) = person(second) else {
        return findings.add(Invariant::TwoPeople, item, "a person", format!("{:?}", second.actor));
    };
    let first = reading.facts.iter().map(|found| &found.says).find(|fact| {
        fact.subject == second.subject && fact.act.name() == first_step && of_hold(&fact.act) == Some(hold)
    });
    match first {
        None => findings.add(Invariant::TwoPeople, item, format!("a {first_step} before it"), "none"),
        Some(first) if person(first) == Some(decider) => {
            findings.add(Invariant::TwoPeople, item, format!("somebody else than for {first_step}"), decider);
        }
        Some(_) => {}
    }
}

fn of_hold(act: &Act) -> Option<&HoldId> {
    match act {
        Act::HoldPlaced { hold, .. } | Act::HoldReleaseProposed { hold, .. } => Some(hold),
        _ => None,
    }
}

fn person(fact: &Fact) -> Option<&PersonId> {
    match &fact.actor {
        Actor::Person { person, .. } => Some(person),
        Actor::Service { .. } | Actor::Station { .. } => None,
    }
}
