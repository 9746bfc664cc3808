use super::*;
use crate::seeds;

#[test]
fn certificates_stay_until_they_are_issued_anew_and_revocations_pile_up() {
    let folder = tempfile::tempdir().expect("folder");
    let folders = Folders::new(folder.path().to_owned());
    let now = Timestamp::from_second(1_800_000_000).expect("now");
    let rng = &mut rand::rng();
    let authority = Authority::ensure(&folders, now, rng).expect("authority");
    let station = seeds::station("E").expect("station");
    let text = |identity: &Identity| folders::read(&identity.certificate).expect("certificate");

    let first = text(&authority.station(&station, rng).expect("first"));
    let again = Authority::ensure(&folders, now, rng).expect("authority again");
    assert_eq!(first, text(&again.station(&station, rng).expect("the same")));
    authority.revoke(&station).expect("revoke");
    authority.revoke(&station).expect("revoke again");
    assert_eq!(authority.revoked().expect("revoked").len(), 1);

    let validity = authority.validity().expect("validity");
    let second = text(&authority.issue_station(&station, validity, rng).expect("second"));
    assert_ne!(first, second);
    authority.revoke(&station).expect("revoke the second");
    assert_eq!(authority.revoked().expect("revoked").len(), 2);
    assert!(folders::read(&authority.revocations()).expect("list").contains("X509 CRL"));
}
