//! Signed documents, manifests and facts.

use custos_domain::{
    declaration::Declaration,
    dsse::{Document, Envelope, KeyId},
    fact::Fact,
    item::UnifiedCode,
    keys,
    manifest::Manifest,
    receipt::{ErasePermit, Receipt},
    seal::Seal,
    station::StationRegister,
};

use super::texts::{assert_key, assert_printable, assert_same_again};

/// A declaration, signed or bare.
///
/// # Panics
/// When a property does not hold.
pub fn declaration(bytes: &[u8]) {
    for declared in [signed(bytes), serde_json::from_slice::<Declaration>(bytes).ok()].into_iter().flatten() {
        assert_same_again(&declared);
        let item = declared.item();
        assert_key(&keys::claim(&item, &declared.root));
        assert_key(&keys::manifest(&item.variant_of(&declared.root)));
        let code = UnifiedCode::of(item);
        assert_eq!(UnifiedCode::parse(&code.to_string()), Ok(code), "the code of a declared item");
    }
}

/// A receipt, permit or seal, signed or bare.
///
/// # Panics
/// When a property does not hold.
pub fn receipt(bytes: &[u8]) {
    for receipt in [signed(bytes), serde_json::from_slice::<Receipt>(bytes).ok()].into_iter().flatten() {
        assert_same_again(&receipt);
        assert_key(&keys::manifest(receipt.code.key()));
    }
    for permit in [signed(bytes), serde_json::from_slice::<ErasePermit>(bytes).ok()].into_iter().flatten() {
        assert_same_again(&permit);
        assert_key(&keys::permit(permit.code.key()));
        assert!(permit.seal.open::<Seal>(&[]).is_err(), "believed without a trusted key");
    }
    for seal in [signed(bytes), serde_json::from_slice::<Seal>(bytes).ok()].into_iter().flatten() {
        assert_same_again(&seal);
        assert_key(&keys::seal(seal.code.key()));
    }
}

/// A register of stations, signed or bare.
///
/// # Panics
/// When a property does not hold.
pub fn register(bytes: &[u8]) {
    for register in [signed(bytes), serde_json::from_slice::<StationRegister>(bytes).ok()].into_iter().flatten() {
        assert_same_again(&register);
        for known in &register.stations {
            let found = register.find(&known.tenant, &known.station);
            assert!(found.is_some_and(|found| found.station == known.station), "{known:?} is not found");
            for part in [known.tenant.as_str(), known.unit.as_str(), known.station.as_str()] {
                assert_key(part);
            }
        }
    }
}

/// A manifest.
///
/// # Panics
/// When a property does not hold.
pub fn manifest(bytes: &[u8]) {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) else { return };
    assert_same_again(&manifest);
    assert_key(&keys::manifest(manifest.code.key()));
    assert_key(&keys::original(&manifest.upload, manifest.ingested_at));
    assert_key(&keys::derivation(manifest.code.key()));
}

/// A fact.
///
/// # Panics
/// When a property does not hold.
pub fn fact(bytes: &[u8]) {
    let Ok(fact) = serde_json::from_slice::<Fact>(bytes) else { return };
    assert_same_again(&fact);
    assert_key(&keys::fact(&fact));
}

/// A unified code as somebody typed it, and with every check character, so that what it guards is looked at too.
///
/// # Panics
/// When a property does not hold.
pub fn code(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    typed(text);
    if let Some((body, _)) = text.rsplit_once('-') {
        ('0'..='9').chain('A'..='Z').for_each(|check| typed(&format!("{body}-{check}")));
    }
}

fn typed(text: &str) {
    match UnifiedCode::parse(text) {
        Ok(code) => {
            assert_eq!(code.to_string(), text, "one item has one code");
            assert_key(&keys::manifest(code.key()));
        }
        Err(error) => {
            let said = error.to_string();
            assert_printable(&said);
            assert!(said.len() <= 2048, "an error of {} bytes", said.len());
        }
    }
}

/// The document in an envelope. Nothing made by chance is signed by a key of the sender's choice that is not in the list.
fn signed<D: Document + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<D> {
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    assert_same_again(&envelope);
    assert!(envelope.open::<D>(&[KeyId([0; 32])]).is_err(), "believed a key that signs nothing");
    let trusted: Vec<KeyId> = envelope.signers().collect();
    if let Ok(opened) = envelope.open::<D>(&trusted) {
        assert_eq!(envelope.peek::<D>().as_ref(), Ok(&opened), "what was verified is what is read");
    }
    envelope.peek().ok()
}
