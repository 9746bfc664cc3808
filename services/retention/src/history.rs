//! What the custody log says of an item. It outlives the database: an empty one is filled again from here.

use std::collections::BTreeSet;

use custos_domain::{
    fact::Act,
    hold::{HoldReason, Permanence},
    ids::{FactId, HoldId},
    item::UnifiedCode,
};
use custos_platform::{facts::FactLog, vault::StoreError};
use jiff::Timestamp;

use crate::decide::Standing;

/// A hold that a leader confirmed as permanent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// Why the item was held.
    pub reason: HoldReason,
    /// The fact of the confirmation.
    pub fact: FactId,
}

/// A hold that nobody has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingHold {
    /// The hold.
    pub id: HoldId,
    /// Why the item is held.
    pub reason: HoldReason,
    /// Whether it is meant to end.
    pub permanence: Permanence,
}

/// The custody log, as far as retention reads it.
#[derive(Debug, Clone)]
pub struct History(FactLog);

impl History {
    /// What this log says.
    pub fn new(facts: FactLog) -> Self {
        Self(facts)
    }

    /// The holds on the item that stand. A release without its proposal is not shown to be two people's and does not count.
    pub async fn holds(&self, code: &UnifiedCode, ingested_at: Timestamp) -> Result<Vec<StandingHold>, StoreError> {
        let placed = self.0.of_item(code, ingested_at, "hold_placed").await?;
        if placed.is_empty() {
            return Ok(Vec::new());
        }
        let (mut proposed, mut released) = (BTreeSet::new(), BTreeSet::new());
        for act in ["hold_release_proposed", "hold_released"] {
            for fact in self.0.of_item(code, ingested_at, act).await? {
                match fact.act {
                    Act::HoldReleaseProposed { hold, .. } => proposed.insert(hold),
                    Act::HoldReleased { hold, .. } => released.insert(hold),
                    _ => false,
                };
            }
        }
        let standing = placed.into_iter().filter_map(|fact| match fact.act {
            Act::HoldPlaced { hold, reason, permanence } => Some(StandingHold { id: hold, reason, permanence }),
            _ => None,
        });
        Ok(standing.filter(|hold| !(proposed.contains(&hold.id) && released.contains(&hold.id))).collect())
    }

    /// The holds on the item that a leader confirmed as permanent, and one whose reason is not in the log yet. Read at every look, so that an announcement that was lost is
    /// made good at the next one.
    pub async fn confirmations(
        &self,
        code: &UnifiedCode,
        ingested_at: Timestamp,
    ) -> Result<(Vec<Confirmation>, Option<HoldId>), StoreError> {
        let confirmed = self.0.of_item(code, ingested_at, "hold_confirmed").await?;
        let permanent: Vec<_> = confirmed
            .into_iter()
            .filter_map(|fact| match fact.act {
                Act::HoldConfirmed { hold, permanence: Permanence::Permanent, .. } => Some((hold, fact.id)),
                _ => None,
            })
            .collect();
        if permanent.is_empty() {
            return Ok((Vec::new(), None));
        }
        let placed = self.0.of_item(code, ingested_at, "hold_placed").await?;
        let reason_of = |wanted: &HoldId| {
            placed.iter().find_map(|fact| match &fact.act {
                Act::HoldPlaced { hold, reason, .. } if hold == wanted => Some(reason.clone()),
                _ => None,
            })
        };
        let (mut known, mut unplaced) = (Vec::new(), None);
        for (hold, fact) in permanent {
            match reason_of(&hold) {
                Some(reason) => known.push(Confirmation { reason, fact }),
                None => unplaced = Some(hold),
            }
        }
        Ok((known, unplaced))
    }

    /// The fact that the item was sealed.
    pub async fn sealed(&self, code: &UnifiedCode, ingested_at: Timestamp) -> Result<Option<FactId>, StoreError> {
        Ok(self.0.of_item(code, ingested_at, "sealed").await?.into_iter().next().map(|fact| fact.id))
    }

    /// What was decided on the item before, as stated; one obligation may have been stated several times.
    pub async fn stated(&self, code: &UnifiedCode, ingested_at: Timestamp) -> Result<Vec<Standing>, StoreError> {
        let facts = self.0.of_item(code, ingested_at, "lock_extended").await?;
        let stated = facts.into_iter().filter_map(|fact| match fact.act {
            Act::LockExtended { until, obligation, policy_version, .. } => {
                Some(Standing { obligation, policy_version, until })
            }
            _ => None,
        });
        Ok(stated.collect())
    }
}
