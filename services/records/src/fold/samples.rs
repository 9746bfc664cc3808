//! An item's life in facts, for tests.

use custos_domain::{
    digest::{Crc64, Root, Sha256, Sm3},
    fact::{Act, Actor, Fact, IncidentClass, Subject, fact_id},
    hold::{HoldReason, Permanence},
    ids::{
        DeviceId, DockingId, FactId, HoldId, OfficerId, PersonId, RecordingId, Segment, StationId, TenantId, UnitPath,
        UploadId,
    },
    item::{ItemKey, ItemKind, UnifiedCode},
    keys,
    manifest::StoredObject,
    policy::{Cite, Obligation, Origin, Words},
};
use jiff::Timestamp;

use super::*;

pub(crate) fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("identifier")
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).expect("time")
}

pub(crate) fn object(key: &str) -> StoredObject {
    StoredObject { bucket: "b".into(), key: key.into(), version: "v".into() }
}

pub(crate) fn code() -> UnifiedCode {
    UnifiedCode::of(ItemKey {
        tenant: id("E"),
        device: id::<DeviceId>("DSJ00012"),
        recording: id::<RecordingId>("20261123091500_0007"),
        segment: Segment(0),
        variant: None,
    })
}

pub(crate) fn known(second: i64, act: Act, discriminator: &str, evidence: Option<Evidence>) -> Known {
    let subject = Subject::item(&code(), at(0));
    let fact = Fact {
        id: fact_id(act.name(), &subject, discriminator),
        at: at(second),
        tenant: id::<TenantId>("E"),
        unit: Some(id::<UnitPath>("NANJING/XUANWU")),
        actor: Actor::Person { person: id::<PersonId>("e-leader"), unit: id("NANJING") },
        cause: None,
        subject,
        act,
        trace: None,
    };
    Known { object: object(&keys::fact(&fact)), fact, evidence }
}

pub(crate) fn deposit() -> Deposit {
    Deposit {
        kind: ItemKind::Video,
        unit: id("NANJING/XUANWU"),
        station: id::<StationId>("S01"),
        officer: Some(id::<OfficerId>("P000345")),
        signed: true,
        docking: Some(id::<DockingId>("018f-a")),
        upload: id::<UploadId>("018f-b"),
        file_name: "VIDEO/1.MP4".into(),
        naming_rule: None,
        key_file: true,
        length: 7,
        root: Root::of(b"footage"),
        crc: Crc64::of(b"footage"),
        original: object("footage/1"),
        started_at_device: Some(jiff::civil::date(2026, 11, 23).at(9, 15, 0, 0)),
        clock: Some(custos_domain::declaration::ClockOffset { offset_ms: 60_000, uncertainty_ms: 10 }),
        ingested_at: at(0),
        locked_until: at(1000),
    }
}

pub(crate) fn deposited() -> Known {
    let act = Act::Deposited { item_kind: ItemKind::Video, manifest: object("manifests/1") };
    known(0, act, "", Some(Evidence::Manifest(Box::new(deposit()))))
}

pub(crate) fn sealed() -> Known {
    let digests = SealDigests { sha256: Sha256([1; 32]), sm3: Sm3([2; 32]), sealed_at: at(10) };
    known(10, Act::Sealed { seal: object("seals/1") }, "hashing", Some(Evidence::Seal(digests)))
}

pub(crate) fn cite(text: &str) -> Cite {
    Cite::parse(text).expect("citation")
}

pub(crate) fn dated() -> Obligation {
    let period = custos_domain::calendar::Period::parse("P3M").expect("period");
    Obligation::dated(at(0), period, cite("E-13.1"), "保存期限不少於3個月".into(), Origin::Text)
}

pub(crate) fn unset() -> Obligation {
    Obligation::Unset { reason: Words { zh: "缺".into(), en: "missing".into() }, cite: cite("A-15.0") }
}

pub(crate) fn locked(second: i64, until: i64, obligation: Obligation) -> Known {
    let act = Act::LockExtended { until: at(until), obligation, policy_version: 1, objects: vec![] };
    known(second, act, &format!("{second}/{until}"), None)
}

pub(crate) fn derived(second: i64) -> Known {
    let act = Act::Derived {
        outcome: "playable".into(),
        detail: None,
        derivation: object("derived/1"),
        duration_ms: Some(1000 * second.unsigned_abs()),
    };
    known(second, act, &second.to_string(), None)
}

pub(crate) fn hold() -> HoldId {
    id("018f-1")
}

pub(crate) fn placed(second: i64, article: &str, permanence: Permanence) -> Known {
    let reason = HoldReason { cite: cite(article), text: "異議".into() };
    known(second, Act::HoldPlaced { hold: hold(), reason, permanence }, "h", None)
}

pub(crate) fn confirmed(second: i64, permanence: Permanence) -> Known {
    known(second, Act::HoldConfirmed { hold: hold(), permanence, note: "同意".into() }, "h", None)
}

pub(crate) fn release(second: i64) -> [Known; 2] {
    let proposed = Act::HoldReleaseProposed { hold: hold(), note: "結案".into() };
    let released = Act::HoldReleased { hold: hold(), note: "同意".into() };
    [known(second, proposed, "h", None), known(second + 1, released, "h", None)]
}

pub(crate) fn applied(second: i64, on: bool) -> Known {
    known(second, Act::HoldApplied { on, settled: true, objects: vec![] }, &second.to_string(), None)
}

pub(crate) fn mismatch(second: i64) -> (Known, FactId) {
    let act = Act::IncidentOpened { class: IncidentClass::Mismatch, detail: "BLAKE3".into() };
    let known = known(second, act, "hashing", None);
    let id = known.fact.id.clone();
    (known, id)
}

pub(crate) fn closed(second: i64, incident: FactId) -> Known {
    let discriminator = incident.to_string();
    known(second, Act::IncidentClosed { incident, note: "復核".into() }, &discriminator, None)
}

pub(crate) fn life() -> Vec<Known> {
    let (mismatch, incident) = mismatch(60);
    let mut facts = vec![
        deposited(),
        sealed(),
        locked(20, 2000, dated()),
        locked(21, 9000, unset()),
        derived(30),
        derived(35),
        placed(40, "A-15.0", Permanence::Open),
        confirmed(45, Permanence::Permanent),
        applied(50, true),
        mismatch,
        closed(61, incident),
        known(70, Act::RecordRead { view: "item".into() }, "r", None),
        applied(90, false),
    ];
    facts.extend(release(80));
    facts
}
