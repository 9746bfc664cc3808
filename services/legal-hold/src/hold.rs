//! A hold with everybody who had a word in it. The steps themselves, and who may take them, are the domain's.

use custos_domain::{
    hold::{HoldError, HoldReason, HoldStage, Permanence},
    ids::{HoldId, PersonId, TenantId},
    policy::{Base, Cite, Policy},
};
use jiff::Timestamp;

/// Who asked for a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person.
    Person,
    /// The agency's policy: it has no period, or no end.
    Policy,
}

impl Origin {
    /// The origin as it stands in documents and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Policy => "policy",
        }
    }
}

/// What one person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: Timestamp,
    /// What they wrote.
    pub note: String,
}

/// A hold: one reason on one or more items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The agency.
    pub tenant: TenantId,
    /// Who asked: a person or a policy.
    pub origin: Origin,
    /// Why.
    pub reason: HoldReason,
    /// Whether it is for ever.
    pub permanence: Permanence,
    /// Who placed it; `policy` when a policy did.
    pub placed_by: PersonId,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The leader's word.
    pub confirmed: Option<Step>,
    /// The first of two people's word that it may end.
    pub proposed: Option<Step>,
    /// The second's.
    pub released: Option<Step>,
}

/// Why a step is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The domain's rules.
    #[error(transparent)]
    Rule(#[from] HoldError),
    /// A policy placed it, and still asks for it.
    #[error(
        "the agency's policy asks for this hold as long as {0} has no period; people can end it when the policy's file has one"
    )]
    PolicyAsks(Cite),
    /// A policy placed it.
    #[error("the agency's policy placed this hold: there is nothing for a leader to confirm")]
    PolicyPlaced,
    /// A leader confirmed that it is for ever.
    #[error("a leader confirmed that these items are kept permanently: this hold does not end")]
    Final,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The hold as it is now.
    Now(Box<Hold>),
    /// The same person had taken this step before: a request sent twice.
    Before,
}

impl Hold {
    /// Where it stands.
    pub fn stage(&self) -> HoldStage {
        match (&self.confirmed, &self.proposed, &self.released) {
            (_, Some(proposed), Some(released)) => {
                HoldStage::Released { proposed_by: proposed.by.clone(), by: released.by.clone(), at: released.at }
            }
            (confirmed, Some(proposed), None) => {
                HoldStage::ReleaseProposed { by: proposed.by.clone(), at: proposed.at, confirmed: confirmed.is_some() }
            }
            (Some(confirmed), None, _) => HoldStage::Confirmed { by: confirmed.by.clone(), at: confirmed.at },
            (None, None, _) => HoldStage::Placed { by: self.placed_by.clone(), at: self.placed_at },
        }
    }

    /// Whether it asks for permanence with a leader's word: from then on the lock goes to the horizon, whatever becomes of the hold.
    pub fn is_permanent(&self) -> bool {
        self.permanence == Permanence::Permanent && self.confirmed.is_some()
    }

    /// A leader confirms.
    pub fn confirm(&self, step: Step) -> Result<Taken, StepError> {
        if self.origin == Origin::Policy {
            return Err(StepError::PolicyPlaced);
        }
        if taken(self.confirmed.as_ref(), &step) {
            return Ok(Taken::Before);
        }
        self.stage().confirm(step.by.clone(), step.at)?;
        Ok(self.with(|hold| hold.confirmed = Some(step)))
    }

    /// The first of two people asks for its end.
    pub fn propose_release(&self, step: Step, policy: Option<&Policy>) -> Result<Taken, StepError> {
        if self.is_permanent() {
            return Err(StepError::Final);
        }
        self.refuse_while_unset(policy)?;
        if taken(self.proposed.as_ref(), &step) {
            return Ok(Taken::Before);
        }
        self.stage().propose_release(step.by.clone(), step.at)?;
        Ok(self.with(|hold| hold.proposed = Some(step)))
    }

    /// The second of two people ends it.
    pub fn release(&self, step: Step, policy: Option<&Policy>) -> Result<Taken, StepError> {
        self.refuse_while_unset(policy)?;
        if taken(self.released.as_ref(), &step) {
            return Ok(Taken::Before);
        }
        self.stage().release(step.by.clone(), step.at)?;
        Ok(self.with(|hold| hold.released = Some(step)))
    }

    /// What a policy holds because it has no period is not for people to end; what it holds because the text names no end is
    /// (requirements 1.8).
    fn refuse_while_unset(&self, policy: Option<&Policy>) -> Result<(), StepError> {
        let unset = match policy.map(|policy| &policy.base) {
            Some(Base::Unset { cite, .. }) => *cite == self.reason.cite,
            Some(Base::AtLeast { .. }) => false,
            // Without a policy nobody can say that it no longer asks.
            None => true,
        };
        if unset && self.origin == Origin::Policy {
            Err(StepError::PolicyAsks(self.reason.cite.clone()))
        } else {
            Ok(())
        }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Taken {
        let mut hold = self.clone();
        change(&mut hold);
        Taken::Now(Box::new(hold))
    }
}

fn taken(before: Option<&Step>, step: &Step) -> bool {
    before.is_some_and(|before| before.by == step.by)
}

#[cfg(test)]
mod tests;
