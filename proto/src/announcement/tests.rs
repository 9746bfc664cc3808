use custos_domain::{
    fact::{Act, Actor, Subject, fact_id},
    ids::{DeviceId, DockingId, RecordingId, Segment, StationId, UnitPath},
    item::{ItemKey, ItemKind},
    keys,
};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{ACTS, MAX_BYTES};

/// One message that was once sent: its bytes, and what they were meant to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    subject: String,
    fact: String,
    item: Option<String>,
    bucket: String,
    key: String,
    version: String,
    cause: Option<String>,
    at: Timestamp,
    hex: String,
}

const GOLDEN: &str = include_str!("../../golden/announcements.jsonl");

/// Messages wait in streams for months and in dead letters for a year: each of these must mean the same for ever.
#[test]
fn messages_of_every_release_mean_what_they_meant() {
    for line in GOLDEN.lines() {
        let golden: Golden = serde_json::from_str(line).expect("golden line");
        let bytes = hex::decode(&golden.hex).expect("hex");
        let read = Announcement::decode(&bytes).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(read.subject().to_string(), golden.subject, "{line}");
        assert_eq!(read.fact.as_str(), golden.fact, "{line}");
        assert_eq!(read.item.as_ref().map(ToString::to_string), golden.item, "{line}");
        let StoredObject { bucket, key, version } = &read.object;
        assert_eq!((bucket, key, version), (&golden.bucket, &golden.key, &golden.version), "{line}");
        assert_eq!(read.cause.as_ref().map(ToString::to_string), golden.cause, "{line}");
        assert_eq!(read.at, golden.at, "{line}");
        assert_eq!(hex::encode(read.encode()), golden.hex, "{line}");
    }
}

/// A new act needs a golden line; this says which.
#[test]
fn every_act_has_a_golden_message() {
    for act in ACTS {
        let end = format!(".{act}\"");
        assert!(GOLDEN.contains(&end), "append to golden/announcements.jsonl a line with subject …{end}");
    }
}

#[test]
fn a_message_of_a_newer_release_is_read_without_its_news() {
    let announcement = announced(&item_fact(Act::RecordRead { view: "item".into() }));
    let mut bytes = announcement.encode();
    // Field 99, length-delimited: what an additive change looks like to an old reader.
    bytes.extend_from_slice(&[0x9a, 0x06, 0x03, b'n', b'e', b'w']);
    assert_eq!(Announcement::decode(&bytes), Ok(announcement));
}

#[test]
fn the_kind_is_told_by_the_fact() {
    let object = object("facts/x.json");
    let deposited = item_fact(Act::Deposited { item_kind: ItemKind::Photo, manifest: object.clone() });
    assert_eq!(announced(&deposited).subject().to_string(), "custos.v1.e.photo.deposited");
    assert_eq!(announced(&item_fact(Act::Sealed { seal: object })).subject().to_string(), "custos.v1.e.item.sealed");
    let store = Fact { subject: Subject::Store { day: jiff::civil::date(2026, 11, 23) }, ..docking_fact() };
    assert_eq!(announced(&store).subject().to_string(), "custos.v1.e.store.dock_opened");
    let read = Announcement::decode(&announced(&docking_fact()).encode()).expect("decode");
    assert_eq!(read.subject().to_string(), "custos.v1.e.docking.dock_opened");
    assert_eq!(read.item, None);
}

#[test]
fn hostile_fields_are_named() {
    let good = announced(&item_fact(Act::RecordRead { view: "item".into() }));
    let as_sent = wire::Announcement::decode(good.encode().as_slice()).expect("own message");
    let spoil = |change: fn(&mut wire::Announcement)| {
        let mut message = as_sent.clone();
        change(&mut message);
        match Announcement::decode(&message.encode_to_vec()) {
            Err(DecodeError::Field { field, .. }) => field,
            other => panic!("{message:?} became {other:?}"),
        }
    };
    assert_eq!(spoil(|m| m.fact_id = "../../x".into()), "fact_id");
    assert_eq!(spoil(|m| m.act = "deposited.>".into()), "act");
    assert_eq!(spoil(|m| m.tenant = "e".into()), "tenant");
    assert_eq!(spoil(|m| m.kind = "film".into()), "kind");
    assert_eq!(spoil(|m| m.item = "E-DSJ-1-00-X".into()), "item");
    assert_eq!(spoil(|m| m.item.clear()), "item");
    assert_eq!(spoil(|m| m.kind = "docking".into()), "item");
    assert_eq!(spoil(|m| m.tenant = "F".into()), "item");
    assert_eq!(spoil(|m| m.bucket.clear()), "bucket");
    assert_eq!(spoil(|m| m.bucket = "b".repeat(64)), "bucket");
    assert_eq!(spoil(|m| m.version = "v\n".into()), "version");
    assert_eq!(spoil(|m| m.key = "manifests/E/DSJ/1/00.json".into()), "key");
    assert_eq!(spoil(|m| m.key = m.key.replace(&m.fact_id, "sealed-0")), "key");
    assert_eq!(spoil(|m| m.cause = "?".into()), "cause");
    assert_eq!(spoil(|m| m.at_ms = i64::MAX), "at_ms");
    assert!(matches!(Announcement::decode(&[0; MAX_BYTES + 1]), Err(DecodeError::TooLong(_))));
    assert!(matches!(Announcement::decode(b"{}"), Err(DecodeError::Wire(_))));
    assert!(matches!(Announcement::decode(b""), Err(DecodeError::Field { field: "fact_id", .. })));
}

proptest! {
    #[test]
    fn an_announcement_round_trips(
        device in "[A-Z0-9_]{1,32}", recording in "[A-Z0-9_]{1,48}", tenant in "[A-Z0-9_]{1,16}",
        ms in 0_i64..4_102_444_800_000, nanos in 0_i32..1_000_000, version in "[ -~]{1,200}",
    ) {
        let key = ItemKey {
            tenant: TenantId::parse(&tenant).expect("tenant"),
            device: DeviceId::parse(&device).expect("device"),
            recording: RecordingId::parse(&recording).expect("recording"),
            segment: Segment(u16::MAX),
            variant: None,
        };
        let at = Timestamp::from_millisecond(ms).expect("time") + jiff::SignedDuration::new(0, nanos);
        let mut fact = item_fact(Act::RecordRead { view: "item".into() });
        fact = Fact { at, tenant: key.tenant.clone(), subject: Subject::item(&UnifiedCode::of(key), at), ..fact };
        let object = StoredObject { version, ..object(&keys::fact(&fact)) };
        let announcement = Announcement::of(&fact, &object);
        let bytes = announcement.encode();
        prop_assert!(bytes.len() <= MAX_BYTES / 2, "{} bytes", bytes.len());
        prop_assert_eq!(Announcement::decode(&bytes), Ok(announcement));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Announcement::decode(&bytes);
    }

    #[test]
    fn a_damaged_message_is_read_without_a_panic(at in 0_usize..400, bit in 0_u8..8) {
        let mut bytes = announced(&docking_fact()).encode();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let _ = Announcement::decode(&bytes);
    }
}

fn announced(fact: &Fact) -> Announcement {
    Announcement::of(fact, &object(&keys::fact(fact)))
}

fn object(key: &str) -> StoredObject {
    StoredObject { bucket: "log".into(), key: key.into(), version: "7f0e".into() }
}

fn item_fact(act: Act) -> Fact {
    let key = ItemKey {
        tenant: TenantId::parse("E").expect("tenant"),
        device: DeviceId::parse("DSJ00012").expect("device"),
        recording: RecordingId::parse("20261123091500_0007").expect("recording"),
        segment: Segment(0),
        variant: None,
    };
    let at = Timestamp::from_millisecond(1_795_400_000_123).expect("time");
    fact(Subject::item(&UnifiedCode::of(key), at), act, at)
}

fn docking_fact() -> Fact {
    let subject = Subject::Docking {
        station: StationId::parse("XW01").expect("station"),
        docking: DockingId::parse("0192aa").expect("docking"),
    };
    let device = DeviceId::parse("DSJ00012").expect("device");
    let act = Act::DockOpened {
        device,
        officer: None,
        files: Vec::new(),
        clock: None,
        counters: std::collections::BTreeMap::new(),
    };
    fact(subject, act, Timestamp::from_millisecond(1_795_400_000_000).expect("time"))
}

fn fact(subject: Subject, act: Act, at: Timestamp) -> Fact {
    Fact {
        id: fact_id(act.name(), &subject, ""),
        at,
        tenant: TenantId::parse("E").expect("tenant"),
        unit: Some(UnitPath::parse("NJ/XW").expect("unit")),
        actor: Actor::Service { name: "test".into(), version: "0".into() },
        cause: Some(fact_id("deposited", &subject, "")),
        subject,
        act,
        trace: None,
    }
}
