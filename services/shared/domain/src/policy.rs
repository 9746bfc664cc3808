//! The tenants' policies: typed, versioned data, every period and trigger citing its article (deploy/policies).
//!
//! A policy only ever lengthens: the floor is locked at creation, obligations raise it, nothing here lowers a date.

mod check;
mod cite;
mod explain;
mod file;
mod obligation;
mod rule;
mod set;

use jiff::Timestamp;

pub use self::{
    cite::{Cite, CiteError},
    file::{Base, Clause, FarEnd, Floor, InForce, Policy, Replaced},
    obligation::{Kept, Obligation, combine},
    rule::{Duty, OpenReason, Origin, Rule, Trigger, Words},
    set::{PolicyError, PolicySet},
};
use crate::calendar::eligible_from;

impl Policy {
    /// The date of the first lock on what is ingested at `ingest`: 00:00 in Asia/Shanghai, whole seconds.
    #[must_use]
    pub fn floor_until(&self, ingest: Timestamp) -> Timestamp {
        eligible_from(ingest, self.floor.period)
    }

    /// The last date a lock on what is ingested at `ingest` may have; the date that stands for "permanent".
    #[must_use]
    pub fn horizon_until(&self, ingest: Timestamp) -> Timestamp {
        self.horizon.years.end(ingest)
    }

    /// What holds for everything, before anything is known of it.
    #[must_use]
    pub fn base_obligation(&self, ingest: Timestamp) -> Obligation {
        match self.base.clone() {
            Base::AtLeast { period, cite, text } => Obligation::dated(ingest, period, cite, text, Origin::Text),
            Base::Unset { reason, cite } => Obligation::Unset { reason, cite },
        }
    }

    /// Everything that holds for an item with these tags: the base, and one obligation for each rule any of them triggers.
    #[must_use]
    pub fn obligations(&self, ingest: Timestamp, tags: &[Trigger]) -> Vec<Obligation> {
        let lifted = self.rules.iter().filter(|rule| rule.triggers.iter().any(|trigger| tags.contains(trigger)));
        std::iter::once(self.base_obligation(ingest)).chain(lifted.map(|rule| rule.obligation(ingest))).collect()
    }

    /// [`Self::obligations`], joined.
    #[must_use]
    pub fn kept(&self, ingest: Timestamp, tags: &[Trigger]) -> Kept {
        combine(self.obligations(ingest, tags))
    }
}

impl Rule {
    /// What the rule asks for an item ingested at `ingest`.
    #[must_use]
    pub fn obligation(&self, ingest: Timestamp) -> Obligation {
        let (cite, text, origin) = (self.cite.clone(), self.text.clone(), self.origin);
        match self.obligation {
            Duty::Dated(period) => Obligation::dated(ingest, period, cite, text, origin),
            Duty::Open(reason) => Obligation::Open { reason, cite, text, origin },
            Duty::Permanent => Obligation::Permanent { cite, text, origin },
        }
    }
}

#[cfg(test)]
mod tests;
