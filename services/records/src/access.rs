//! Who asked what (登記: ): a fact, durable in the store before anybody is answered (integrity: log before act).

use custos_domain::{
    calendar,
    fact::{Act, Actor, Fact, Subject, fact_id},
};
use custos_platform::{facts::StatedFact, http::auth::Person, telemetry::current_traceparent};

use crate::{Records, RecordsError, fold::ItemRecord};

/// The longest query that is written down, in characters.
const MOST: usize = 1000;

impl Records {
    /// States that a person searched, and what they were about to be shown.
    pub(crate) async fn searched(&self, person: &Person, query: &str, results: usize) -> Result<(), RecordsError> {
        let now = self.clock.now();
        let act = Act::CatalogueSearched {
            query: query.chars().take(MOST).collect(),
            results: u32::try_from(results).unwrap_or(u32::MAX),
        };
        let subject = Subject::Catalogue { day: calendar::day(now) };
        let fact = Fact {
            // Each time counts.
            id: fact_id(act.name(), &subject, &uuid::Uuid::new_v4().to_string()),
            at: now,
            tenant: person.tenant.clone(),
            unit: Some(person.unit.clone()),
            actor: actor(person),
            cause: None,
            subject,
            act,
            trace: current_traceparent(),
        };
        self.state(fact).await.map(drop)
    }

    /// States that a person read an item's record.
    pub(crate) async fn read(&self, person: &Person, item: &ItemRecord, view: &str) -> Result<(), RecordsError> {
        let act = Act::RecordRead { view: view.to_owned() };
        let subject = Subject::item(&item.code, item.intake.ingested_at);
        let fact = Fact {
            id: fact_id(act.name(), &subject, &uuid::Uuid::new_v4().to_string()),
            at: self.clock.now(),
            tenant: item.tenant.clone(),
            unit: Some(item.intake.unit.clone()),
            actor: actor(person),
            cause: None,
            subject,
            act,
            trace: current_traceparent(),
        };
        self.state(fact).await.map(drop)
    }

    /// Makes a fact durable and lets it be announced. It comes back to the catalogue as every fact does.
    pub(crate) async fn state(&self, fact: Fact) -> Result<StatedFact, RecordsError> {
        let stated = self.facts.state(&fact).await?;
        self.facts.announce_later(stated.clone());
        Ok(stated)
    }
}

/// A signed-in person as the one who acts.
pub(crate) fn actor(person: &Person) -> Actor {
    Actor::Person { person: person.id.clone(), unit: person.unit.clone() }
}
