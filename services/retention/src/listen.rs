//! What wakes retention: an item was sealed, or a hold on it was confirmed as permanent.

use std::sync::Arc;

use custos_domain::fact::{Act, Fact};
use custos_domain::hold::Permanence;
use custos_platform::worker::{Delivery, Fault};

use crate::{Retention, error::RetentionError};

impl Retention {
    /// Handles one announcement. The fact only says which item to look at; everything else is read anew.
    pub async fn handle(self: Arc<Self>, delivery: Delivery) -> Result<(), Fault> {
        let fact = self.facts.load(delivery.object()).await.map_err(RetentionError::from)?;
        if !concerns(&fact) {
            return Ok(());
        }
        let code = fact.subject.code().ok_or_else(|| {
            Fault::reject(anyhow::anyhow!("{} is about no item; expected one that was sealed or held", fact.id))
        })?;
        Ok(self.look(code).await?)
    }
}

fn concerns(fact: &Fact) -> bool {
    match &fact.act {
        Act::Sealed { .. } => true,
        Act::HoldConfirmed { permanence, .. } => *permanence == Permanence::Permanent,
        _ => false,
    }
}
