//! The facts of a hold: one for every item it is on, in the same transaction as the decision.

use custos_domain::{
    fact::{Act, Actor, Fact, Subject, fact_id},
    ids::FactId,
};
use custos_platform::{db::outbox, http::auth::Person, telemetry::current_traceparent};
use jiff::Timestamp;
use sqlx::PgTransaction;

use crate::{
    LegalHold,
    error::LegalHoldError,
    hold::{Hold, Step},
    ledger::ItemRef,
};

/// The person as an actor.
pub fn person(person: &Person) -> Actor {
    Actor::Person { person: person.id.clone(), unit: person.unit.clone() }
}

/// This service as an actor.
pub fn service() -> Actor {
    Actor::Service { name: "legal-hold".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// An act and when it happened.
#[derive(Debug, Clone)]
pub struct Happened {
    /// The act.
    pub act: Act,
    /// When.
    pub at: Timestamp,
}

/// The hold was placed.
pub fn placed(hold: &Hold) -> Happened {
    let (id, reason, permanence) = (hold.id.clone(), hold.reason.clone(), hold.permanence);
    Happened { act: Act::HoldPlaced { hold: id, reason, permanence }, at: hold.placed_at }
}

/// A leader confirmed it.
pub fn confirmed(hold: &Hold, step: &Step) -> Happened {
    let act = Act::HoldConfirmed { hold: hold.id.clone(), permanence: hold.permanence, note: step.note.clone() };
    Happened { act, at: step.at }
}

/// The first of two people asked for its end.
pub fn proposed(hold: &Hold, step: &Step) -> Happened {
    Happened { act: Act::HoldReleaseProposed { hold: hold.id.clone(), note: step.note.clone() }, at: step.at }
}

/// The second of two people ended it.
pub fn released(hold: &Hold, step: &Step) -> Happened {
    Happened { act: Act::HoldReleased { hold: hold.id.clone(), note: step.note.clone() }, at: step.at }
}

/// The fact that `happened` to `item`; `discriminator` as in [`fact_id`], for the steps of a hold its id.
pub fn fact(item: &ItemRef, happened: &Happened, actor: &Actor, discriminator: &str) -> Fact {
    let subject = subject(item);
    Fact {
        id: fact_id(happened.act.name(), &subject, discriminator),
        at: happened.at,
        tenant: item.tenant().clone(),
        unit: Some(item.unit.clone()),
        actor: actor.clone(),
        cause: None,
        subject,
        act: happened.act.clone(),
        trace: current_traceparent(),
    }
}

/// The id of the fact that a step of a hold was stated as.
pub fn id_of_step(item: &ItemRef, act: &str, hold: &Hold) -> FactId {
    fact_id(act, &subject(item), hold.id.as_str())
}

/// The item as a subject.
pub fn subject(item: &ItemRef) -> Subject {
    Subject::item(&item.code, item.ingested_at)
}

impl LegalHold {
    /// Puts a step's facts in the outbox.
    pub(crate) async fn put(
        &self,
        tx: &mut PgTransaction<'_>,
        hold: &Hold,
        items: &[ItemRef],
        happened: &Happened,
        actor: &Actor,
    ) -> Result<(), LegalHoldError> {
        for item in items {
            outbox::put(tx, &fact(item, happened, actor, hold.id.as_str())).await?;
        }
        Ok(())
    }
}
