//! Each altered field of a receipt, a permit or a seal must be refused: a table of alterations, one field each.

use custos_domain::{
    digest::{Sha256, Sm3},
    dsse::KeyId,
    ids::{DeviceId, RecordingId, Segment, TenantId, UploadId},
    manifest::StoredObject,
};
use ed25519_dalek::SigningKey;
use jiff::Timestamp;

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn id(key: &SigningKey) -> KeyId {
    KeyId(key.verifying_key().to_bytes())
}

fn trust() -> Trust {
    Trust { receipt: vec![id(&key(1))], seal: vec![id(&key(2))], stations: vec![] }
}

fn item(device: &str) -> ItemKey {
    ItemKey {
        tenant: TenantId::parse("E").expect("tenant"),
        device: DeviceId::parse(device).expect("device"),
        recording: RecordingId::parse("20261123091500_0007").expect("recording"),
        segment: Segment(0),
        variant: None,
    }
}

fn declared() -> Declared {
    Declared { item: item("DSJ00012"), length: 9, root: Root::of(b"123456789"), crc: Crc64::of(b"123456789") }
}

fn object(name: &str) -> StoredObject {
    StoredObject { bucket: "originals".into(), key: name.into(), version: "v1".into() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("time")
}

fn a_receipt() -> Receipt {
    let d = declared();
    Receipt {
        code: UnifiedCode::of(d.item),
        upload: UploadId::parse("0192-ab").expect("upload"),
        original: object("footage/x"),
        length: d.length,
        root: d.root,
        crc: d.crc,
        manifest: object("manifests/x"),
        manifest_root: Root::of(b"manifest"),
        ingested_at: at(1_000),
        locked_until: at(2_000),
    }
}

fn a_seal() -> Seal {
    let r = a_receipt();
    Seal {
        code: r.code,
        original: r.original,
        manifest: r.manifest,
        manifest_root: r.manifest_root,
        length: r.length,
        root: r.root,
        sha256: Sha256([3; 32]),
        sm3: Sm3([4; 32]),
        crc: r.crc,
        sealed_at: at(1_100),
    }
}

fn a_permit(seal: &Seal, seal_key: &SigningKey) -> ErasePermit {
    let r = a_receipt();
    ErasePermit {
        code: r.code,
        root: r.root,
        length: r.length,
        original: r.original,
        locked_until: r.locked_until,
        checked_at: at(1_200),
        seal: Envelope::seal(seal, seal_key).expect("seal"),
    }
}

fn other_code() -> UnifiedCode {
    UnifiedCode::of(item("DSJ00013"))
}

/// A permission for these bytes, by the same way any permission comes about.
pub(crate) fn permission_for(bytes: &[u8]) -> Permission {
    let (root, crc, length) = (Root::of(bytes), Crc64::of(bytes), bytes.len() as u64);
    let receipt = Receipt { root, crc, length, ..a_receipt() };
    let seal = Seal { root, crc, length, ..a_seal() };
    let document = ErasePermit { root, length, ..a_permit(&seal, &key(2)) };
    permit(&Envelope::seal(&document, &key(1)).expect("sign"), &trust(), &receipt).expect("permission")
}

#[test]
fn a_receipt_for_what_was_declared_is_believed_also_as_a_variant() {
    let signed = |receipt: &Receipt| Envelope::seal(receipt, &key(1)).expect("sign");
    assert_eq!(receipt(&signed(&a_receipt()), &trust(), &declared()), Ok(a_receipt()));
    let variant = Receipt { code: UnifiedCode::of(declared().item.variant_of(&declared().root)), ..a_receipt() };
    assert_eq!(receipt(&signed(&variant), &trust(), &declared()), Ok(variant));
}

#[test]
fn each_altered_field_of_a_receipt_is_refused() {
    let altered: Vec<(&str, Receipt)> = vec![
        ("code", Receipt { code: other_code(), ..a_receipt() }),
        ("code", Receipt { code: UnifiedCode::of(declared().item.variant_of(&Root::of(b"else"))), ..a_receipt() }),
        ("root", Receipt { root: Root::of(b"else"), ..a_receipt() }),
        ("length", Receipt { length: 10, ..a_receipt() }),
        ("crc", Receipt { crc: Crc64(1), ..a_receipt() }),
        ("lock", Receipt { locked_until: at(1_000), ..a_receipt() }),
    ];
    for (field, document) in altered {
        let envelope = Envelope::seal(&document, &key(1)).expect("sign");
        let refused = receipt(&envelope, &trust(), &declared());
        assert!(matches!(&refused, Err(Distrust::Differs { field: f, .. }) if *f == field), "{field}: {refused:?}");
    }
}

#[test]
fn a_receipt_by_another_key_is_refused() {
    for stranger in [key(2), key(9)] {
        let envelope = Envelope::seal(&a_receipt(), &stranger).expect("sign");
        assert!(matches!(receipt(&envelope, &trust(), &declared()), Err(Distrust::Signature { .. })));
    }
}

#[test]
fn a_permit_for_the_receipted_item_is_believed() {
    let envelope = Envelope::seal(&a_permit(&a_seal(), &key(2)), &key(1)).expect("sign");
    let permission = permit(&envelope, &trust(), &a_receipt()).expect("permission");
    assert_eq!((permission.root(), permission.length()), (declared().root, 9));
    let extended = ErasePermit { locked_until: at(9_000), ..a_permit(&a_seal(), &key(2)) };
    assert!(permit(&Envelope::seal(&extended, &key(1)).expect("sign"), &trust(), &a_receipt()).is_ok());
}

#[test]
fn each_altered_field_of_a_permit_is_refused() {
    let base = || a_permit(&a_seal(), &key(2));
    let altered: Vec<(&str, ErasePermit)> = vec![
        ("code", ErasePermit { code: other_code(), ..base() }),
        ("root", ErasePermit { root: Root::of(b"else"), ..base() }),
        ("length", ErasePermit { length: 10, ..base() }),
        ("version", ErasePermit { original: object("footage/y"), ..base() }),
        ("lock", ErasePermit { locked_until: at(1_999), ..base() }),
    ];
    for (field, document) in altered {
        let envelope = Envelope::seal(&document, &key(1)).expect("sign");
        let refused = permit(&envelope, &trust(), &a_receipt());
        let named =
            matches!(&refused, Err(Distrust::Differs { field: f, document: "the erase permit", .. }) if *f == field);
        assert!(named, "{field}: {refused:?}");
    }
}

#[test]
fn each_altered_field_of_the_seal_is_refused() {
    let altered: Vec<(&str, Seal)> = vec![
        ("code", Seal { code: other_code(), ..a_seal() }),
        ("root", Seal { root: Root::of(b"else"), ..a_seal() }),
        ("length", Seal { length: 10, ..a_seal() }),
        ("crc", Seal { crc: Crc64(1), ..a_seal() }),
        ("version", Seal { original: object("footage/y"), ..a_seal() }),
        ("manifest", Seal { manifest: object("manifests/y"), ..a_seal() }),
        ("manifest root", Seal { manifest_root: Root::of(b"else"), ..a_seal() }),
    ];
    for (field, document) in altered {
        let envelope = Envelope::seal(&a_permit(&document, &key(2)), &key(1)).expect("sign");
        let refused = permit(&envelope, &trust(), &a_receipt());
        let named = matches!(&refused, Err(Distrust::Differs { field: f, .. }) if *f == field);
        assert!(named, "{field}: {refused:?}");
    }
}

#[test]
fn ingest_alone_cannot_permit_and_neither_can_hashing() {
    // Ingest signs the seal itself: one compromised service must not be enough to wipe a recorder.
    let own_seal = Envelope::seal(&a_permit(&a_seal(), &key(1)), &key(1)).expect("sign");
    assert!(matches!(permit(&own_seal, &trust(), &a_receipt()), Err(Distrust::Signature { .. })));
    let by_hashing = Envelope::seal(&a_permit(&a_seal(), &key(2)), &key(2)).expect("sign");
    assert!(matches!(permit(&by_hashing, &trust(), &a_receipt()), Err(Distrust::Signature { .. })));
    // A receipt is not a permit, however well signed.
    let receipt_as_permit = Envelope::seal(&a_receipt(), &key(1)).expect("sign");
    assert!(matches!(permit(&receipt_as_permit, &trust(), &a_receipt()), Err(Distrust::Signature { .. })));
}
