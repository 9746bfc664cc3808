//! The decisions: which invariants a world breaks. Pure, and each fault is reported under one id: what is missing by the check
//! for what is gone, what is there but wrong by the check for what it says.

mod acts;
mod catalogue;
mod gone;
mod holds;
mod intake;
mod items;
mod locks;
mod permits;
mod receipts;
mod versions;

use std::fmt::Display;

use super::{Invariant, Violation, reading::Reading, world::World};

/// Every violation in `world`; `before` is an earlier look at the same world, for what may never move back.
#[must_use]
pub fn check(world: &World, before: Option<&World>) -> Vec<Violation> {
    let reading = Reading::of(world);
    let mut findings = Findings(reading.unreadable.clone());
    items::check(&reading, &mut findings);
    receipts::check(&reading, &mut findings);
    locks::check(&reading, before, &mut findings);
    permits::check(&reading, &mut findings);
    acts::check(&reading, &mut findings);
    holds::check(&reading, &mut findings);
    versions::check(&reading, &mut findings);
    gone::check(&reading, before, &mut findings);
    catalogue::check(&reading, &mut findings);
    intake::check(&reading, &mut findings);
    let mut violations = findings.0;
    violations.sort_by(|a, b| (a.invariant, &a.item).cmp(&(b.invariant, &b.item)));
    violations.dedup();
    violations
}

/// What was found so far.
struct Findings(Vec<Violation>);

impl Findings {
    /// Notes a violation.
    fn add(&mut self, invariant: Invariant, item: impl Display, expected: impl Display, found: impl Display) {
        let (item, expected, found) = (item.to_string(), expected.to_string(), found.to_string());
        self.0.push(Violation { invariant, item, expected, found });
    }

    /// Notes a violation unless both are the same.
    fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        invariant: Invariant,
        item: impl Display,
        what: &str,
        expected: &T,
        found: &T,
    ) {
        if expected != found {
            self.add(invariant, item, format!("{what} {expected:?}"), format!("{found:?}"));
        }
    }
}
