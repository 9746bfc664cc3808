use std::sync::LazyLock;

use jiff::civil::date;
use proptest::{prelude::*, sample::subsequence};

use super::*;
use crate::{
    calendar::{Period, last_day_kept},
    ids::TenantId,
};

/// The files that are deployed, not copies of them.
const FILES: [(&str, &str); 5] = [
    ("a.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/policies/a.yaml"))),
    ("b.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/policies/b.yaml"))),
    ("c.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/policies/c.yaml"))),
    ("d.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/policies/d.yaml"))),
    ("e.yaml", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/policies/e.yaml"))),
];

fn deployed() -> &'static PolicySet {
    static DEPLOYED: LazyLock<PolicySet> = LazyLock::new(|| PolicySet::load(FILES).expect("deployed policies"));
    &DEPLOYED
}

fn policy(tenant: &str) -> Policy {
    deployed().get(&TenantId::parse(tenant).expect("tenant")).expect("policy").clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// The regulations as supplied: whoever quotes them quotes letter by letter.
#[test]
fn every_quotation_stands_in_the_regulations() {
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace() && !"「」".contains(*c)).collect::<String>();
    let source =
        letters(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/policies/regulations.txt")));
    let mut quotations = 0;
    for policy in deployed().iter() {
        let base = match &policy.base {
            Base::AtLeast { text, .. } => Some(text),
            Base::Unset { .. } => None,
        };
        let rules = policy.rules.iter().filter(|rule| rule.origin == Origin::Text).map(|rule| &rule.text);
        for text in base.into_iter().chain(rules) {
            for part in text.split('…').filter(|part| !part.is_empty()) {
                assert!(source.contains(&letters(part)), "not in the regulations: {part}");
                quotations += 1;
            }
        }
    }
    assert!(quotations > 20, "only {quotations}");
}

/// What loading B says after replacing `from` by `to` in its file.
fn refusal(from: &str, to: &str) -> String {
    let text = FILES[1].1;
    assert!(text.contains(from), "{from}");
    PolicySet::load([("b.yaml", text.replace(from, to).as_str())]).expect_err(to).to_string()
}

#[test]
fn every_tenant_has_its_own_numbers() {
    let ingest = at("2024-11-30T09:00+08");
    for (tenant, floor, base, cite, first_day_free) in [
        ("B", "P30D", "P3M", "B-4.6b", "2025-03-02T00:00+08"),
        ("C", "P30D", "P6M", "C-11.1", "2025-05-31T00:00+08"),
        ("D", "P30D", "P1Y", "D-14.1", "2025-12-01T00:00+08"),
        ("E", "P30D", "P3M", "E-13.1", "2025-03-02T00:00+08"),
    ] {
        let policy = policy(tenant);
        assert_eq!((policy.regulation.as_str(), policy.floor.period.to_string().as_str()), (tenant, floor));
        let Obligation::Dated { until, last_day_kept: last, period, cite: by, origin, .. } =
            policy.base_obligation(ingest)
        else {
            panic!("{tenant} has a period");
        };
        assert_eq!((period.to_string().as_str(), by.as_str(), origin), (base, cite, Origin::Text));
        assert_eq!((until, last), (at(first_day_free), last_day_kept(ingest, period)));
        assert_eq!(policy.floor_until(ingest), at("2024-12-31T00:00+08"));
        assert_eq!(policy.horizon_until(ingest), at("2124-12-01T00:00+08"));
    }
    assert_eq!(deployed().iter().count(), 5);
}

#[test]
fn the_incomplete_regulation_is_never_eligible() {
    let (a, ingest) = (policy("A"), at("2026-11-23T09:00+08"));
    assert_eq!(a.floor_until(ingest), at("2027-05-23T00:00+08"));
    let kept = a.kept(ingest, &[]);
    assert!(matches!(kept.strongest(), Some(Obligation::Unset { cite, .. }) if cite.as_str() == "A-15.0"));
    assert_eq!((kept.hold, kept.lock_until, kept.eligible_from()), (true, None, None));
}

#[test]
fn in_force_where_the_text_names_a_day() {
    let since = |tenant| policy(tenant).in_force.map(|in_force| in_force.since);
    assert_eq!((since("C"), since("E")), (Some(date(2017, 6, 1)), Some(date(2014, 1, 1))));
    assert_eq!((since("A"), since("B"), since("D")), (None, None, None));
}

/// Requirements 1.6, second table: which trigger counts for whom.
#[test]
fn triggers_reach_the_article_they_stand_in() {
    use Trigger as T;
    let articles: [(Trigger, &[&str]); 13] = [
        (T::Dispute, &["C-12.1", "D-15.1", "E-14.1"]),
        (T::ComplaintOrPetition, &["C-12.1", "E-14.1"]),
        (T::Obstruction, &["B-4.6.1", "C-12.2", "D-15.4", "E-14.2"]),
        (T::InsultOrAssault, &["B-4.6.1", "C-12.2", "E-14.2"]),
        (T::MassIncident, &["A-15.3", "B-4.6.2", "D-15.2", "E-14.3"]),
        (T::Emergency, &["A-15.3", "B-4.6.2", "D-15.2", "E-14.3"]),
        (T::EnvironmentalEmergency, &["C-12.3"]),
        (T::PoliceInvolved, &["B-4.6.3"]),
        (T::MajorCase, &["D-15.3"]),
        (T::ContentiousProcess, &["D-15.3"]),
        (T::OtherImportant, &["A-15.4", "B-4.6.4", "C-12.4", "E-14.4"]),
        (T::OtherEnforcement, &["D-15.5"]),
        (T::UsedAsEvidence, &["C-11.2", "D-14.4", "E-13.2"]),
    ];
    assert_eq!(articles.map(|(trigger, _)| trigger), Trigger::ALL);
    for (trigger, expected) in articles {
        let rules = deployed().iter().flat_map(|policy| &policy.rules).filter(|rule| rule.triggers.contains(&trigger));
        let cites: Vec<&str> = rules.map(|rule| rule.cite.as_str()).collect();
        assert_eq!(cites, expected, "{trigger}");
    }
}

#[test]
fn rules_ask_for_what_their_text_says() {
    for policy in deployed().iter() {
        for rule in &policy.rules {
            let expected = match (policy.regulation.as_str(), rule.triggers.as_slice()) {
                ("A", _) => Duty::Permanent,
                (_, [Trigger::UsedAsEvidence]) => Duty::Open(OpenReason::CaseFile),
                _ => Duty::Open(OpenReason::LongTerm),
            };
            assert_eq!((rule.obligation, rule.origin), (expected, Origin::Text), "{}", rule.cite);
            assert_eq!(rule.under.is_some(), expected == Duty::Open(OpenReason::LongTerm), "{}", rule.cite);
        }
    }
}

#[test]
fn tags_lift_footage_out_of_the_base_period() {
    let (ingest, e) = (at("2026-11-23T09:00+08"), policy("E"));
    let kept = e.kept(ingest, &[Trigger::Dispute, Trigger::UsedAsEvidence, Trigger::PoliceInvolved]);
    let because: Vec<&str> = kept.because.iter().map(|obligation| obligation.cite().as_str()).collect();
    assert_eq!(because, ["E-14.1", "E-13.2", "E-13.1"]);
    assert_eq!((kept.lock_until, kept.hold, kept.eligible_from()), (Some(at("2027-02-24T00:00+08")), true, None));
    let permanent = policy("A").kept(ingest, &[Trigger::MassIncident]);
    assert!(matches!(permanent.strongest(), Some(Obligation::Permanent { .. })));
}

#[test]
fn the_reason_is_a_sentence_with_its_article() {
    let ingest = at("2024-11-30T09:00+08");
    let why = policy("B").base_obligation(ingest).explain();
    assert_eq!(
        why.en,
        "kept at least to the end of 2025-03-01 (Asia/Shanghai), 3 months from ingest, under B-4.6b 「聲像資料至少保存3個月」; \
         deletion may be proposed from 2025-03-02"
    );
    assert_eq!(
        why.zh,
        "依 B-4.6b「聲像資料至少保存3個月」，自入庫之日起3個月，至少保存至 2025-03-01（含當日），2025-03-02 零時起方可提請刪除"
    );
    for policy in deployed().iter() {
        for obligation in policy.obligations(ingest, &Trigger::ALL) {
            let why = obligation.explain();
            assert!(why.en.contains(obligation.cite().as_str()) && why.zh.contains(obligation.cite().as_str()));
        }
    }
}

#[test]
fn what_is_ours_says_so() {
    let period = Period::parse("P6M").expect("period");
    let cite = Cite::parse("E-13.1").expect("cite");
    let ours =
        Obligation::dated(at("2026-11-23T09:00+08"), period, cite, "ministry rule".to_owned(), Origin::Ours).explain();
    assert!(ours.en.contains("not of the regulation") && ours.zh.contains("非規定原文"), "{ours:?}");
}

#[test]
fn a_wrong_file_is_refused_by_name_and_field() {
    for (from, to, expected) in [
        ("P3M", "P3X", "`P3X` is not a period"),
        ("P3M", "P101Y", "longer than 100 years"),
        ("years: 100", "years: 101", "a horizon of 101 years is not allowed"),
        ("years: 100", "years: 10, colour: red", "colour"),
        ("version: 1", "version: 1\nversion: 2", "duplicate"),
        ("tenant: B", "tenant: b", "`b` is not a tenant id"),
        ("regulation: B", "regulation: BB", "regulation: `BB`"),
        ("cite: B-4.6b", "cite: 4.6b", "`4.6b` is not an article id"),
        ("cite: B-4.6.1", "cite: C-12.1", "C-12.1: not an article of regulation B"),
        ("cite: B-4.6.2", "cite: B-4.6.1", "B-4.6.1 stands there twice"),
        ("under: B-4.6.0", "under: B-4.7.0", "under B-4.7.0, which is not among the leads"),
        ("period: P30D", "period: P91D", "floor.period: P91D can be longer than base.at_least.period, P3M"),
        ("origin: ours", "origin: text", "must be `ours`"),
        ("triggers: [police_involved]", "triggers: []", "B-4.6.3 names no trigger"),
        ("triggers: [police_involved]", "triggers: [police]", "police"),
        ("text: 公安機關已經介入處理的事件及案件", "text: \"\"", "B-4.6.3: the text is empty"),
        ("version: 1", "version: 2", "version: 2 must be 1, or replace"),
        ("version: 1", "version: 2\nreplaces: { version: 2, effective_from: 2025-01-01 }", "version: 2 must be 1"),
        ("version: 1", "version: 2\nreplaces: { version: 1, effective_from: 2026-01-01 }", "version: 2 must be 1"),
        (
            "version: 1",
            "version: 1\nin_force: { since: 2026-01-02, cite: B-1 }",
            "effective_from: 2026-01-01 is before the regulation is in force, 2026-01-02",
        ),
        ("effective_from: 2026-01-01", "effective_from: 2026-02-31", "line "),
        ("base:", "bases:", "bases"),
    ] {
        let message = refusal(from, to);
        assert!(message.starts_with("policy file b.yaml: ") && message.contains(expected), "{to}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_period_beyond_the_horizon_is_refused() {
    let short = FILES[3].1.replace("years: 100", "years: 1").replace("P1Y", "P1Y1D");
    let message = PolicySet::load([("d.yaml", short.as_str())]).expect_err("beyond").to_string();
    assert_eq!(message.split(": ").nth(1), Some("base"), "{message}");
}

#[test]
fn one_file_for_each_tenant() {
    let twice = PolicySet::load([FILES[1], ("copy-of-b.yaml", FILES[1].1)]).expect_err("twice");
    assert_eq!(
        twice.to_string(),
        "policy files b.yaml and copy-of-b.yaml are both for tenant B; keep the one in force"
    );
    assert_eq!(PolicySet::load([]), Err(PolicyError::None));
    let stranger = TenantId::parse("F").expect("tenant");
    assert_eq!(deployed().get(&stranger), Err(PolicyError::Missing(stranger)));
}

#[test]
fn a_replacing_version_loads() {
    let text = FILES[1].1.replace("version: 1", "version: 2\nreplaces: { version: 1, effective_from: 2025-01-01 }");
    PolicySet::load([("b.yaml", text.as_str())]).expect("version 2");
}

#[test]
fn names_on_the_wire_are_those_in_the_files() {
    for trigger in Trigger::ALL {
        assert_eq!(serde_json::to_value(trigger).expect("json"), trigger.as_str());
    }
    for policy in deployed().iter() {
        for obligation in policy.obligations(at("2026-11-23T09:00+08"), &Trigger::ALL) {
            let json = serde_json::to_string(&obligation).expect("json");
            assert_eq!(serde_json::from_str::<Obligation>(&json).expect(&json), obligation);
        }
    }
}

/// Obligations of all kinds, with ties.
fn obligations() -> impl Strategy<Value = Vec<Obligation>> {
    let ingest = at("2026-11-23T09:00+08");
    let all: Vec<_> = deployed().iter().flat_map(|policy| policy.obligations(ingest, &Trigger::ALL)).collect();
    (1..=all.len()).prop_flat_map(move |count| subsequence(all.clone(), count)).prop_shuffle()
}

proptest! {
    #[test]
    fn the_longest_wins_in_any_order(all in obligations()) {
        let kept = combine(all.clone());
        let strongest = all.iter().cloned().reduce(Obligation::strongest);
        prop_assert_eq!(kept.strongest(), strongest.as_ref());
        prop_assert_eq!(&combine(all.iter().rev().cloned()), &kept);
        prop_assert_eq!(&combine(all.iter().chain(&all).cloned()), &kept);
        for obligation in &all {
            prop_assert!(obligation.lock_until() <= kept.lock_until, "every lock is covered");
            prop_assert!(kept.hold || !obligation.is_hold(), "every hold is covered");
        }
    }

    #[test]
    fn more_tags_never_shorten(tags in subsequence(Trigger::ALL.to_vec(), 0..=13), more in subsequence(Trigger::ALL.to_vec(), 0..=13)) {
        let ingest = at("2026-11-23T09:00+08");
        let both: Vec<Trigger> = tags.iter().chain(&more).copied().collect();
        for policy in deployed().iter() {
            let (few, many) = (policy.kept(ingest, &tags), policy.kept(ingest, &both));
            prop_assert!(few.lock_until <= many.lock_until && few.hold <= many.hold);
            prop_assert!(many.because.iter().any(|o| Some(o) == few.strongest()));
        }
    }

    #[test]
    fn any_file_is_read_or_refused(text in ".{0,200}", at in 0_usize..2000, with in "[ -~]{0,8}") {
        let _ = PolicySet::load([("x.yaml", text.as_str())]);
        let mut mangled: Vec<char> = FILES[1].1.chars().collect();
        let at = at.min(mangled.len());
        mangled.splice(at..(at + 3).min(mangled.len()), with.chars());
        let mangled: String = mangled.into_iter().collect();
        let _ = PolicySet::load([("x.yaml", mangled.as_str())]);
    }
}
