use custos_domain::{
    ids::{DeviceId, RecordingId, Segment, TenantId, UnitPath},
    item::{ItemKey, UnifiedCode},
    manifest::StoredObject,
};

use super::*;
use crate::{ledger::ItemRef, plan::Applied};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("timestamp")
}

fn item(wanted: bool, applied_on: Option<bool>, settled: bool) -> InStore {
    let key = ItemKey {
        tenant: TenantId::parse("E").expect("tenant"),
        device: DeviceId::parse("DSJ00012").expect("device"),
        recording: RecordingId::parse("R1").expect("recording"),
        segment: Segment(0),
        variant: None,
    };
    let object = StoredObject { bucket: "originals".to_owned(), key: "k".to_owned(), version: "1".to_owned() };
    InStore {
        item: ItemRef {
            code: UnifiedCode::of(key),
            unit: UnitPath::parse("NANJING").expect("unit"),
            ingested_at: at(0),
        },
        wanted,
        applied: applied_on.map(|on| Applied { on, at: at(10), settled, objects: vec![object] }),
        settled_at: settled.then(|| at(130)),
        problem: None,
    }
}

/// What is not in the store is never said to be: not a hold that was just placed, nor one whose off was applied before.
#[test]
fn the_state_says_no_more_than_was_read_back() {
    for (wanted, applied_on, settled, state, confirmed, versions) in [
        (true, None, false, "pending", false, 0),
        (true, Some(false), true, "pending", false, 0),
        (true, Some(true), false, "applied", false, 1),
        (true, Some(true), true, "confirmed", true, 1),
        (false, Some(true), true, "lifting", false, 0),
        (false, None, false, "lifting", false, 0),
        (false, Some(false), false, "lifted", false, 1),
        (false, Some(false), true, "lifted_confirmed", true, 1),
    ] {
        let shown = StoreState::of(&item(wanted, applied_on, settled));
        assert_eq!((shown.state, shown.confirmed_at.is_some(), shown.versions), (state, confirmed, versions));
        assert!(!shown.words.en.is_empty() && !shown.words.zh.is_empty());
    }
}
