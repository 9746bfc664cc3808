use proptest::prelude::*;

use super::*;

const UNITS: u8 = 6;

#[derive(Debug, Clone)]
enum Step {
    Ask(u8, bool),
    Withdraw(usize),
    Release(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..UNITS, any::<bool>()).prop_map(|(unit, new)| Step::Ask(unit, new)),
        1 => any::<usize>().prop_map(Step::Withdraw),
        3 => any::<usize>().prop_map(Step::Release),
    ];
    proptest::collection::vec(step, 0..400)
}

fn pick<T: Clone>(from: &mut Vec<T>, at: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(at % from.len()))
}

/// For each waiting unit that holds nothing: grants to others since that began, and units that waited then.
type Passed = HashMap<u8, (usize, usize)>;

/// Begins to count for units that have become hungry, and stops for those that no longer are.
fn count(admission: &Admission<u8>, passed: &mut Passed) {
    let waiting = (0..UNITS).filter(|unit| admission.waiting(unit) > 0).count();
    for unit in 0..UNITS {
        if admission.waiting(&unit) > 0 && admission.held(&unit) == 0 {
            passed.entry(unit).or_insert((0, waiting));
        } else {
            passed.remove(&unit);
        }
    }
}

proptest! {
    /// Whatever the order of asking, giving up and giving back: never over budget, nothing granted twice or unasked, nothing left
    /// lying when somebody may have it, and a unit that holds nothing is served within as many grants as units wait.
    #[test]
    fn within_budget_and_nobody_starves(capacity in 1_usize..20, steps in steps()) {
        let mut admission = Admission::new(capacity);
        let (mut asked, mut holders, mut passed) = (Vec::new(), Vec::new(), Passed::new());
        for (ticket, step) in (0..).zip(steps) {
            match step {
                Step::Ask(unit, new) => {
                    admission.ask(&unit, if new { Asker::New } else { Asker::Running }, ticket);
                    asked.push((unit, ticket));
                }
                Step::Withdraw(at) => if let Some((unit, ticket)) = pick(&mut asked, at) {
                    admission.withdraw(&unit, ticket);
                },
                Step::Release(at) => if let Some(unit) = pick(&mut holders, at) {
                    admission.release(&unit);
                },
            }
            count(&admission, &mut passed);
            while let Some((unit, ticket)) = admission.grant() {
                let before = asked.len();
                asked.retain(|place| *place != (unit, ticket));
                prop_assert_eq!(asked.len() + 1, before, "granted unasked");
                holders.push(unit);
                for (other, (grants, waited)) in &mut passed {
                    if *other != unit {
                        *grants += 1;
                        prop_assert!(*grants < *waited, "unit {} was passed over {} times", other, grants);
                    }
                }
                count(&admission, &mut passed);
            }
            prop_assert_eq!(admission.in_use(), holders.len());
            prop_assert!(admission.in_use() <= capacity);
            let hungry = (0..UNITS).any(|unit| admission.waiting(&unit) > 0 && admission.held(&unit) == 0);
            prop_assert!(!hungry || admission.in_use() == capacity, "memory lies idle while a unit has none");
        }
    }
}

#[test]
fn of_one_unit_the_running_go_first_and_a_flood_leaves_room_for_the_next_unit() {
    let mut admission = Admission::new(16);
    for ticket in 0..200 {
        admission.ask(&"flood", Asker::New, ticket);
    }
    let granted = |admission: &mut Admission<&'static str>| std::iter::from_fn(|| admission.grant()).count();
    assert_eq!(granted(&mut admission), 8, "half of 16 is left to those that run");
    for ticket in 500..520 {
        admission.ask(&"flood", Asker::Running, ticket);
    }
    assert_eq!(granted(&mut admission), 6, "an eighth of 16 is kept");
    admission.ask(&"single", Asker::New, 600);
    assert_eq!(admission.grant(), Some(("single", 600)));
    assert_eq!(admission.grant(), None);
    admission.release(&"flood");
    admission.release(&"flood");
    assert_eq!(admission.grant(), Some(("flood", 506)), "a running upload before 192 that wait to begin");
}

#[test]
fn the_smallest_budget_still_serves() {
    for capacity in [1, 2] {
        let mut admission = Admission::new(capacity);
        admission.ask(&1, Asker::New, 1);
        admission.ask(&1, Asker::Running, 2);
        assert_eq!(admission.grant(), Some((1, 2)));
        assert_eq!(admission.grant(), None);
        admission.release(&1);
        assert_eq!(admission.grant(), Some((1, 1)));
    }
}
