//! INV-5, INV-15: every custody act is a fact, and facts are in order.

use std::collections::{BTreeMap, BTreeSet};

use custos_domain::{
    fact::{Act, IncidentClass},
    keys,
    manifest::{Manifest, StoredObject},
};
use custos_local::Part;

use super::Findings;
use crate::history::{
    Invariant,
    reading::{Found, Reading},
};

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    in_order(reading, findings);
    for found in &reading.manifests {
        item(reading, found, findings);
    }
    rejections(reading, findings);
    holds(reading, findings);
    let facts: BTreeSet<&str> = reading.facts.iter().map(|found| found.says.id.as_str()).collect();
    for row in &reading.world.tables.outboxes {
        if row.stated_at.is_none() || !facts.contains(row.fact_id.as_str()) {
            findings.add(
                Invariant::ActIsFact,
                &row.fact_id,
                "the decision stated in the log",
                "it waits in the outbox",
            );
        }
    }
}

fn in_order(reading: &Reading<'_>, findings: &mut Findings) {
    let mut ids = BTreeMap::new();
    for Found { says, version } in &reading.facts {
        if let Some(other) = ids.insert(&says.id, &version.object.key) {
            findings.add(Invariant::Fact, &says.id, format!("one fact of this id, {other}"), &version.object.key);
        }
        if says.subject.code().is_some_and(|code| code.key().tenant != says.tenant) {
            findings.add(Invariant::Fact, &says.id, "the agency of its item", &says.tenant);
        }
    }
    for Found { says, .. } in &reading.facts {
        if let Some(cause) = says.cause.as_ref().filter(|cause| !ids.contains_key(cause) || **cause == says.id) {
            findings.add(Invariant::Fact, &says.id, format!("its cause {cause} among the facts"), "no other such fact");
        }
    }
}

/// What lies in the store of an item, each with the fact that says so.
fn item(reading: &Reading<'_>, found: &Found<'_, Manifest>, findings: &mut Findings) {
    let code = &found.says.code;
    let facts: Vec<&Act> = reading.facts_of(code).map(|fact| &fact.act).collect();
    let mut needs = |what: &str, there: bool, says: &dyn Fn(&Act) -> bool| {
        if there && !facts.iter().any(|act| says(act)) {
            findings.add(Invariant::ActIsFact, code, format!("a fact {what}"), "none");
        }
    };
    let names = |object: &StoredObject, key: &str| object.key == key;
    needs(
        "deposited",
        true,
        &|act| matches!(act, Act::Deposited { manifest, .. } if *manifest == found.version.object),
    );
    let key = keys::seal(code.key());
    needs("sealed", reading.has(&key), &|act| matches!(act, Act::Sealed { seal } if names(seal, &key)));
    let key = keys::permit(code.key());
    needs(
        "permit_issued",
        reading.has(&key),
        &|act| matches!(act, Act::PermitIssued { permit } if names(permit, &key)),
    );
    let mismatched = reading.has(&keys::mismatch(code.key()));
    needs(
        "incident_opened of a mismatch",
        mismatched,
        &|act| matches!(act, Act::IncidentOpened { class, .. } if *class == IncidentClass::Mismatch),
    );
    let (derived, key) = (&reading.world.buckets.derived, keys::derivation(code.key()));
    let was_derived = reading.world.of_bucket(derived).any(|version| version.object.key == key && !version.is_marker);
    needs("derived", was_derived, &|act| matches!(act, Act::Derived { .. }));
    if reading.world.runs(Part::Retention) {
        needs("lock_extended", true, &|act| matches!(act, Act::LockExtended { .. }));
    }
}

fn rejections(reading: &Reading<'_>, findings: &mut Findings) {
    let originals = reading.world.of_bucket(&reading.world.buckets.originals);
    for version in originals.filter(|version| version.object.key.starts_with("rejected/") && !version.is_marker) {
        let upload = version.object.key.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
        let stated = reading.facts.iter().any(|found| {
            let subject = serde_json::to_value(&found.says.subject).unwrap_or_default();
            matches!(found.says.act, Act::DepositRejected { .. }) && subject["upload"].as_str() == upload
        });
        if !stated {
            findings.add(Invariant::ActIsFact, &version.object.key, "a fact deposit_rejected", "none");
        }
    }
}

/// What people decided on holds, each step with a fact for each item.
fn holds(reading: &Reading<'_>, findings: &mut Findings) {
    for on in &reading.world.tables.hold_items {
        let Some(row) = reading.world.tables.holds.iter().find(|row| row.id == on.hold) else { continue };
        let stated: BTreeSet<&str> = reading
            .facts
            .iter()
            .filter(|found| found.says.subject.code().is_some_and(|code| code.to_string() == on.item))
            .filter_map(|found| step(&found.says.act, &row.id))
            .collect();
        for (step, taken) in [
            ("hold_placed", true),
            ("hold_confirmed", row.confirmed_by.is_some()),
            ("hold_release_proposed", row.proposed_by.is_some()),
            ("hold_released", row.released_by.is_some()),
        ] {
            if taken && !stated.contains(step) {
                findings.add(Invariant::ActIsFact, &on.item, format!("a fact {step} of the hold {}", row.id), "none");
            }
        }
    }
}

fn step(act: &Act, of: &str) -> Option<&'static str> {
    let (Act::HoldPlaced { hold, .. }
    | Act::HoldConfirmed { hold, .. }
    | Act::HoldReleaseProposed { hold, .. }
    | Act::HoldReleased { hold, .. }) = act
    else {
        return None;
    };
    (hold.as_str() == of).then(|| act.name())
}
