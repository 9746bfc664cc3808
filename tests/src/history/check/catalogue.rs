//! INV-9: the catalogue is what the facts say.

use std::collections::BTreeMap;

use custos_domain::{fact::Act, keys};
use custos_local::Part;

use super::{Findings, holds};
use crate::history::{
    Invariant,
    reading::{Found, Reading},
    world::{FactRow, ItemRow},
};

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    if let Some((before, after)) = &reading.world.tables.rebuilt {
        findings.same(Invariant::Catalogue, "rebuilt from the store", "the same rows:", before, after);
    }
    if !reading.world.runs(Part::Records) {
        return;
    }
    facts(reading, findings);
    let mut rows: BTreeMap<&str, &ItemRow> =
        reading.world.tables.items.iter().map(|row| (row.code.as_str(), row)).collect();
    for found in &reading.manifests {
        let code = found.says.code.to_string();
        match rows.remove(code.as_str()) {
            None => findings.add(Invariant::Catalogue, code, "a row of the item", "none"),
            Some(row) => findings.same(Invariant::Catalogue, code, "the row", &expected(reading, found), row),
        }
    }
    for code in rows.keys() {
        findings.add(Invariant::Catalogue, code, "no row: there is no such manifest", "a row");
    }
}

fn facts(reading: &Reading<'_>, findings: &mut Findings) {
    let mut rows: BTreeMap<&str, &FactRow> =
        reading.world.tables.facts.iter().map(|row| (row.key.as_str(), row)).collect();
    for Found { says, version } in &reading.facts {
        let key = version.object.key.clone();
        let expected = FactRow { key: key.clone(), version: version.object.version.clone(), id: says.id.to_string() };
        match rows.remove(key.as_str()) {
            None => findings.add(Invariant::Catalogue, key, "a row of the fact", "none"),
            Some(row) => findings.same(Invariant::Catalogue, key, "the row", &expected, row),
        }
    }
    for key in rows.keys() {
        findings.add(Invariant::Catalogue, key, "no row: there is no such fact in the log", "a row");
    }
}

/// An item's row, computed here from the store a second time and otherwise than in records.
fn expected(reading: &Reading<'_>, found: &Found<'_, custos_domain::manifest::Manifest>) -> ItemRow {
    let code = &found.says.code;
    let facts: Vec<&Act> = reading.facts_of(code).map(|fact| &fact.act).collect();
    let extended = facts.iter().filter_map(|act| match act {
        Act::LockExtended { until, .. } => Some(*until),
        _ => None,
    });
    let in_store = reading.facts_of(code).filter_map(|fact| match &fact.act {
        Act::HoldApplied { on, .. } => Some((fact.at, *on)),
        _ => None,
    });
    let on = in_store.max_by_key(|(at, _)| *at).is_some_and(|(_, on)| on);
    let state = match (reading.has(&keys::seal(code.key())), reading.has(&keys::mismatch(code.key()))) {
        (true, false) => "sealed",
        (false, false) => "deposited",
        _ => "mismatched",
    };
    ItemRow {
        code: code.to_string(),
        state: state.to_owned(),
        held: on || !holds::reasons(reading, &code.to_string()).is_empty(),
        locked_until: extended.chain([found.says.locked_until]).max().unwrap_or(found.says.locked_until),
        manifest: found.version.object.key.clone(),
    }
}
