//! INV-2, INV-3, INV-14: everything is locked, never for less than before, to the floor and not past the horizon.

use std::collections::HashMap;

use custos_domain::{
    fact::Act,
    manifest::{Manifest, StoredObject},
    policy::Obligation,
};
use custos_local::Part;
use jiff::{SignedDuration, Timestamp};

use super::Findings;
use crate::history::{
    Invariant, World,
    reading::{Found, Reading},
};

/// The first lock counts from a moment before the manifest's date, which may be yesterday; retention makes them one date.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn check(reading: &Reading<'_>, before: Option<&World>, findings: &mut Findings) {
    for version in reading.world.locked().filter(|version| !version.is_marker && version.locked_until.is_none()) {
        findings.add(Invariant::Locked, named(&version.object), "a COMPLIANCE lock", "none");
    }
    earlier_look(reading, before, findings);
    stated(reading, findings);
    for found in &reading.manifests {
        floor(reading, found, findings);
    }
}

fn earlier_look(reading: &Reading<'_>, before: Option<&World>, findings: &mut Findings) {
    let seen = before.into_iter().flat_map(World::locked);
    for (object, until) in seen.filter_map(|version| Some((&version.object, version.locked_until?))) {
        at_least(reading, object, until, "as seen before", findings);
    }
}

/// Whatever was promised or written down as read back.
fn stated(reading: &Reading<'_>, findings: &mut Findings) {
    for Found { says, .. } in &reading.manifests {
        at_least(reading, &says.original, says.locked_until, "as the manifest says", findings);
    }
    for (_, receipt) in &reading.receipts {
        for object in [&receipt.original, &receipt.manifest] {
            // A manifest that stood before is locked from an earlier now.
            at_least(reading, object, receipt.locked_until - A_DAY, "as the receipt says", findings);
        }
    }
    for permit in reading.handed.iter().chain(reading.permits.iter().map(|found| &found.says)) {
        at_least(reading, &permit.original, permit.locked_until, "as the permit says", findings);
    }
    for Found { says, .. } in &reading.facts {
        if let Act::LockExtended { until, objects, .. } = &says.act {
            for object in objects {
                at_least(reading, object, *until, "as was stated", findings);
            }
        }
    }
    for row in &reading.world.tables.kept {
        for object in &row.objects {
            at_least(reading, object, row.locked_until, "as retention recorded", findings);
        }
    }
}

/// What is gone or not locked at all is said elsewhere.
fn at_least(reading: &Reading<'_>, object: &StoredObject, until: Timestamp, why: &str, findings: &mut Findings) {
    let stands = reading.version(object).and_then(|version| version.locked_until);
    if let Some(stands) = stands.filter(|stands| stands.as_second() < until.as_second()) {
        findings.add(Invariant::LockGrows, named(object), format!("a lock until {until}, {why}"), stands);
    }
}

fn floor(reading: &Reading<'_>, found: &Found<'_, Manifest>, findings: &mut Findings) {
    let (says, code) = (&found.says, &found.says.code);
    let Ok(policy) = reading.world.policies.get(&code.key().tenant) else {
        return findings.add(Invariant::Floor, code, "a policy of its agency", "none");
    };
    let (floor, horizon) = (policy.floor_until(says.ingested_at), policy.horizon_until(says.ingested_at));
    // Retention locks to what the regulation asks for whatever the item is about; ingest only to the floor.
    let least = match policy.base_obligation(says.ingested_at) {
        Obligation::Dated { until, .. } if reading.world.runs(Part::Retention) => until.max(floor),
        _ => floor - A_DAY,
    };
    // Of each key the version that counts; what was put over it has only the bucket's default.
    let mut first: HashMap<&str, Option<Timestamp>> = HashMap::new();
    for version in reading.versions_of(found) {
        first.entry(&version.object.key).or_insert(version.locked_until);
        if version.locked_until.is_some_and(|until| until > horizon) {
            let until = version.locked_until.unwrap_or_default();
            findings.add(
                Invariant::Floor,
                named(&version.object),
                format!("no lock past the horizon {horizon}"),
                until,
            );
        }
    }
    for (key, until) in first {
        if let Some(until) = until.filter(|until| until.as_second() < least.as_second()) {
            findings.add(Invariant::Floor, key, format!("a lock until {least}, by the policy"), until);
        }
    }
}

fn named(object: &StoredObject) -> String {
    format!("{}/{}@{}", object.bucket, object.key, object.version)
}
