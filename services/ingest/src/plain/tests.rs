use custos_domain::ids::{StationId, TenantId, UnitPath};
use http::{HeaderMap, HeaderValue};
use jiff::civil::date;

use super::*;
use crate::headers::UPLOAD_METADATA;

fn station() -> Station {
    Station {
        tenant: TenantId::parse("E").expect("tenant"),
        unit: UnitPath::parse("NANJING").expect("unit"),
        id: StationId::parse("S1").expect("station"),
        key: None,
        certificate: String::new(),
    }
}

fn header(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    let value = HeaderValue::from_str(&pairs.join(",")).expect("header");
    HeaderMap::from_iter([(UPLOAD_METADATA, value)])
}

fn understood(pairs: &[(&str, &str)], length: u64) -> Result<Plain, IngestError> {
    let headers = header(pairs);
    let names = Rules::built_in().expect("rules");
    understand(&names, &station(), &Metadata::of(&headers).expect("metadata"), length)
}

const ENOUGH: [(&str, &str); 4] =
    [("device", "DSJ00012"), ("recording", "R_1"), ("filename", "a.mp4"), ("started_at", "2026-11-23T09:15:00")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let replaced = |key: &str| more.iter().any(|(other, _)| *other == key);
    ENOUGH.into_iter().filter(|(key, _)| !replaced(key)).chain(more.iter().copied()).collect()
}

#[test]
fn four_values_are_enough_and_the_rest_is_understood() {
    let plain = understood(&ENOUGH, 7).expect("understood");
    assert_eq!((plain.kind, plain.segment, plain.officer.clone()), (ItemKind::Video, Segment(0), None));
    assert_eq!(plain.statement.started_at_device, date(2026, 11, 23).at(9, 15, 0, 0));
    let hex = Root::of(b"x").to_hex();
    let base64 = STANDARD.encode(Root::of(b"x").0);
    let more = with(&[
        ("officer", "P000345"),
        ("segment", "3"),
        ("blake3", &hex),
        ("sha256", &base64),
        ("started_at", "2026-11-23T01:15:00Z"),
        ("filename", "DSJ00012_P000345_20261123091500_0007_IMP.jpg"),
    ]);
    let plain = understood(&more, 7).expect("understood");
    assert_eq!((plain.kind, plain.segment), (ItemKind::Photo, Segment(3)));
    assert_eq!(plain.statement.started_at_device, date(2026, 11, 23).at(9, 15, 0, 0));
    assert_eq!(plain.statement.blake3, Some(Root::of(b"x")));
    assert_eq!(plain.statement.sha256, Some(Sha256(Root::of(b"x").0)));
    assert!(plain.statement.key_file && plain.statement.naming_rule.is_some());
    let by_type = with(&[("filename", "upload"), ("filetype", "audio/mpeg")]);
    assert_eq!(understood(&by_type, 7).expect("understood").kind, ItemKind::Audio);
    let said = with(&[("filename", "a.mp4"), ("kind", "audio")]);
    assert_eq!(understood(&said, 7).expect("understood").kind, ItemKind::Audio);
}

#[test]
fn whatever_is_wrong_is_said_with_what_to_send() {
    let refused = |pairs: &[(&str, &str)]| match understood(pairs, 7) {
        Err(IngestError::Metadata(why)) => why,
        other => panic!("{pairs:?}: {other:?}"),
    };
    let all = refused(&[("nothing", "x")]);
    for key in ["device", "recording", "filename", "started_at"] {
        assert!(all.contains(&format!("`{key}` is missing: send")), "{all}");
    }
    for (key, value) in [
        ("device", "lower"),
        ("recording", "a/b"),
        ("filename", "bad\u{7}.mp4"),
        ("filename", ""),
        ("started_at", "yesterday"),
        ("started_at", "1815-06-18T11:00:00"),
        ("officer", "?"),
        ("segment", "-1"),
        ("kind", "smell"),
        ("blake3", "abc"),
        ("sha256", "AAAA"),
    ] {
        let why = refused(&with(&[(key, value)]));
        assert!(why.contains(&format!("`{key}`")) && why.contains("send"), "{key}={value}: {why}");
    }
    assert!(refused(&with(&[("filename", "noextension")])).contains("`kind`"));
    assert!(matches!(understood(&ENOUGH, 0), Err(IngestError::Metadata(_))));
    assert!(matches!(understood(&ENOUGH, MAX_LEN + 1), Err(IngestError::TooLarge { .. })));
}

#[tokio::test]
async fn what_is_there_already_is_passed_over() {
    for skip in 0..=6 {
        let frames = [Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"cdef")].map(Ok::<_, ()>);
        let rest: Vec<_> = behind(skip, futures::stream::iter(frames)).collect().await;
        let rest: Vec<u8> = rest.into_iter().flat_map(|frame| frame.expect("frame").to_vec()).collect();
        assert_eq!(rest, &b"abcdef"[usize::try_from(skip).expect("usize")..]);
    }
}
