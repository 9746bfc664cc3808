//! Legal holds.

use super::{
    Check, Outcome, Weight,
    scratch::{Scratch, words},
};
use crate::vault::StoreError;

pub(super) const CHECKS: [Check; 2] = [
    Check {
        id: "holds.delete",
        tried: "deleting a version under a hold, bypassing its GOVERNANCE lock: refused; done once the hold is off",
        weight: Weight::Mandatory,
        why: "INV-6: what is held stays, whatever its lock",
        remedy: "use another store, or another release of it: a hold is all that keeps an item whose period has ended",
        trial: |scratch| Box::pin(delete(scratch)),
    },
    Check {
        id: "holds.header-alone",
        tried: "PutObject with a hold header and no date: the hold is on, and the bucket's default retention applies as well",
        weight: Weight::Advisory,
        why: "Custos never creates anything with a hold alone: MinIO then leaves the default retention out (tried)",
        remedy: "nothing for Custos; remember it for whatever else writes to a locked bucket",
        trial: |scratch| Box::pin(header_alone(scratch)),
    },
];

async fn delete(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let until = scratch.soon();
    let object = scratch.put(&scratch.key("held"), Some(until), false).await?;
    if let Err(error) = scratch.vault.set_hold(&object, true).await {
        return if error.is_permanent() { Ok(Outcome::broken(error.to_string())) } else { Err(error) };
    }
    if !scratch.refused(until, scratch.vault.discard_probe(&object, true)).await? {
        return Ok(Outcome::broken("the version was deleted"));
    }
    scratch.vault.set_hold(&object, false).await?;
    scratch.vault.discard_probe(&object, true).await?;
    Ok(Outcome::kept("refused while it was held, done after"))
}

async fn header_alone(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let object = scratch.put(&scratch.key("hold-header-alone"), None, true).await?;
    let (held, lock) = (scratch.vault.is_held(&object).await?, scratch.lock(&object).await?);
    if held {
        scratch.vault.set_hold(&object, false).await?;
    }
    let seen = format!("hold {}, {}", if held { "on" } else { "off" }, words(lock));
    Ok(Outcome::when(held && lock.is_some(), seen))
}
