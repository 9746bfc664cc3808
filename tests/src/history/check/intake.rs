//! INV-17: what is under way does not contradict what stands.

use std::collections::{BTreeMap, BTreeSet};

use custos_domain::ids::UploadId;

use super::Findings;
use crate::history::{
    Invariant,
    reading::{Found, Reading, Session},
};

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    let brought: BTreeMap<&UploadId, _> = reading.manifests.iter().map(|found| (&found.says.upload, found)).collect();
    let receipted: BTreeSet<&UploadId> = reading.receipts.iter().map(|(_, receipt)| &receipt.upload).collect();
    let mut known: BTreeSet<&UploadId> = brought.keys().copied().collect();
    for Found { says: Session { upload, stage }, .. } in &reading.sessions {
        known.insert(upload);
        let stands = brought.contains_key(upload) || receipted.contains(upload);
        match (stage.stage.as_str(), stands) {
            ("lost", true) => findings.add(Invariant::Session, upload, "committed: it was receipted", "lost"),
            ("declared" | "receiving", true) => {
                findings.add(Invariant::Session, upload, "committed: a manifest stands", &stage.stage);
            }
            ("committed", _) => committed(reading, upload, stage, findings),
            _ => {}
        }
    }
    for Found { says, version } in &reading.claims {
        if !known.contains(&says.upload) {
            findings.add(Invariant::Session, &version.object.key, format!("the session of {}", says.upload), "none");
        }
    }
}

fn committed(
    reading: &Reading<'_>,
    upload: &UploadId,
    stage: &crate::history::reading::Stage,
    findings: &mut Findings,
) {
    let manifest = stage.manifest.as_ref().and_then(|object| {
        let found = reading.manifests.iter().find(|found| found.version.object == *object)?;
        (Some(&found.says.code) == stage.code.as_ref()).then_some(found)
    });
    if manifest.is_none() {
        let expected = format!("the manifest of {:?}", stage.code);
        findings.add(Invariant::Session, upload, expected, format!("{:?}", stage.manifest));
    }
}
