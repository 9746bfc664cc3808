//! What the custody log says of an item. It outlives the database: an empty one is filled again from here.

use custos_domain::{
    calendar,
    fact::{Act, Fact},
    hold::{HoldReason, Permanence},
    item::UnifiedCode,
    keys,
};
use custos_platform::{
    facts::FactLog,
    vault::{StoreError, Vault},
};
use jiff::Timestamp;

use crate::{decide::Standing, error::RetentionError};

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

    /// The reasons of the holds on the item that a leader confirmed as permanent. Read at every look, so that an announcement that was lost is
    /// made good at the next one.
    pub async fn confirmations(
        &self,
        code: &UnifiedCode,
        ingested_at: Timestamp,
    ) -> Result<Vec<HoldReason>, RetentionError> {
        let confirmed = self.facts_of(code, ingested_at, "hold_confirmed").await?;
        let permanent: Vec<_> = confirmed
            .into_iter()
            .filter_map(|fact| match fact.act {
                Act::HoldConfirmed { hold, permanence: Permanence::Permanent, .. } => Some(hold),
                _ => None,
            })
            .collect();
        if permanent.is_empty() {
            return Ok(Vec::new());
        }
        let placed = self.facts_of(code, ingested_at, "hold_placed").await?;
        let reason_of = |wanted| {
            placed.iter().find_map(|fact| match &fact.act {
                Act::HoldPlaced { hold, reason, .. } if hold == wanted => Some(reason.clone()),
                _ => None,
            })
        };
        permanent.iter().map(|hold| reason_of(hold).ok_or_else(|| RetentionError::Unplaced(hold.clone()))).collect()
    }

    /// What was decided on the item before, as stated.
    pub async fn stated(&self, code: &UnifiedCode, ingested_at: Timestamp) -> Result<Vec<Standing>, StoreError> {
        let mut standing: Vec<Standing> = Vec::new();
        for fact in self.facts_of(code, ingested_at, "lock_extended").await? {
            let Act::LockExtended { until, obligation, policy_version, .. } = fact.act else { continue };
            match standing.iter_mut().find(|known| known.obligation == obligation) {
                // Stated again for versions that came later, perhaps under a longer lock that others asked for.
                Some(known) => known.until = known.until.min(until),
                None => standing.push(Standing { obligation, policy_version, until }),
            }
        }
        Ok(standing)
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
