use custos_domain::{
    declaration::Declaration, dsse::Envelope, ids::UploadId, item::UnifiedCode, manifest::StoredObject,
};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::basis::Basis;

const TERMS: Terms = Terms { abandon_after: Duration::from_hours(720), forget_after: Duration::from_hours(2160) };

fn session(stage: Stage, cleared: bool) -> Session {
    let declaration: Declaration = serde_json::from_value(serde_json::json!({
        "tenant": "E", "unit": "NANJING", "station": "S01", "docking": "0192-ab", "kind": "video", "device": "DSJ00012",
        "officer": null, "recording": "R1", "segment": 0, "file_name": "a.mp4", "naming_rule": null, "key_file": false,
        "length": 1, "root": "0".repeat(64), "crc": "0".repeat(16), "started_at_device": null, "clock": null,
        "declared_at": "2026-11-23T00:00:00Z",
    }))
    .expect("declaration");
    Session {
        upload: UploadId::parse("0192-ab").expect("upload"),
        begun: Timestamp::UNIX_EPOCH,
        basis: Basis::Declared {
            envelope: Envelope::seal(&declaration, &SigningKey::from_bytes(&[1; 32])).expect("envelope"),
            declaration: Box::new(declaration),
        },
        station_certificate: String::new(),
        admitted: Vec::new(),
        acknowledged: 0,
        outboard: None,
        vacant: false,
        original: "footage/x".to_owned(),
        multipart: None,
        lock_begun: None,
        nonce: "n".to_owned(),
        epoch: 0,
        stage,
        cleared,
        touched: None,
        trace: None,
    }
}

fn stages() -> [Stage; 4] {
    let code = UnifiedCode::parse("E-DSJ00012-20261123091500_0007-00-V").expect("code");
    let manifest = StoredObject { bucket: "b".into(), key: "manifests/x".into(), version: "v".into() };
    let reason = String::new();
    [Stage::Declared, Stage::Receiving, Stage::Lost { reason }, Stage::Committed { code, manifest }]
}

proptest! {
    /// The later, the further: no session goes back to being kept, and what is under way or was receipted is never cleared.
    #[test]
    fn time_only_moves_a_session_on(stage in 0_usize..4, cleared: bool, idle in 0_u64..20_000_000, more in 0_u64..20_000_000) {
        let session = session(stages()[stage].clone(), cleared);
        let at = |seconds| decide(&session, Duration::from_secs(seconds), TERMS);
        let (now, later) = (at(idle), at(idle + more));
        prop_assert!(now == Step::Keep || now == later, "{:?} then {:?}", now, later);
        if !matches!(session.stage, Stage::Lost { .. }) {
            prop_assert_ne!(now, Step::Clear);
        }
        if idle < TERMS.abandon_after.as_secs() {
            prop_assert!(!matches!(now, Step::Abandon | Step::Forget));
        }
    }
}

#[test]
fn each_stage_has_its_time() {
    let hours = |stage, cleared, hours| decide(&session(stage, cleared), Duration::from_hours(hours), TERMS);
    let [declared, receiving, lost, committed] = stages();
    assert_eq!(hours(declared, false, 720), Step::Abandon);
    assert_eq!(hours(receiving.clone(), false, 719), Step::Keep);
    assert_eq!(hours(receiving, false, 720), Step::Abandon);
    assert_eq!(hours(lost.clone(), false, 0), Step::Keep);
    assert_eq!(hours(lost.clone(), false, 1), Step::Clear);
    assert_eq!(hours(lost.clone(), true, 2159), Step::Keep);
    assert_eq!(hours(lost, true, 2160), Step::Forget);
    assert_eq!(hours(committed.clone(), false, 2159), Step::Keep);
    assert_eq!(hours(committed, false, 2160), Step::Forget);
}

#[test]
fn the_walk_goes_back_day_by_day_and_ends_behind_the_oldest() {
    let day = |d| jiff::civil::date(2026, 3, d);
    let mut place = Some(Place { day: day(2), oldest: jiff::civil::date(2026, 2, 28), token: None });
    let mut days = Vec::new();
    while let Some(here) = place {
        days.push((here.day.day(), here.token.clone()));
        let token = (here.day == day(1) && here.token.is_none()).then(|| "more".to_owned());
        place = here.next(token);
    }
    assert_eq!(days, [(2, None), (1, None), (1, Some("more".to_owned())), (28, None)]);
}
