use custos_domain::{
    fact::{Subject, fact_id},
    hold::{HoldReason, Permanence},
    ids::{TenantId, UnitPath},
    policy::Cite,
};
use jiff::Timestamp;

use super::*;

fn id() -> HoldId {
    HoldId::parse("0192-ab").expect("id")
}

fn person(name: &str) -> Actor {
    let unit = UnitPath::parse("NANJING").expect("unit");
    Actor::Person { person: PersonId::parse(name).expect("person"), unit }
}

fn fact(actor: Actor, second: i64, act: Act) -> Fact {
    let subject = Subject::Catalogue { day: jiff::civil::date(2026, 11, 23) };
    Fact {
        id: fact_id(act.name(), &subject, "x"),
        at: Timestamp::from_second(second).expect("timestamp"),
        tenant: TenantId::parse("E").expect("tenant"),
        unit: None,
        actor,
        cause: None,
        subject,
        act,
        trace: None,
    }
}

fn placed(actor: Actor) -> Fact {
    let reason = HoldReason { cite: Cite::parse("E-14.1").expect("cite"), text: "a dispute".to_owned() };
    fact(actor, 1, Act::HoldPlaced { hold: id(), reason, permanence: Permanence::Open })
}

fn proposed(by: &str) -> Fact {
    fact(person(by), 3, Act::HoldReleaseProposed { hold: id(), note: "it was settled".to_owned() })
}

fn released(by: &str) -> Fact {
    fact(person(by), 4, Act::HoldReleased { hold: id(), note: "agreed".to_owned() })
}

#[test]
fn a_hold_comes_back_with_everybody_who_had_a_word_in_it() {
    let confirmed = fact(
        person("wang"),
        2,
        Act::HoldConfirmed { hold: id(), permanence: Permanence::Open, note: "seen".to_owned() },
    );
    // The log lists by id, not by time.
    let holds = holds_of(&[confirmed, released("li"), placed(person("chen")), proposed("zhou")]);
    let [hold] = holds.as_slice() else { panic!("{holds:?}") };
    assert_eq!((hold.placed_by.as_str(), hold.origin, hold.stage().name()), ("chen", Origin::Person, "released"));
    let by = |step: &Option<Step>| step.as_ref().map(|step| step.by.as_str().to_owned());
    let people = [&hold.confirmed, &hold.proposed, &hold.released].map(by).map(Option::unwrap_or_default);
    assert_eq!(people, ["wang", "zhou", "li"]);
}

#[test]
fn a_policys_hold_comes_back_as_one() {
    let service = Actor::Service { name: "legal-hold".to_owned(), version: "0.1.0".to_owned() };
    let holds = holds_of(&[placed(service)]);
    assert_eq!((holds[0].origin, holds[0].placed_by.as_str()), (Origin::Policy, POLICY));
}

#[test]
fn a_release_without_its_proposal_does_not_count() {
    let holds = holds_of(&[placed(person("chen")), released("li")]);
    assert_eq!(holds[0].released, None);
    assert_eq!(holds_of(&[released("li")]), [], "nor one of a hold that nobody placed");
}

#[test]
fn only_what_is_missing_is_added() {
    let logged = holds_of(&[placed(person("chen")), proposed("zhou"), released("li")]).remove(0);
    let bare = Hold { proposed: None, released: None, ..logged.clone() };
    assert_eq!(further(&bare, &logged), Some(logged.clone()));
    assert_eq!(further(&logged, &bare), None, "the database may be ahead of the log");
    let by_another = Hold { proposed: bare.proposed.clone().or(Some(step("xu"))), ..bare.clone() };
    assert_eq!(further(&by_another, &logged), None, "another's proposal is not what was agreed to");
    // The database keeps microseconds, the log nanoseconds.
    let mut rounded = Hold { released: None, ..logged.clone() };
    rounded.proposed.as_mut().expect("proposed").at = Timestamp::from_second(2).expect("timestamp");
    assert!(further(&rounded, &logged).is_some_and(|hold| hold.released.is_some()));
}

fn step(by: &str) -> Step {
    Step { by: PersonId::parse(by).expect("person"), at: Timestamp::UNIX_EPOCH, note: "x".to_owned() }
}
