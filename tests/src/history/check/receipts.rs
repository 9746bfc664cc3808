//! INV-12, INV-8: what docks were told is true.

use std::collections::HashMap;

use custos_domain::{ids::UploadId, manifest::Manifest, receipt::Receipt};

use super::Findings;
use crate::history::{
    Invariant,
    reading::{Found, Reading},
};

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    for (name, receipt) in &reading.receipts {
        stands(reading, receipt, findings);
        let Some((name, roots)) = name.and_then(|name| Some((name, reading.world.log.files.get(name)?))) else {
            continue;
        };
        if !roots.contains(&receipt.root) {
            let expected = format!("the recorder's bytes, BLAKE3 {roots:?}");
            findings.add(Invariant::Receipt, name, expected, receipt.root);
        }
    }
    let mut highest: HashMap<&UploadId, u64> = HashMap::new();
    for (upload, offset) in &reading.world.log.offsets {
        let before = highest.insert(upload, *offset).unwrap_or(0);
        if *offset < before {
            findings.add(Invariant::Offset, upload, format!("an offset of at least {before}"), offset);
        }
    }
}

/// The manifest that the receipt names is there, byte by byte, and says what the receipt says.
fn stands(reading: &Reading<'_>, receipt: &Receipt, findings: &mut Findings) {
    let item = &receipt.code;
    let Some(version) = reading.version(&receipt.manifest) else {
        return findings.add(Invariant::Receipt, item, format!("the manifest {:?}", receipt.manifest), "nothing");
    };
    findings.same(Invariant::Receipt, item, "a manifest of BLAKE3", &Some(receipt.manifest_root), &version.root);
    let Some(Found { says, .. }) = reading.manifests.iter().find(|found| found.version.object == receipt.manifest)
    else {
        return findings.add(Invariant::Receipt, item, "the item's manifest", &receipt.manifest.key);
    };
    let Manifest { code, upload, original, length, root, crc, ingested_at, locked_until, .. } = says.clone();
    let (manifest, manifest_root) = (receipt.manifest.clone(), receipt.manifest_root);
    let expected =
        Receipt { code, upload, original, length, root, crc, manifest, manifest_root, ingested_at, locked_until };
    findings.same(Invariant::Receipt, item, "what the manifest says:", &expected, receipt);
}
