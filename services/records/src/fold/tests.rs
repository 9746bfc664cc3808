use custos_domain::{
    digest::{Root, Sm3},
    fact::{Act, Fact, Subject, fact_id},
    hold::Permanence,
    keys,
    policy::{Obligation, OpenReason, Origin},
};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{item::State, kept::Class, samples::*, *};

fn item(facts: impl IntoIterator<Item = Known>) -> ItemRecord {
    project(facts).item.expect("item")
}

fn steps(facts: impl IntoIterator<Item = Known>) -> Vec<Step> {
    project(facts).pending.into_iter().map(|pending| pending.step).collect()
}

#[test]
fn nothing_is_shown_of_an_item_whose_deposit_is_not_known() {
    assert_eq!(project([sealed(), derived(30)]).item, None);
}

#[test]
fn an_item_goes_from_deposited_to_sealed_and_says_what_follows() {
    assert_eq!(item([deposited()]).state, State::Deposited);
    assert_eq!(steps([deposited()]), [Step::Seal]);
    let both = [deposited(), sealed()];
    assert_eq!(item(both.clone()).state, State::Sealed);
    assert_eq!(item(both.clone()).sm3, Some(Sm3([2; 32])));
    assert_eq!(steps(both), [Step::Derive, Step::Lock]);
    assert_eq!(steps([deposited(), sealed(), derived(30), locked(20, 2000, dated())]), []);
}

#[test]
fn a_mismatch_stays_until_a_person_closes_it_and_without_a_seal_even_then() {
    let (mismatch, incident) = mismatch(10);
    let closed = closed(20, incident);
    let open = item([deposited(), mismatch.clone()]);
    assert_eq!((open.state, open.open_incidents), (State::Mismatched, 1));
    assert_eq!(steps([deposited(), mismatch.clone()]), [], "no second re-read is asked for");
    let after = item([deposited(), mismatch.clone(), closed.clone()]);
    assert_eq!((after.state, after.open_incidents), (State::Mismatched, 0));
    assert_eq!(item([deposited(), sealed(), mismatch.clone()]).state, State::Mismatched);
    assert_eq!(item([deposited(), sealed(), mismatch, closed]).state, State::Sealed);
}

#[test]
fn what_may_be_deleted_is_never_guessed() {
    let base = [deposited(), sealed(), locked(20, 2000, dated())];
    let with = |more: &[Known]| item(base.iter().chain(more).cloned());
    assert_eq!(item([deposited()]).class, Class::Pending);
    assert_eq!(item([deposited()]).eligible_from, None);

    let free = with(&[]);
    assert_eq!((free.class, free.held, free.locked_until), (Class::Dated, false, at(2000)));
    assert_eq!(free.eligible_from, dated().lock_until().map(|until| until.max(at(2000))));

    let held = with(&[placed(40, "E-14.1", Permanence::Open)]);
    assert_eq!((held.class, held.held, held.eligible_from), (Class::LongTerm, true, None));
    let released = with(&[&[placed(40, "E-14.1", Permanence::Open)][..], &release(50)].concat());
    assert_eq!((released.class, released.held), (Class::Dated, false));
    assert!(released.eligible_from.is_some());
    assert_eq!(with(&[applied(60, true)]).eligible_from, None, "the store's word counts as well");

    let asked = with(&[locked(21, 9000, unset())]);
    assert_eq!((asked.class, asked.eligible_from), (Class::Unset, None));
    let ended =
        with(&[&[locked(21, 9000, unset()), placed(40, "A-15.0", Permanence::Open)][..], &release(50)].concat());
    assert_eq!(ended.class, Class::Dated, "two people ended the hold that stood for it");
}

#[test]
fn a_hold_is_waited_for_where_one_is_asked_and_the_horizon_where_it_was_confirmed() {
    let base = [deposited(), sealed(), derived(30), locked(20, 2000, unset())];
    let with = |more: &[Known]| steps(base.iter().chain(more).cloned());
    assert_eq!(with(&[]), [Step::Hold]);
    let long = Obligation::Open {
        reason: OpenReason::LongTerm,
        cite: cite("E-14.0"),
        text: String::new(),
        origin: Origin::Text,
    };
    assert_eq!(with(&[locked(22, 2000, long)]), [Step::Hold, Step::Hold], "one for each article");
    assert_eq!(with(&[placed(40, "A-15.0", Permanence::Open)]), []);
    let permanent = [placed(40, "A-15.0", Permanence::Permanent), confirmed(41, Permanence::Permanent)];
    assert_eq!(with(&permanent), [Step::Horizon]);
    let horizon = Obligation::Permanent { cite: cite("A-15.0"), text: String::new(), origin: Origin::Text };
    assert_eq!(with(&[&permanent[..], &[locked(50, 99_000, horizon)]].concat()), []);
    assert_eq!(with(&[&permanent[..], &release(60)].concat()), []);
}

#[test]
fn the_start_is_the_recorders_clock_less_its_error() {
    let started = item([deposited()]).intake.started_at.expect("start");
    assert_eq!(started, "2026-11-23T09:14:00+08:00".parse::<Timestamp>().expect("time"));
}

#[test]
fn a_docking_tells_what_never_arrived() {
    let subject = Subject::Docking { station: id("S01"), docking: id("018f-d") };
    let fact = |second, act: Act| {
        let base = deposited().fact;
        let fact =
            Fact { id: fact_id(act.name(), &subject, ""), at: at(second), subject: subject.clone(), act, ..base };
        Known { object: object(&keys::fact(&fact)), fact, evidence: None }
    };
    let file = |name: &str| custos_domain::fact::DeviceFile { name: name.into(), length: 1 };
    let (files, counters) = (vec![file("a"), file("b"), file("c")], [("lastsequence".to_owned(), 7)].into());
    let opened = Act::DockOpened { device: id("D1"), officer: None, files, clock: None, counters };
    let left = vec![custos_domain::fact::LeftFile { name: "b".into(), reason: "unreadable".into() }];
    let ended = |arrived: &[&str]| {
        let (arrived, left) = (arrived.iter().map(|name| (*name).to_owned()).collect(), left.clone());
        Act::DockClosed { device: id("D1"), deposited: vec![code()], arrived, left, erased: 0 }
    };
    let closed = ended(&[]);
    let (opened, closed) = (fact(0, opened), fact(9, closed));
    assert_eq!(project([opened.clone()]).docking.expect("docking").missing, None);
    let both = project([closed, opened.clone()]).docking.expect("docking");
    assert_eq!((both.missing, both.opened_at, both.closed_at), (Some(1), Some(at(0)), Some(at(9))));
    assert_eq!(both.counters["lastsequence"], 7);

    // Two copies are one item: by number one of them would seem never to have come.
    let named = |arrived| project([opened.clone(), fact(9, ended(arrived))]).docking.expect("docking");
    let (copies, one) = (named(&["a", "c"]), named(&["c"]));
    assert_eq!((copies.missing, copies.missing_files), (Some(0), vec![]));
    assert_eq!((one.missing, one.missing_files), (Some(1), vec!["a".to_owned()]));
}

#[test]
fn a_row_comes_back_from_the_database_as_it_was_written() {
    let facts = life();
    let item = item(facts.clone());
    let stored = serde_json::to_string(&item).expect("JSON");
    assert_eq!(serde_json::from_str::<ItemRecord>(&stored).expect("item"), item);
    for known in facts {
        let stored = serde_json::to_string(&known.evidence).expect("JSON");
        assert_eq!(serde_json::from_str::<Option<Evidence>>(&stored).expect("evidence"), known.evidence);
    }
}

proptest! {
    /// Replay, redelivery and rebuild meet the facts in other orders, more than once, and cut off anywhere.
    #[test]
    fn order_and_repetition_of_facts_do_not_matter(
        chosen in proptest::sample::subsequence(life(), 0..=life().len()),
        clock in proptest::collection::vec(-90_i64..90, life().len()),
        seed: u64,
    ) {
        let facts: Vec<Known> = chosen.into_iter().zip(clock).map(|(mut known, skew)| {
            known.fact.at += jiff::SignedDuration::from_secs(skew);
            known
        }).collect();
        let expected = project(facts.clone());
        prop_assert_eq!(project(shuffled(&facts, seed)), expected.clone());
        // Heard in two halves, the whole is computed again from all of them.
        let (first, rest) = facts.split_at(facts.len() / 2);
        prop_assert_eq!(project(rest.iter().chain(first).cloned()), expected.clone());
        prop_assert_eq!(project(facts.into_iter().filter(Known::changes_rows)), expected, "reading changes nothing");
    }
}

/// Every fact one to three times, in an order the seed decides.
fn shuffled(facts: &[Known], seed: u64) -> Vec<Known> {
    let place = |known: &Known, copy: u64| {
        let text = format!("{seed}/{}/{copy}", known.object.key);
        Root::of(text.as_bytes()).0
    };
    let copies = facts.iter().flat_map(|known| (0..=u64::from(place(known, 9)[0] % 3)).map(move |copy| (known, copy)));
    let mut order: Vec<_> = copies.map(|(known, copy)| (place(known, copy), known.clone())).collect();
    order.sort_by_key(|(place, _)| *place);
    order.into_iter().map(|(_, known)| known).collect()
}
