use custos_platform::http::identity::PeerCertificate;
use rcgen::{BasicConstraints, CertifiedIssuer, PKCS_ED25519};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use super::*;

const NOW: i64 = 1_795_400_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("time")
}

/// A root, the station authority below it, and its files.
fn authority() -> (TempDir, AuthorityArgs) {
    let folder = tempfile::tempdir().expect("folder");
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    };
    let root = CertifiedIssuer::self_signed(params("root"), KeyPair::generate().expect("key")).expect("root");
    let key = KeyPair::generate().expect("key");
    let certificate = params("stations").signed_by(&key, &root).expect("authority");
    let args = AuthorityArgs {
        station_ca_cert: folder.path().join("stations.crt"),
        station_ca_key_file: folder.path().join("stations.key"),
    };
    std::fs::write(&args.station_ca_cert, certificate.pem()).expect("write");
    std::fs::write(&args.station_ca_key_file, key.serialize_pem()).expect("write");
    readable(&args, 0o640);
    (folder, args)
}

fn readable(args: &AuthorityArgs, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&args.station_ca_key_file, mode).expect("permissions");
}

fn request() -> Request {
    let key = KeyPair::generate_for(&PKCS_ED25519).expect("key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "what it says of itself does not count");
    params.subject_alt_names = vec![SanType::URI("custos://station/E/NJ/ANOTHER".try_into().expect("URI"))];
    Request::parse(&params.serialize_request(&key).expect("request").pem().expect("PEM")).expect("request")
}

fn station() -> StationIdentity {
    StationIdentity::parse("custos://station/E/NANJING/XUANWU/S7").expect("station")
}

fn issue(authority: &Authority, now: i64, days: i64) -> Result<Issued, AuthorityError> {
    let lifetime = SignedDuration::from_hours(24 * days);
    authority.issue(&station(), &request(), at(now), None, lifetime, &mut rand::rng())
}

#[test]
fn a_certificate_names_the_station_and_lives_for_days() {
    let (_folder, args) = authority();
    let authority = Authority::load(&args).expect("authority");
    let issued = issue(&authority, NOW, 7).expect("issued");
    assert_eq!(issued.until, at(NOW + 7 * 86_400));
    assert_eq!(issued.from, at(NOW - 300));
    let chain = authority.with_chain(&issued.pem);
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{chain}");

    let der = CertificateDer::from(parse_x509_pem(chain.as_bytes()).expect("PEM").1.contents);
    let peer = PeerCertificate::parse(&der).expect("certificate");
    assert_eq!(peer.station(), Ok(&station()), "the request's own names are ignored");
    assert_eq!((peer.serial, peer.not_after), (issued.serial.clone(), issued.until));
    assert_eq!(peer.ed25519_key, Some(issued.key.0));
    let (_, read) = X509Certificate::from_der(&der).expect("certificate");
    let usage = read.extended_key_usage().expect("extension").expect("present").value;
    assert!(usage.client_auth && !usage.server_auth && !read.is_ca());
    assert_ne!(issue(&authority, NOW, 7).expect("issued").serial, issued.serial);
}

#[test]
fn a_certificate_of_a_station_that_was_shut_out_begins_afterwards() {
    let (_folder, args) = authority();
    let authority = Authority::load(&args).expect("authority");
    let (lifetime, rng) = (SignedDuration::from_hours(1), &mut rand::rng());
    let issued = authority.issue(&station(), &request(), at(NOW), Some(at(NOW - 2)), lifetime, rng).expect("issued");
    assert_eq!((issued.from, issued.until), (at(NOW - 2), at(NOW + 3600)));
}

#[test]
fn no_certificate_outlives_its_authority() {
    let (_folder, args) = authority();
    let authority = Authority { until: at(NOW + 1000), ..Authority::load(&args).expect("authority") };
    assert_eq!(issue(&authority, NOW, 7).expect("issued").until, at(NOW + 1000));
    assert!(matches!(issue(&authority, NOW + 1000, 7), Err(AuthorityError::Ended(_))));
}

#[test]
fn a_revocation_list_is_read_back() {
    let (_folder, args) = authority();
    let authority = Authority::load(&args).expect("authority");
    let revoked: Vec<Revoked> = (1..4)
        .map(|n| Revoked { serial: issue(&authority, NOW, 7).expect("issued").serial, at: at(NOW + n) })
        .collect();
    let list = authority.revocations(&revoked, 4711, at(NOW + 10)).expect("list");
    assert_eq!(revoked_in(&list), revoked);
    assert!(revoked_in(&authority.revocations(&[], 4712, at(NOW)).expect("list")).is_empty());
    assert!(revoked_in("nonsense").is_empty());
}

#[test]
fn files_that_cannot_work_are_named_by_option() {
    let (folder, args) = authority();
    let (_other, other) = authority();
    let complaint = |args: &AuthorityArgs| Authority::load(args).expect_err("refused").to_string();
    let mixed = AuthorityArgs { station_ca_key_file: other.station_ca_key_file.clone(), ..args.clone() };
    assert!(complaint(&mixed).contains("does not belong to the key"), "{}", complaint(&mixed));
    readable(&args, 0o644);
    assert!(complaint(&args).starts_with("--station-ca-key-file: everybody may read"), "{}", complaint(&args));
    readable(&args, 0o600);
    let leaf = folder.path().join("leaf.crt");
    let issued = issue(&Authority::load(&args).expect("authority"), NOW, 7).expect("issued");
    std::fs::write(&leaf, issued.pem).expect("write");
    let leaf = AuthorityArgs { station_ca_cert: leaf, ..args };
    assert!(complaint(&leaf).starts_with("--station-ca-cert: this certificate is no authority's"));
}
