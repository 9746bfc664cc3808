//! Holds that a policy asks for: where it has no period (regulation A) or names no end, and nobody has to ask.

use custos_domain::{
    fact::{Fact, fact_id},
    hold::{HoldReason, Permanence},
    ids::{HoldId, PersonId},
    policy::Obligation,
};
use custos_platform::{db::Moment, item};

use crate::{
    LegalHold,
    error::LegalHoldError,
    facts,
    hold::{Hold, Origin},
    ledger::ItemRef,
    metrics,
};

/// Who placed it, in place of a person.
pub const POLICY: &str = "policy";

impl LegalHold {
    /// Places the hold that `obligation` asks for, once. `extended` is retention's fact that told of it.
    pub(crate) async fn hold_for_policy(&self, extended: &Fact, obligation: &Obligation) -> Result<(), LegalHoldError> {
        let (Some(code), Some(reason)) = (extended.subject.code(), reason(obligation)) else { return Ok(()) };
        let manifest = item::manifest(&self.vault, code).await?.ok_or(LegalHoldError::ManifestGone)?;
        let item = ItemRef::from(&manifest);
        // A forgotten one comes back as it was, with whatever people decided on it since.
        self.recover(&item).await?;
        let Some(hold) = hold(&item, reason, extended) else { return Ok(()) };
        let mut tx = self.ledger.begin().await?;
        if self.ledger.add(&mut tx, &hold, None, std::slice::from_ref(&item)).await? {
            let mut placed = facts::fact(&item, &facts::placed(&hold), &facts::service(), hold.id.as_str());
            placed.cause = Some(extended.id.clone());
            placed.trace.clone_from(&manifest.trace);
            custos_platform::db::outbox::put(&mut tx, &placed).await?;
            metrics::placed(Origin::Policy, hold.permanence);
        }
        tx.commit().await?;
        self.wake();
        Ok(())
    }
}

/// Why, if the obligation asks for a hold that nobody else places.
fn reason(obligation: &Obligation) -> Option<HoldReason> {
    match obligation {
        Obligation::Unset { cite, reason } => {
            Some(HoldReason { cite: cite.clone(), text: format!("{}\n{}", reason.zh, reason.en) })
        }
        Obligation::Open { cite, text, .. } => Some(HoldReason { cite: cite.clone(), text: text.clone() }),
        // A date needs no hold, and permanence came from one.
        Obligation::Dated { .. } | Obligation::Permanent { .. } => None,
    }
}

/// One hold for an item and an article: its id is made from the two, so that it is the same whoever places it and whenever.
fn hold(item: &ItemRef, reason: HoldReason, extended: &Fact) -> Option<Hold> {
    let id = fact_id("policy_hold", &facts::subject(item), reason.cite.as_str());
    let (_, digest) = id.as_str().rsplit_once('-')?;
    Some(Hold {
        id: HoldId::of(uuid::Uuid::parse_str(digest).ok()?),
        tenant: item.tenant().clone(),
        origin: Origin::Policy,
        reason,
        permanence: Permanence::Open,
        placed_by: PersonId::parse(POLICY).ok()?,
        placed_at: Moment::cut(extended.at).0,
        confirmed: None,
        proposed: None,
        released: None,
    })
}

#[cfg(test)]
mod tests;
