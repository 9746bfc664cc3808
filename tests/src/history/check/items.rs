//! INV-1, INV-13, INV-16, INV-11: one manifest, which is true, is proven again by a seal, and has an honest date.

use std::collections::HashMap;

use custos_domain::{
    keys,
    manifest::{Manifest, StoredObject},
    outboard::Outboard,
    seal::Seal,
};
use custos_local::Part;
use jiff::{SignedDuration, Timestamp};

use super::Findings;
use crate::history::{
    Invariant,
    reading::{Found, Reading},
    world::Version,
};

/// How far the date in a document may be from the store's date of it: ingest's largest skew, and a store that stalls a while.
const HONEST: SignedDuration = SignedDuration::from_mins(3);

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    one_manifest(reading, findings);
    for found in &reading.manifests {
        is_true(reading, found, findings);
        is_sealed(reading, found, findings);
        honest(found.says.ingested_at, found.version, findings);
    }
    for fact in &reading.facts {
        // What was decided while the store was away is stated later; nothing is stated before it happened.
        if fact.says.at > fact.version.stored_at + HONEST {
            honest(fact.says.at, fact.version, findings);
        }
    }
}

fn one_manifest(reading: &Reading<'_>, findings: &mut Findings) {
    for found in &reading.astray {
        let belongs = keys::manifest(found.says.code.key());
        let key = &found.version.object.key;
        findings.add(Invariant::OneManifest, &found.says.code, format!("one manifest, at {belongs}"), key);
    }
    let mut owners: HashMap<&StoredObject, &Manifest> = HashMap::new();
    for Found { says, .. } in &reading.manifests {
        if let Some(first) = owners.insert(&says.original, says) {
            let expected = format!("{} to be the original of {} alone", says.original.key, first.code);
            findings.add(Invariant::OneManifest, &says.code, expected, "a second manifest");
        }
    }
}

fn is_true(reading: &Reading<'_>, found: &Found<'_, Manifest>, findings: &mut Findings) {
    let (says, code) = (&found.says, &found.says.code);
    if let Some(original) = reading.version(&says.original) {
        findings.same(Invariant::Manifest, code, "length", &says.length, &original.length);
        findings.same(Invariant::Manifest, code, "BLAKE3", &Some(says.root), &original.root);
        findings.same(Invariant::Manifest, code, "CRC64NVME", &says.crc, &original.crc.unwrap_or(says.crc));
        if let Some(outboard) = reading.version(&says.outboard) {
            let kept = Outboard::decode(&outboard.bytes).ok();
            if kept != original.proof {
                let found = kept.map_or_else(|| "no outboard".to_owned(), |kept| kept.root().to_string());
                findings.add(Invariant::Manifest, code, "an outboard that proves the stored bytes", found);
            }
        }
    }
    match says.evidence.declaration() {
        // A client that signed nothing declared nothing to compare with.
        Ok(None) => {}
        Ok(Some(declared)) => {
            let expected = (declared.length, declared.root, declared.crc);
            findings.same(Invariant::Manifest, code, "as declared", &expected, &(says.length, says.root, says.crc));
        }
        Err(error) => findings.add(Invariant::Manifest, code, "the station's declaration", error),
    }
}

fn is_sealed(reading: &Reading<'_>, found: &Found<'_, Manifest>, findings: &mut Findings) {
    let (says, code) = (&found.says, &found.says.code);
    let (seal, mismatch) = (keys::seal(code.key()), keys::mismatch(code.key()));
    if reading.world.runs(Part::Hashing) && !reading.has(&seal) && !reading.has(&mismatch) {
        findings.add(Invariant::Sealed, code, "a seal or a mismatch", "neither");
    }
    for Found { says: seal, version } in reading.seals.iter().filter(|found| found.version.object.key == seal) {
        let Seal { original, manifest, manifest_root, length, root, crc, .. } = seal;
        let of = (&says.original, &found.version.object, found.version.root, says.length, says.root, says.crc);
        let sealed = (original, manifest, Some(*manifest_root), *length, *root, *crc);
        if seal.code != *code || sealed != of {
            let expected = format!("{} to be of {code} as in {}", version.object.key, found.version.object.key);
            findings.add(Invariant::Sealed, code, expected, format!("{} {sealed:?}", seal.code));
        }
    }
}

fn honest(said: Timestamp, version: &Version, findings: &mut Findings) {
    if said.duration_since(version.stored_at).abs() > HONEST {
        let expected = format!("a date near the store's, {}", version.stored_at);
        findings.add(Invariant::Clock, &version.object.key, expected, said);
    }
}
