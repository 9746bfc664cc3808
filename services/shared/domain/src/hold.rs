//! Legal holds (保全): why an item may not be let go, and who may end that.
//!
//! The store's legal hold is on while at least one reason stands. Long-term and case-file reasons do not end by themselves: only
//! people end them (requirements 1.8), and it takes two (ours, not the text's).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ids::PersonId, policy::Cite};

/// Why an item is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldReason {
    /// The article, such as `A-15.3` or `E-14.1`.
    pub cite: Cite,
    /// What happened, in the words of the one who asked.
    pub text: String,
}

/// Whether a hold is meant to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permanence {
    /// 長期: open, until people end it.
    Open,
    /// 永久: on confirmation the lock goes to the horizon as well.
    Permanent,
}

/// Where a hold stands. The hold itself is on from `Placed` to the second person's word in `Released`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum HoldStage {
    /// On; a leader has not looked at it yet.
    Placed {
        /// Who asked; a service's name when a policy did.
        by: PersonId,
        /// When.
        at: Timestamp,
    },
    /// On; a leader agreed.
    Confirmed {
        /// The leader.
        by: PersonId,
        /// When.
        at: Timestamp,
    },
    /// Still on; one person asked for it to end.
    ReleaseProposed {
        /// The first person.
        by: PersonId,
        /// When.
        at: Timestamp,
        /// Whether it had been confirmed before.
        confirmed: bool,
    },
    /// Ended.
    Released {
        /// The first person.
        proposed_by: PersonId,
        /// The second person.
        by: PersonId,
        /// When.
        at: Timestamp,
    },
}

/// Why a step is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// Confirming twice, or after a release was proposed.
    #[error("only a hold that was placed and not yet confirmed can be confirmed; this one is {0}")]
    NotPlaced(&'static str),
    /// Proposing to release what is already on its way out.
    #[error("this hold is already {0}")]
    NotStanding(&'static str),
    /// Releasing without a proposal.
    #[error("a hold ends in two steps: nobody has proposed its release yet")]
    NotProposed,
    /// One person in both roles.
    #[error("the person who {0} may not be the one who decides: it takes two people")]
    SamePerson(&'static str),
}

impl HoldStage {
    /// Whether this reason still stands.
    #[must_use]
    pub fn stands(&self) -> bool {
        !matches!(self, Self::Released { .. })
    }

    /// The stage's stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Placed { .. } => "placed",
            Self::Confirmed { .. } => "confirmed",
            Self::ReleaseProposed { .. } => "release_proposed",
            Self::Released { .. } => "released",
        }
    }

    /// A leader agrees; not the one who asked.
    pub fn confirm(self, leader: PersonId, now: Timestamp) -> Result<Self, HoldError> {
        match self {
            Self::Placed { by, .. } if by == leader => Err(HoldError::SamePerson("asked for the hold")),
            Self::Placed { .. } => Ok(Self::Confirmed { by: leader, at: now }),
            other => Err(HoldError::NotPlaced(other.name())),
        }
    }

    /// The first of two people asks for the end.
    pub fn propose_release(self, person: PersonId, now: Timestamp) -> Result<Self, HoldError> {
        match self {
            Self::Placed { .. } => Ok(Self::ReleaseProposed { by: person, at: now, confirmed: false }),
            Self::Confirmed { .. } => Ok(Self::ReleaseProposed { by: person, at: now, confirmed: true }),
            other => Err(HoldError::NotStanding(other.name())),
        }
    }

    /// The second of two people agrees; the reason ends.
    pub fn release(self, person: PersonId, now: Timestamp) -> Result<Self, HoldError> {
        match self {
            Self::ReleaseProposed { by, .. } if by == person => Err(HoldError::SamePerson("proposed the release")),
            Self::ReleaseProposed { by, .. } => Ok(Self::Released { proposed_by: by, by: person, at: now }),
            Self::Released { .. } => Err(HoldError::NotStanding("released")),
            _ => Err(HoldError::NotProposed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> PersonId {
        PersonId::parse(name).expect("person")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("timestamp")
    }

    #[test]
    fn a_hold_ends_only_by_two_people() {
        let placed = HoldStage::Placed { by: person("chen"), at: at(1) };
        assert!(matches!(placed.clone().confirm(person("chen"), at(2)), Err(HoldError::SamePerson(_))));
        let confirmed = placed.confirm(person("wang"), at(2)).expect("confirm");
        assert_eq!(confirmed.clone().release(person("li"), at(3)), Err(HoldError::NotProposed));
        let proposed = confirmed.propose_release(person("chen"), at(3)).expect("propose");
        assert!(proposed.stands());
        assert!(matches!(proposed.clone().release(person("chen"), at(4)), Err(HoldError::SamePerson(_))));
        let released = proposed.release(person("wang"), at(4)).expect("release");
        assert!(!released.stands());
        assert_eq!(released.propose_release(person("li"), at(5)), Err(HoldError::NotStanding("released")));
    }
}
