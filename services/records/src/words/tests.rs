use custos_domain::{fact::Fact, hold::Permanence};

use super::*;
use crate::fold::{
    Known, project,
    samples::{deposited, derived, locked, placed, release, sealed, unset},
};

/// One fact of every kind ever stated.
const GOLDEN: &str = include_str!("../../../shared/domain/golden/facts.jsonl");

#[test]
fn every_act_ever_stated_is_told_in_both_languages() {
    for line in GOLDEN.lines() {
        let fact: Fact = serde_json::from_str(line).expect("fact");
        for Sentence { zh, en } in [describe(&fact.act), actor(&fact.actor)] {
            assert!(en.len() > 3 && zh.len() > 3, "{}: {en} {zh}", fact.id);
        }
        assert!(!describe(&fact.act).zh.is_ascii(), "{}", fact.id);
    }
}

fn reasons(facts: impl IntoIterator<Item = Known>) -> Vec<String> {
    let item = project(facts).item.expect("item");
    assert_eq!(short(&item), why(&item)[0], "the list shows the strongest");
    why(&item).into_iter().map(|sentence| sentence.en).collect()
}

#[test]
fn why_an_item_is_kept_begins_with_what_people_hold_and_ends_with_the_lock() {
    let fresh = reasons([deposited()]);
    assert_eq!(fresh.len(), 1);
    assert!(fresh[0].contains("no period is stated, so no deletion may be proposed"), "{fresh:?}");

    let life = [deposited(), sealed(), derived(30), locked(20, 2000, unset())];
    let with = |more: &[Known]| reasons(life.iter().chain(more).cloned());
    let asked = with(&[]);
    assert!(asked[0].starts_with("not to be deleted: no period is set for A-15.0"), "{asked:?}");
    let held = with(&[placed(40, "E-14.1", Permanence::Open)]);
    assert!(held[0].starts_with("held under E-14.1: 異議; placed by e-leader of NANJING on "), "{held:?}");
    assert!(held[0].contains("a leader has still to confirm it"), "{held:?}");
    assert_eq!(held[1], asked[0]);
    assert!(held[2].starts_with("locked in the store until "), "{held:?}");
    let released = with(&[&[placed(40, "E-14.1", Permanence::Open)][..], &release(50)].concat());
    assert_eq!(released, asked, "a hold that two people ended is no reason any more");
}
