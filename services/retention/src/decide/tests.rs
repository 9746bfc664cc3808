use custos_domain::{
    ids::TenantId,
    policy::{Cite, PolicySet},
};
use proptest::prelude::*;

use super::*;

const FILES: [(&str, &str); 2] = [
    ("a.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/policies/a.yaml"))),
    ("b.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/policies/b.yaml"))),
];

fn policy(tenant: &str) -> Policy {
    loaded(FILES, tenant)
}

fn loaded<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, tenant: &str) -> Policy {
    let set = PolicySet::load(files).expect("policies");
    set.get(&TenantId::parse(tenant).expect("tenant")).expect("policy").clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn ingest() -> Timestamp {
    at("2024-11-30T09:00+08")
}

fn reason(cite: &str) -> HoldReason {
    HoldReason { cite: Cite::parse(cite).expect("cite"), text: "what happened".to_owned() }
}

fn object(key: &str) -> StoredObject {
    StoredObject { bucket: "originals".to_owned(), key: key.to_owned(), version: "1".to_owned() }
}

fn found(key: &str, lock: Lock) -> Found {
    Found { object: object(key), lock }
}

#[test]
fn the_base_period_is_owed_to_everything() {
    let owed = newly_owed(&policy("B"), ingest(), &[], &[]);
    let [standing] = owed.as_slice() else { panic!("{owed:?}") };
    assert_eq!((standing.obligation.cite().as_str(), standing.policy_version), ("B-4.6b", 1));
    assert_eq!(standing.until, at("2025-03-02T00:00+08"));
    assert_eq!(kept(&owed).eligible_from(), Some(at("2025-03-02T00:00+08")));
}

#[test]
fn where_the_text_is_missing_the_floor_is_kept_and_nothing_is_eligible() {
    let owed = newly_owed(&policy("A"), ingest(), &[], &[]);
    let [standing] = owed.as_slice() else { panic!("{owed:?}") };
    assert!(matches!(standing.obligation, Obligation::Unset { .. }));
    assert_eq!(standing.until, policy("A").floor_until(ingest()));
    assert_eq!(kept(&owed).eligible_from(), None);
}

#[test]
fn a_confirmed_permanence_goes_to_the_horizon_with_the_rules_words() {
    let a = policy("A");
    let owed = newly_owed(&a, ingest(), &[], &[reason("A-15.3"), reason("A-15.3")]);
    assert_eq!(wanted(&owed), Some(at("2124-12-01T00:00+08")));
    let Some(Standing { obligation: Obligation::Permanent { text, origin, .. }, .. }) = owed.get(1) else {
        panic!("{owed:?}")
    };
    assert_eq!((text.as_str(), *origin), ("執法人員參與處置群體性事件、突發事件的", Origin::Text));
    assert_eq!(owed.len(), 2, "two holds under one article are one obligation");
    let unknown = newly_owed(&a, ingest(), &[], &[reason("A-99")]);
    assert!(matches!(&unknown[1].obligation, Obligation::Permanent { origin: Origin::Ours, .. }), "{unknown:?}");
}

#[test]
fn what_was_decided_is_not_decided_again_by_another_file() {
    let before = newly_owed(&policy("B"), ingest(), &[], &[]);
    assert_eq!(newly_owed(&policy("B"), ingest(), &before, &[]), []);
    let longer = FILES[1]
        .1
        .replace("P3M", "P9Y")
        .replace("version: 1", "version: 2\nreplaces: { version: 1, effective_from: 2025-01-01 }");
    assert_eq!(newly_owed(&loaded([("b.yaml", longer.as_str())], "B"), ingest(), &before, &[]), []);
}

#[test]
fn what_was_stated_is_restored_as_it_was_decided() {
    let a = policy("A");
    let mut decided = newly_owed(&a, ingest(), &[], &[]);
    decided.extend(newly_owed(&a, ingest(), &decided, &[reason("A-15.3")]));
    // Stated with the lock that stood, and again for a seal that came later.
    let stood = |standing: &Standing| Standing { until: a.horizon_until(ingest()), ..standing.clone() };
    let stated: Vec<Standing> = decided.iter().map(stood).chain(decided.iter().map(stood)).collect();
    assert_eq!(restored(&a, ingest(), stated), decided);
}

#[test]
fn a_period_set_later_is_added_to_the_unset_one() {
    let before = newly_owed(&policy("A"), ingest(), &[], &[]);
    let text = FILES[0].1;
    let (head, tail) = text.split_once("  unset:").expect("base");
    let (_, rules) = tail.split_once("\nrules:").expect("rules");
    let set = format!("{head}  at_least: {{ period: P1Y, cite: A-15.0, text: 一年 }}\n\nrules:{rules}");
    let owed = newly_owed(&loaded([("a.yaml", set.as_str())], "A"), ingest(), &before, &[]);
    assert!(matches!(owed.as_slice(), [Standing { obligation: Obligation::Dated { .. }, .. }]), "{owed:?}");
    let all: Vec<Standing> = before.into_iter().chain(owed).collect();
    assert_eq!(kept(&all).eligible_from(), None, "only a person ends what is unset");
}

#[test]
fn only_a_lock_that_was_longer_has_drifted() {
    let (short, long) = (at("2025-01-01T00:00Z"), at("2025-06-01T00:00Z"));
    let recorded = Recorded { until: short, objects: ["kept", "lost", "gone", "weak"].map(object).to_vec() };
    let all = [
        found("kept", Lock::Until(short)),
        found("lost", Lock::Until(at("2024-12-31T00:00Z"))),
        found("weak", Lock::None),
        found("gone", Lock::Gone),
        found("late", Lock::Until(at("2024-12-31T00:00Z"))),
        found("enough", Lock::Until(long)),
    ];
    let early = at("2024-06-01T00:00Z");
    let gap = Gap::between(&all, long, Some(&recorded), early);
    let names: Vec<&str> = gap.short.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(names, ["kept", "lost", "weak", "late"]);
    assert_eq!(gap.drifted.len(), 2, "{:?}", gap.drifted);
    assert!(gap.drifted[0].starts_with("lost version 1 is locked until 2024-12-31"), "{:?}", gap.drifted);
    assert!(gap.drifted[1].starts_with("weak version 1 is locked not at all"), "{:?}", gap.drifted);
    assert_eq!(gap.gone, ["gone version 1 is gone"]);
    assert_eq!(Gap::between(&all, long, None, early).drifted, Vec::<String>::new(), "nothing was read back before");
    let after = Gap::between(&all, long, Some(&recorded), long);
    assert_eq!((after.short, after.drifted, after.gone.len()), (vec![], vec![], 1), "the dates have passed");
}

#[test]
fn milliseconds_are_no_drift() {
    let recorded = Recorded { until: at("2025-01-01T00:00:00.9Z"), objects: vec![object("kept")] };
    let kept = [found("kept", Lock::Until(at("2025-01-01T00:00:00Z")))];
    let gap = Gap::between(&kept, recorded.until, Some(&recorded), at("2024-06-01T00:00Z"));
    assert_eq!(gap, Gap { short: vec![], drifted: vec![], gone: vec![] });
}

proptest! {
    /// Whatever is decided in whatever order, the wanted lock never moves earlier and never beyond the horizon.
    #[test]
    fn the_wanted_lock_only_grows(tenant in "[AB]", second in 1_600_000_000_i64..2_000_000_000, cites in proptest::collection::vec("[AB]-1[0-9]\\.[1-9]", 0..6)) {
        let policy = policy(&tenant);
        let ingest = Timestamp::from_second(second).expect("timestamp");
        let mut standing: Vec<Standing> = Vec::new();
        let mut last = None;
        for round in 0..=cites.len() {
            let confirmed: Vec<HoldReason> = cites[..round].iter().map(|cite| reason(cite)).collect();
            let owed = newly_owed(&policy, ingest, &standing, &confirmed);
            standing.extend(owed);
            let now = wanted(&standing);
            prop_assert!(now >= last, "{last:?} {now:?}");
            prop_assert!(now <= Some(policy.horizon_until(ingest)));
            prop_assert!(now >= Some(policy.floor_until(ingest)));
            prop_assert_eq!(newly_owed(&policy, ingest, &standing, &confirmed), vec![]);
            last = now;
        }
    }
}
