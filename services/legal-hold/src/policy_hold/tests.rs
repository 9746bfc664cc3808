use custos_domain::{
    fact::{Act, Actor, Subject},
    ids::{DeviceId, RecordingId, Segment, TenantId, UnitPath},
    item::{ItemKey, UnifiedCode},
    policy::{Cite, OpenReason, Origin as RuleOrigin, Words},
};
use jiff::Timestamp;

use super::*;

fn item(recording: &str) -> ItemRef {
    let key = ItemKey {
        tenant: TenantId::parse("A").expect("tenant"),
        device: DeviceId::parse("DSJ00012").expect("device"),
        recording: RecordingId::parse(recording).expect("recording"),
        segment: Segment(0),
        variant: None,
    };
    let unit = UnitPath::parse("JIANGSU/NANJING").expect("unit");
    ItemRef { code: UnifiedCode::of(key), unit, ingested_at: Timestamp::UNIX_EPOCH }
}

fn extended(item: &ItemRef, obligation: Obligation, second: i64) -> Fact {
    let at = Timestamp::from_second(second).expect("timestamp");
    let act = Act::LockExtended { until: at, obligation, policy_version: 1, objects: vec![] };
    let subject = Subject::item(&item.code, item.ingested_at);
    Fact {
        id: fact_id(act.name(), &subject, "x"),
        at,
        tenant: item.tenant().clone(),
        unit: None,
        actor: Actor::Service { name: "retention".to_owned(), version: "0.1.0".to_owned() },
        cause: None,
        subject,
        act,
        trace: None,
    }
}

fn cite(text: &str) -> Cite {
    Cite::parse(text).expect("cite")
}

fn unset() -> Obligation {
    let reason = Words { zh: "保存期限不得推定".to_owned(), en: "no period may be assumed".to_owned() };
    Obligation::Unset { reason, cite: cite("A-15.0") }
}

#[test]
fn what_has_no_end_is_held_and_what_has_a_date_is_not() {
    let open = Obligation::Open {
        reason: OpenReason::LongTerm,
        cite: cite("E-14.1"),
        text: "長期保存".to_owned(),
        origin: RuleOrigin::Text,
    };
    let permanent = Obligation::Permanent { cite: cite("A-15.3"), text: "永久".to_owned(), origin: RuleOrigin::Text };
    assert_eq!(reason(&open).map(|reason| reason.text).as_deref(), Some("長期保存"));
    assert!(reason(&unset()).is_some_and(|reason| reason.text.contains("no period may be assumed")));
    assert_eq!(reason(&permanent), None);
}

#[test]
fn it_is_the_same_hold_whenever_it_is_placed_and_another_for_another_item_or_article() {
    let (first, other) = (item("R1"), item("R2"));
    let id = |item: &ItemRef, article: &str, second| {
        let reason = HoldReason { cite: cite(article), text: "x".to_owned() };
        hold(item, reason, &extended(item, unset(), second)).expect("hold").id
    };
    assert_eq!(id(&first, "A-15.0", 1), id(&first, "A-15.0", 9));
    assert_ne!(id(&first, "A-15.0", 1), id(&first, "A-15.1", 1));
    assert_ne!(id(&first, "A-15.0", 1), id(&other, "A-15.0", 1));
}
