//! What the custody log says of an item. It outlives the database: an empty one is filled again from here.

use custos_domain::{
    calendar,
    fact::{Act, Fact},
    hold::{HoldReason, Permanence},
    ids::{FactId, HoldId},
    item::UnifiedCode,
    keys,
};
use custos_platform::{
    facts::FactLog,
    vault::{StoreError, Vault},
};
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

/// The custody log, as far as retention reads it.
#[derive(Debug, Clone)]
pub struct History {
    vault: Vault,
    facts: FactLog,
}

impl History {
    /// The log in this vault.
    pub fn new(vault: Vault, facts: FactLog) -> Self {
        Self { vault, facts }
    }

    /// The holds on the item that a leader confirmed as permanent, and one whose reason is not in the log yet. Read at every look, so that an announcement that was lost is
    /// made good at the next one.
    pub async fn confirmations(
        &self,
        code: &UnifiedCode,
        ingested_at: Timestamp,
    ) -> Result<(Vec<Confirmation>, Option<HoldId>), StoreError> {
        let confirmed = self.facts_of(code, ingested_at, "hold_confirmed").await?;
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
        let placed = self.facts_of(code, ingested_at, "hold_placed").await?;
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
        Ok(self.facts_of(code, ingested_at, "sealed").await?.into_iter().next().map(|fact| fact.id))
    }

    /// What was decided on the item before, as stated; one obligation may have been stated several times.
    pub async fn stated(&self, code: &UnifiedCode, ingested_at: Timestamp) -> Result<Vec<Standing>, StoreError> {
        let facts = self.facts_of(code, ingested_at, "lock_extended").await?;
        let stated = facts.into_iter().filter_map(|fact| match fact.act {
            Act::LockExtended { until, obligation, policy_version, .. } => {
                Some(Standing { obligation, policy_version, until })
            }
            _ => None,
        });
        Ok(stated.collect())
    }

    async fn facts_of(&self, code: &UnifiedCode, ingested_at: Timestamp, act: &str) -> Result<Vec<Fact>, StoreError> {
        let prefix = format!("{}{act}-", keys::item_facts(code, calendar::day(ingested_at)));
        let (mut facts, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.vault.versions(&self.vault.buckets().log, &prefix, cursor).await?;
            for object in &page.objects {
                facts.push(self.facts.load(object).await?);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(facts),
            }
        }
    }
}
