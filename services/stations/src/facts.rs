//! The facts of a station, put in the outbox in the transaction that makes them true.

use custos_domain::{
    fact::{Act, Actor, Fact, IncidentClass, IssuedCertificate, Subject, fact_id},
    ids::StationId,
};
use custos_platform::{db::outbox, http::auth::Person, telemetry::current_traceparent};
use jiff::Timestamp;
use sqlx::PgTransaction;

use crate::{authority::Issued, error::StationsError, ledger::stations::Station};

/// The person as an actor.
pub fn person(person: &Person) -> Actor {
    Actor::Person { person: person.id.clone(), unit: person.unit.clone() }
}

/// The station as an actor.
pub fn station(station: &StationId) -> Actor {
    Actor::Station { station: station.clone() }
}

/// This service as an actor.
pub fn service() -> Actor {
    Actor::Service { name: "stations".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// A code that was used is tried with another key: either the code was seen by somebody, or it was given to two.
pub fn code_reused(id: &str, serial: &str) -> Act {
    let detail = format!(
        "the enrolment code {id}, for which certificate {serial} was issued, was tried again with another key; find out who \
         had the code, and revoke the station if it was not its own technician"
    );
    Act::IncidentOpened { class: IncidentClass::Enrolment, detail }
}

/// A certificate that was renewed is shown again, for another key: two have its key.
pub fn certificate_reused(serial: &str, successor: &str) -> Act {
    let detail = format!(
        "the certificate {serial}, which was renewed as {successor}, was shown again to be renewed for another key; its key was \
         copied, or the station's state folder was restored: revoke the station and issue a new code"
    );
    Act::IncidentOpened { class: IncidentClass::Enrolment, detail }
}

/// The fact that `act` happened to `station`; `discriminator` as in [`fact_id`].
pub fn fact(station: &Station, act: Act, actor: Actor, at: Timestamp, discriminator: &str) -> Fact {
    let subject = Subject::Station { station: station.id.clone() };
    // A fact's id has no agency in it, and two agencies may call their stations alike.
    let discriminator = format!("{}/{discriminator}", station.tenant);
    Fact {
        id: fact_id(act.name(), &subject, &discriminator),
        at,
        tenant: station.tenant.clone(),
        unit: Some(station.unit.clone()),
        actor,
        cause: None,
        subject,
        act,
        trace: current_traceparent(),
    }
}

/// Puts a fact in the outbox.
pub(crate) async fn put(tx: &mut PgTransaction<'_>, fact: &Fact) -> Result<(), StationsError> {
    Ok(outbox::put(tx, fact).await?)
}

impl From<&Issued> for IssuedCertificate {
    fn from(issued: &Issued) -> Self {
        Self { serial: issued.serial.clone(), key: issued.key, until: issued.until }
    }
}
