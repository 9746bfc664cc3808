use std::collections::BTreeSet;

use super::*;

const GOLDEN: &str = include_str!("../../golden/facts.jsonl");

/// Every act there is. A new one gets a line here and a golden fact.
const ACTS: [&str; 23] = [
    "catalogue_searched",
    "deposit_rejected",
    "deposited",
    "derived",
    "dock_closed",
    "dock_opened",
    "enrolment_code_issued",
    "hold_applied",
    "hold_confirmed",
    "hold_placed",
    "hold_release_proposed",
    "hold_released",
    "incident_closed",
    "incident_opened",
    "lock_extended",
    "permit_issued",
    "record_read",
    "sealed",
    "station_enrolled",
    "station_registered",
    "station_renewed",
    "station_revoked",
    "upload_abandoned",
];

#[test]
fn the_same_act_has_one_id_and_another_act_another() {
    let day = |d| Subject::Catalogue { day: jiff::civil::date(2026, 11, d) };
    assert_eq!(fact_id("sealed", &day(1), "x"), fact_id("sealed", &day(1), "x"));
    assert_ne!(fact_id("sealed", &day(1), "x"), fact_id("sealed", &day(2), "x"));
    assert_ne!(fact_id("sealed", &day(1), "x"), fact_id("sealed", &day(1), "y"));
    assert!(FactId::parse(fact_id("sealed", &day(1), "x").as_str()).is_ok());
}

/// Stored facts outlive every release: each of these lines must be readable for ever, and mean the same.
#[test]
fn stored_facts_of_every_release_are_still_read() {
    let mut seen = BTreeSet::new();
    for (number, line) in GOLDEN.lines().enumerate() {
        let fact: Fact = serde_json::from_str(line).unwrap_or_else(|e| panic!("golden fact {}: {e}", number + 1));
        let stored: serde_json::Value = serde_json::from_str(line).expect("json");
        assert_eq!(serde_json::to_value(&fact).expect("serialise"), stored, "golden fact {}", number + 1);
        seen.insert(fact.act.name());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ACTS);
}

/// The id decides the key a fact is stated at: a change of its derivation would state old facts again.
#[test]
fn ids_of_every_release_are_still_derived() {
    let fact: Fact =
        serde_json::from_str(GOLDEN.lines().find(|line| line.contains("\"sealed\"")).expect("sealed")).expect("fact");
    assert_eq!(fact_id(fact.act.name(), &fact.subject, "hashing"), fact.id);
}
