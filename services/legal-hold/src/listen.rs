//! What wakes legal-hold: an item was sealed, and a seal is there to be held; a lock was extended, and its policy asks for a hold.

use std::sync::Arc;

use custos_domain::fact::Act;
use custos_platform::{
    item,
    worker::{Delivery, Fault},
};

use crate::{LegalHold, error::LegalHoldError, ledger::ItemRef};

impl LegalHold {
    /// Handles one announcement.
    pub async fn handle(self: Arc<Self>, delivery: Delivery) -> Result<(), Fault> {
        let fact = self.facts.load(delivery.object()).await.map_err(LegalHoldError::from)?;
        let Some(code) = fact.subject.code() else {
            return Err(Fault::reject(anyhow::anyhow!(
                "{} is about no item; expected one that was sealed or locked",
                fact.id
            )));
        };
        match &fact.act {
            Act::Sealed { .. } => {
                let manifest = item::manifest(&self.vault, code).await.map_err(LegalHoldError::from)?;
                let manifest = manifest.ok_or(LegalHoldError::ManifestGone)?;
                self.recover(&ItemRef::from(&manifest)).await?;
                if self.ledger.wake(code).await.map_err(LegalHoldError::from)? {
                    self.wake();
                }
                Ok(())
            }
            Act::LockExtended { obligation, .. } => Ok(self.hold_for_policy(&fact, obligation).await?),
            _ => Ok(()),
        }
    }
}
