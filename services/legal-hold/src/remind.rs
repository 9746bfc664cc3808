//! A leader's confirmation of a permanent hold must end in a lock to the horizon. That is retention's work; whether it was done
//! shows in the store. As long as it does not show, the confirmation is announced again.

use std::time::Duration;

use custos_domain::{keys, manifest::StoredObject};
use custos_platform::{facts::StatedFact, item::StoredItem};
use jiff::Timestamp;

use crate::{LegalHold, error::LegalHoldError, facts, hold::Hold, ledger::leases::Lease, metrics};

/// How long retention is left alone, and how long between two reminders: longer than the bus takes a repetition for the same
/// message (two minutes).
pub const PATIENCE: Duration = Duration::from_secs(150);

impl LegalHold {
    /// Announces again what is not done yet. Answers whether something is outstanding. A failure here is only told: it must not
    /// stand in the way of the hold itself.
    pub(crate) async fn remind(&self, lease: &Lease, item: &StoredItem, holds: &[Hold]) -> bool {
        let permanent: Vec<&Hold> = holds.iter().filter(|hold| hold.is_permanent()).collect();
        if permanent.is_empty() {
            return false;
        }
        match self.remind_of(lease, item, &permanent).await {
            Ok(outstanding) => outstanding,
            Err(error) => {
                tracing::warn!(item = %lease.item.code, error = %error, "could not see whether a permanent hold reached the lock");
                true
            }
        }
    }

    async fn remind_of(&self, lease: &Lease, item: &StoredItem, holds: &[&Hold]) -> Result<bool, LegalHoldError> {
        let policy = self.policies.get(lease.item.tenant())?;
        let horizon = policy.horizon_until(item.manifest.ingested_at);
        if self.all_locked(&item.objects, horizon).await? {
            return Ok(false);
        }
        for hold in holds {
            self.announce_again(lease, hold).await?;
        }
        Ok(true)
    }

    async fn all_locked(&self, objects: &[StoredObject], horizon: Timestamp) -> Result<bool, LegalHoldError> {
        for object in objects {
            let lock = self.vault.lock_of(object).await;
            let reaches = match lock {
                Ok(lock) => lock.is_some_and(|until| until.as_second() >= horizon.as_second()),
                // An incident of its own; no reminder brings it back.
                Err(error) if error.is_not_found() => true,
                Err(error) => return Err(error.into()),
            };
            if !reaches {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Only what the log has: a confirmation that is still in the outbox is on its way.
    async fn announce_again(&self, lease: &Lease, hold: &Hold) -> Result<(), LegalHoldError> {
        let Some(step) = &hold.confirmed else { return Ok(()) };
        let age = Duration::try_from(self.clock.now().duration_since(step.at)).unwrap_or_default();
        if age < PATIENCE {
            return Ok(());
        }
        let confirmed = facts::fact(&lease.item, &facts::confirmed(hold, step), &facts::service(), hold.id.as_str());
        let log = &self.vault.buckets().log;
        if let Some(object) = self.vault.first_version(log, &keys::fact(&confirmed)).await? {
            let fact = self.facts.load(&object).await?;
            tracing::warn!(item = %lease.item.code, hold = %hold.id, "the lock is not at the horizon yet; announcing the confirmation again");
            metrics::reminded();
            self.facts.announce(&StatedFact { fact, object, new: false }).await?;
        }
        Ok(())
    }
}
