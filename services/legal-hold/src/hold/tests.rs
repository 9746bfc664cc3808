use custos_domain::policy::PolicySet;

use super::*;

const A: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/policies/a.yaml"));
const E: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/policies/e.yaml"));

fn policy(text: &str) -> Policy {
    PolicySet::load([("x.yaml", text)]).expect("policy").iter().next().expect("one").clone()
}

fn step(by: &str) -> Step {
    Step { by: PersonId::parse(by).expect("person"), at: Timestamp::UNIX_EPOCH, note: "because".to_owned() }
}

fn hold(origin: Origin, cite: &str) -> Hold {
    Hold {
        id: HoldId::parse("0192-ab").expect("id"),
        tenant: TenantId::parse("A").expect("tenant"),
        origin,
        reason: HoldReason { cite: Cite::parse(cite).expect("cite"), text: "a mass incident".to_owned() },
        permanence: Permanence::Open,
        placed_by: PersonId::parse("chen").expect("person"),
        placed_at: Timestamp::UNIX_EPOCH,
        confirmed: None,
        proposed: None,
        released: None,
    }
}

fn now(taken: Result<Taken, StepError>) -> Hold {
    match taken {
        Ok(Taken::Now(hold)) => *hold,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_step_is_kept_with_the_one_who_took_it() {
    let a = policy(A);
    let placed = hold(Origin::Person, "A-15.3");
    let confirmed = now(placed.confirm(step("wang")));
    let proposed = now(confirmed.propose_release(step("chen"), Some(&a)));
    assert_eq!(proposed.stage().name(), "release_proposed");
    let released = now(proposed.release(step("wang"), Some(&a)));
    assert_eq!(released.stage().name(), "released");
    for kept in [&released.confirmed, &released.proposed, &released.released] {
        assert_eq!(kept.as_ref().map(|step| step.note.as_str()), Some("because"));
    }
}

#[test]
fn what_a_leader_confirmed_as_permanent_does_not_end() {
    let a = policy(A);
    let placed = Hold { permanence: Permanence::Permanent, ..hold(Origin::Person, "A-15.3") };
    assert!(!placed.is_permanent(), "not before a leader has said so");
    now(placed.propose_release(step("li"), Some(&a)));
    let confirmed = now(placed.confirm(step("wang")));
    assert!(confirmed.is_permanent());
    assert_eq!(confirmed.propose_release(step("li"), Some(&a)), Err(StepError::Final));
}

#[test]
fn it_takes_two_people_and_the_right_order() {
    let a = policy(A);
    let placed = hold(Origin::Person, "A-15.3");
    assert!(matches!(placed.confirm(step("chen")), Err(StepError::Rule(HoldError::SamePerson(_)))));
    assert!(matches!(placed.release(step("wang"), Some(&a)), Err(StepError::Rule(HoldError::NotProposed))));
    let proposed = now(placed.propose_release(step("chen"), Some(&a)));
    assert!(matches!(proposed.release(step("chen"), Some(&a)), Err(StepError::Rule(HoldError::SamePerson(_)))));
    assert!(matches!(proposed.confirm(step("wang")), Err(StepError::Rule(HoldError::NotPlaced(_)))));
}

#[test]
fn a_request_sent_twice_is_one_step() {
    let a = policy(A);
    let confirmed = now(hold(Origin::Person, "A-15.3").confirm(step("wang")));
    assert_eq!(confirmed.confirm(step("wang")), Ok(Taken::Before));
    assert!(matches!(confirmed.confirm(step("li")), Err(StepError::Rule(_))));
    let proposed = now(confirmed.propose_release(step("li"), Some(&a)));
    assert_eq!(proposed.propose_release(step("li"), Some(&a)), Ok(Taken::Before));
    let released = now(proposed.release(step("wang"), Some(&a)));
    assert_eq!(released.release(step("wang"), Some(&a)), Ok(Taken::Before));
    assert!(released.release(step("zhou"), Some(&a)).is_err());
}

#[test]
fn what_the_policy_holds_for_want_of_a_period_is_not_for_people_to_end() {
    let unset = hold(Origin::Policy, "A-15.0");
    let error = unset.propose_release(step("wang"), Some(&policy(A))).expect_err("refused").to_string();
    assert!(error.contains("as long as A-15.0 has no period"), "{error}");
    assert_eq!(unset.confirm(step("wang")), Err(StepError::PolicyPlaced));
    assert!(unset.propose_release(step("wang"), None).is_err(), "without a policy nobody can tell");
    now(unset.propose_release(step("wang"), Some(&policy(E))));
    now(hold(Origin::Policy, "A-15.9").propose_release(step("wang"), Some(&policy(A))));
}
