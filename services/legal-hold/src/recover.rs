//! Holds from the custody log: what a database that was restored, or emptied, has forgotten.

use std::collections::BTreeMap;

use custos_domain::{
    fact::{Act, Actor, Fact},
    ids::{HoldId, PersonId},
};

use crate::{
    LegalHold,
    error::LegalHoldError,
    hold::{Hold, Origin, Step},
    ledger::ItemRef,
    policy_hold::POLICY,
};

impl LegalHold {
    /// Adds what the log knows of an item's holds and the database does not. Answers how many holds or steps were added.
    pub async fn recover(&self, item: &ItemRef) -> Result<usize, LegalHoldError> {
        let mut recovered = 0;
        for logged in holds_of(&self.logged(item).await?) {
            let mut tx = self.ledger.begin().await?;
            let known = self.ledger.hold_for_update(&mut tx, &logged.id).await?;
            let added = match known {
                None => self.ledger.add(&mut tx, &logged, None, std::slice::from_ref(item)).await?,
                Some(known) => {
                    let put_on = self.ledger.put_on_one(&mut tx, &logged.id, item).await?;
                    let further = further(&known, &logged);
                    if let Some(further) = &further {
                        self.ledger.step(&mut tx, further).await?;
                        self.ledger.wake_items_of(&mut tx, &logged.id).await?;
                    }
                    put_on || further.is_some()
                }
            };
            tx.commit().await?;
            if added {
                tracing::warn!(item = %item.code, hold = %logged.id, "the log knew of a hold what the database had forgotten");
                recovered += 1;
            }
        }
        Ok(recovered)
    }

    /// The steps that are stated; what was applied is read from the store itself.
    async fn logged(&self, item: &ItemRef) -> Result<Vec<Fact>, LegalHoldError> {
        let mut facts = Vec::new();
        for act in STEPS {
            facts.extend(self.facts.of_item(&item.code, item.ingested_at, act).await?);
        }
        Ok(facts)
    }
}

/// The acts a hold is made of.
const STEPS: [&str; 4] = ["hold_placed", "hold_confirmed", "hold_release_proposed", "hold_released"];

/// The holds that these facts tell of, each with the steps that were taken.
fn holds_of(facts: &[Fact]) -> Vec<Hold> {
    let placed = facts.iter().filter_map(|fact| match &fact.act {
        Act::HoldPlaced { hold, reason, permanence } => Some(Hold {
            id: hold.clone(),
            tenant: fact.tenant.clone(),
            origin: if matches!(fact.actor, Actor::Service { .. }) { Origin::Policy } else { Origin::Person },
            reason: reason.clone(),
            permanence: *permanence,
            placed_by: by(fact)?,
            placed_at: fact.at,
            confirmed: None,
            proposed: None,
            released: None,
        }),
        _ => None,
    });
    let mut holds: BTreeMap<HoldId, Hold> = placed.map(|hold| (hold.id.clone(), hold)).collect();
    for fact in facts {
        let mut set = |id: &HoldId, note: &String, slot: fn(&mut Hold) -> &mut Option<Step>| {
            if let (Some(hold), Some(by)) = (holds.get_mut(id), by(fact)) {
                *slot(hold) = Some(Step { by, at: fact.at, note: note.clone() });
            }
        };
        match &fact.act {
            Act::HoldConfirmed { hold, note, .. } => set(hold, note, |hold| &mut hold.confirmed),
            Act::HoldReleaseProposed { hold, note } => set(hold, note, |hold| &mut hold.proposed),
            Act::HoldReleased { hold, note } => set(hold, note, |hold| &mut hold.released),
            _ => {}
        }
    }
    // A release whose proposal did not get into the log yet cannot be shown to be two people's: it does not count.
    for hold in holds.values_mut().filter(|hold| hold.proposed.is_none()) {
        hold.released = None;
    }
    holds.into_values().collect()
}

fn by(fact: &Fact) -> Option<PersonId> {
    match &fact.actor {
        Actor::Person { person, .. } => Some(person.clone()),
        Actor::Service { .. } => PersonId::parse(POLICY).ok(),
        Actor::Station { .. } => None,
    }
}

/// The known hold with the steps that only the log has; none when there are none. What is known stays.
fn further(known: &Hold, logged: &Hold) -> Option<Hold> {
    let mut hold = known.clone();
    if hold.confirmed.is_none() && hold.proposed.is_none() {
        hold.confirmed.clone_from(&logged.confirmed);
    }
    if hold.proposed.is_none() {
        hold.proposed.clone_from(&logged.proposed);
    }
    let by = |step: &Option<Step>| step.as_ref().map(|step| step.by.clone());
    if hold.released.is_none() && by(&hold.proposed) == by(&logged.proposed) {
        hold.released.clone_from(&logged.released);
    }
    (hold != *known).then_some(hold)
}

#[cfg(test)]
mod tests;
