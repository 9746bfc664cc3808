//! INV-10: nothing is deleted. Whatever was seen before, and whatever a document that stands names, is still there.

use custos_domain::{fact::Act, manifest::StoredObject};

use super::Findings;
use crate::history::{Invariant, World, reading::Reading};

pub(super) fn check(reading: &Reading<'_>, before: Option<&World>, findings: &mut Findings) {
    let seen = before.into_iter().flat_map(World::locked).filter(|version| !version.is_marker);
    for version in seen {
        there(reading, &version.object, "seen before", findings);
    }
    for found in &reading.manifests {
        for object in [&found.says.original, &found.says.outboard] {
            there(reading, object, &found.version.object.key, findings);
        }
    }
    for found in &reading.seals {
        for object in [&found.says.original, &found.says.manifest] {
            there(reading, object, &found.version.object.key, findings);
        }
    }
    for found in &reading.facts {
        for object in named_by(&found.says.act) {
            there(reading, object, &found.version.object.key, findings);
        }
    }
    for object in reading.world.tables.kept.iter().flat_map(|row| &row.objects) {
        there(reading, object, "retention's record", findings);
    }
}

/// The locked versions that an act names. Derivatives are not locked and may be made again.
fn named_by(act: &Act) -> Vec<&StoredObject> {
    match act {
        Act::Deposited { manifest, .. } => vec![manifest],
        Act::Sealed { seal } => vec![seal],
        Act::PermitIssued { permit } => vec![permit],
        Act::DepositRejected { original, .. } => original.iter().collect(),
        Act::LockExtended { objects, .. } | Act::HoldApplied { objects, .. } => objects.iter().collect(),
        _ => Vec::new(),
    }
}

fn there(reading: &Reading<'_>, object: &StoredObject, by: &str, findings: &mut Findings) {
    if reading.version(object).is_none() {
        let item = format!("{}/{}@{}", object.bucket, object.key, object.version);
        findings.add(Invariant::NothingGone, item, format!("the version named by {by}"), "nothing");
    }
}
