use rcgen::{CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use super::*;

/// What a register would answer.
fn certified(request: &str, station: &str) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority");
    let mut asked = CertificateSigningRequestParams::from_pem(request).expect("request");
    asked.params.subject_alt_names = vec![SanType::URI(station.try_into().expect("URI"))];
    asked.params.not_before = rcgen::date_time_ymd(2026, 11, 1);
    asked.params.not_after = rcgen::date_time_ymd(2026, 11, 10);
    format!("{}{}", asked.signed_by(&ca).expect("certificate").pem(), ca.pem())
}

const STATION: &str = "custos://station/E/NJ/XW/ST07";

#[test]
fn asking_again_is_asking_with_the_same_key_until_the_certificate_is_there() {
    let folder = tempfile::tempdir().expect("folder");
    let pair = Pair::of(&folder.path().join("state"));
    assert!(pair.read().expect("nothing").is_none());
    let key = pair.next_key(&mut rand::rng()).expect("key");
    let again = pair.next_key(&mut rand::rng()).expect("the same key");
    assert_eq!(key.to_bytes(), again.to_bytes());
    assert_eq!(request(&key).expect("request"), request(&again).expect("request"), "the same request to the letter");

    let chain = certified(&request(&key).expect("request"), STATION);
    let held = pair.replace(&key, &chain, None).expect("replaced");
    assert_eq!(held.station.station.as_str(), "ST07");
    assert_eq!(held.due(), "2026-11-07T00:00:00Z".parse().expect("time"));
    assert_eq!(pair.read().expect("read").expect("held").pem, held.pem);
    let again = pair.next_key(&mut rand::rng()).expect("still the same: power may be cut here");
    assert_eq!(key.to_bytes(), again.to_bytes());
    pair.forget_next_key().expect("forgotten");
    assert_ne!(pair.next_key(&mut rand::rng()).expect("another").to_bytes(), key.to_bytes());
    #[cfg(unix)]
    for name in [PAIR, NEXT_KEY] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.path().join("state").join(name)).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_certificate_for_another_key_or_station_changes_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let pair = Pair::of(folder.path());
    let key = pair.next_key(&mut rand::rng()).expect("key");
    let chain = certified(&request(&key).expect("request"), STATION);
    let held = pair.replace(&key, &chain, None).expect("first");
    pair.forget_next_key().expect("forgotten");
    let next = pair.next_key(&mut rand::rng()).expect("key");
    assert!(matches!(pair.replace(&next, &chain, None), Err(PairError::NotOurs)));
    let other = certified(&request(&next).expect("request"), "custos://station/E/NJ/XW/ST08");
    assert!(matches!(pair.replace(&next, &other, Some(&held.station)), Err(PairError::Another(_))));
    assert!(matches!(pair.replace(&next, "nothing", None), Err(PairError::Format { .. })));
    assert_eq!(pair.read().expect("read").expect("held").pem, held.pem);
}

#[test]
fn one_at_a_time_asks_for_a_certificate() {
    let folder = tempfile::tempdir().expect("folder");
    let pair = Pair::of(&folder.path().join("state"));
    let mine = pair.take().expect("taken").expect("nobody else");
    assert!(pair.take().expect("looked").is_none(), "two would ask with two keys, and one would be taken for a thief");
    drop(mine);
    assert!(pair.take().expect("looked").is_some());
}

#[test]
fn the_dock_takes_the_pair_as_certificate_and_key() {
    let folder = tempfile::tempdir().expect("folder");
    let pair = Pair::of(folder.path());
    let key = pair.next_key(&mut rand::rng()).expect("key");
    let chain = certified(&request(&key).expect("request"), STATION);
    pair.replace(&key, &chain, None).expect("replaced");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &chain).expect("write");
    let files = identity::CredentialFiles { ca, cert: pair.path(), key: pair.path() };
    let now = "2026-11-05T00:00:00Z".parse().expect("time");
    let credentials = identity::Credentials::load(&files, now).expect("credentials");
    assert_eq!(credentials.signing.to_bytes(), key.to_bytes());
}
