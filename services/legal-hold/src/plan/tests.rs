use proptest::prelude::*;

use super::*;

const SETTLE: Duration = Duration::from_mins(2);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("timestamp")
}

fn object(key: &str) -> StoredObject {
    StoredObject { bucket: "originals".to_owned(), key: key.to_owned(), version: "1".to_owned() }
}

fn found(states: &[(&str, Option<bool>)]) -> Vec<Found> {
    states.iter().map(|(key, held)| Found { object: object(key), held: *held }).collect()
}

fn applied(on: bool, second: i64, settled: bool, keys: &[&str]) -> Applied {
    Applied { on, at: at(second), settled, objects: keys.iter().map(|key| object(key)).collect() }
}

fn keys(objects: &[StoredObject]) -> Vec<&str> {
    objects.iter().map(|object| object.key.as_str()).collect()
}

#[test]
fn a_new_hold_is_switched_on_and_is_no_drift() {
    let plan = plan(true, None, &found(&[("a", Some(false)), ("b", Some(true)), ("c", None)]), at(0), SETTLE);
    assert_eq!((keys(&plan.switch), plan.then), (vec!["a"], Then::Applied));
    assert_eq!((plan.drifted, plan.gone), (vec![], vec!["c version 1 is gone".to_owned()]));
}

#[test]
fn what_a_crash_left_in_the_store_is_recorded_without_switching() {
    let plan = plan(true, None, &found(&[("a", Some(true))]), at(0), SETTLE);
    assert_eq!((plan.switch, plan.then), (vec![], Then::Applied));
}

#[test]
fn a_switch_off_that_a_crash_kept_from_the_record_is_recorded() {
    let before = applied(true, 0, true, &["a"]);
    let plan = plan(false, Some(&before), &found(&[("a", Some(false))]), at(500), SETTLE);
    assert_eq!((plan.switch, plan.then), (vec![], Then::Applied));
}

#[test]
fn it_is_confirmed_only_by_a_second_look_past_the_settle_time() {
    let before = applied(true, 100, false, &["a"]);
    let look = |second| plan(true, Some(&before), &found(&[("a", Some(true))]), at(second), SETTLE).then;
    assert_eq!(look(90), Then::Waiting(SETTLE), "a clock that went back");
    assert_eq!(look(160), Then::Waiting(Duration::from_mins(1)));
    assert_eq!(look(220), Then::Settled);
    let settled = applied(true, 100, true, &["a"]);
    assert_eq!(plan(true, Some(&settled), &found(&[("a", Some(true))]), at(220), SETTLE).then, Then::AsBefore);
}

#[test]
fn a_hold_that_went_off_by_itself_is_drift_and_put_back() {
    for settled in [false, true] {
        let before = applied(true, 0, settled, &["a", "b"]);
        let plan = plan(true, Some(&before), &found(&[("a", Some(true)), ("b", Some(false))]), at(500), SETTLE);
        assert_eq!((keys(&plan.switch), plan.then), (vec!["b"], Then::Applied));
        assert_eq!(plan.drifted, ["b version 1 is not held any more"]);
    }
}

#[test]
fn a_seal_that_came_later_is_late_not_drifted() {
    let before = applied(true, 0, true, &["a"]);
    let plan = plan(true, Some(&before), &found(&[("a", Some(true)), ("seal", Some(false))]), at(500), SETTLE);
    assert_eq!((keys(&plan.switch), plan.then, plan.drifted), (vec!["seal"], Then::Applied, vec![]));
}

#[test]
fn a_released_hold_is_switched_off_and_its_coming_back_is_no_drift() {
    let before = applied(true, 0, true, &["a"]);
    let first = plan(false, Some(&before), &found(&[("a", Some(true))]), at(500), SETTLE);
    assert_eq!((keys(&first.switch), first.then, first.drifted), (vec!["a"], Then::Applied, vec![]));
    let off = applied(false, 500, false, &["a"]);
    let back = plan(false, Some(&off), &found(&[("a", Some(true))]), at(700), SETTLE);
    assert_eq!((keys(&back.switch), back.then, back.drifted), (vec!["a"], Then::Applied, vec![]));
}

proptest! {
    /// Looks until nothing is left to do, with crashes after the store was changed and a power cut that undoes it: always ends in
    /// the wanted state, confirmed, and says drift only when something was undone that had been read back.
    #[test]
    fn looking_again_and_again_ends_in_what_is_wanted(
        on: bool,
        start in proptest::collection::vec(any::<bool>(), 1..5),
        crashes in proptest::collection::vec(any::<bool>(), 6),
        undo in 0_usize..12,
    ) {
        let names = ["a", "b", "c", "d"];
        let mut store = start.clone();
        let (mut before, mut now, mut drift, mut undone) = (None::<Applied>, 0_i64, 0, false);
        for step in 0..14 {
            if step == undo && before.as_ref().is_some_and(|applied| applied.on) {
                undone = store[0] && on;
                store[0] = false;
            }
            let states: Vec<_> = names.iter().zip(&store).map(|(name, held)| (*name, Some(*held))).collect();
            let plan = plan(on, before.as_ref(), &found(&states), at(now), SETTLE);
            drift += plan.drifted.len();
            for object in &plan.switch {
                let index = names.iter().position(|name| *name == object.key).expect("known");
                store[index] = on;
            }
            if crashes.get(step).copied().unwrap_or(false) {
                continue;
            }
            let objects = names[..store.len()].iter().map(|name| object(name)).collect();
            let since = before.as_ref().filter(|_| plan.then != Then::Applied).map_or(at(now), |applied| applied.at);
            let settled = matches!(plan.then, Then::Settled | Then::AsBefore);
            before = Some(Applied { on, at: since, settled, objects });
            now += 130;
        }
        prop_assert!(store.iter().all(|held| *held == on));
        prop_assert!(before.is_some_and(|applied| applied.on == on && applied.settled));
        prop_assert_eq!(drift > 0, undone);
    }
}
