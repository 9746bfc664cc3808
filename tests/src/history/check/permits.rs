//! INV-4: no permit without seal and settle, no erasure without a permit.

use custos_domain::{keys, receipt::ErasePermit, seal::Seal};

use super::Findings;
use crate::history::{Invariant, reading::Reading};

pub(super) fn check(reading: &Reading<'_>, findings: &mut Findings) {
    for found in &reading.permits {
        justified(reading, &found.says, findings);
    }
    for permit in &reading.handed {
        justified(reading, permit, findings);
        if !reading.permits.iter().any(|stored| stored.says == *permit) {
            findings.add(Invariant::Permit, &permit.code, "the permit that a dock has to be stored", "it is not");
        }
    }
    for (name, permit) in &reading.world.log.erased {
        if permit.is_none() {
            findings.add(Invariant::Permit, name, "a permit before the recorder was erased", "none");
        }
    }
}

fn justified(reading: &Reading<'_>, permit: &ErasePermit, findings: &mut Findings) {
    let code = &permit.code;
    let Some(manifest) = reading.manifest(code) else {
        return findings.add(Invariant::Permit, code, "a manifest before a permit", "none");
    };
    let settled = manifest.says.ingested_at + reading.world.settle;
    if permit.checked_at < settled {
        let expected = format!("a permit no earlier than {settled}");
        findings.add(Invariant::Permit, code, expected, permit.checked_at);
    }
    if reading.has(&keys::mismatch(code.key())) {
        findings.add(Invariant::Permit, code, "no permit where the re-read did not match", "a permit");
    }
    let says = &manifest.says;
    let of = (&says.original, says.length, says.root);
    findings.same(Invariant::Permit, code, "a permit for", &of, &(&permit.original, permit.length, permit.root));
    match permit.seal.open::<Seal>(&reading.world.trust.seal) {
        Ok(seal) => {
            findings.same(Invariant::Permit, code, "a seal of", &of, &(&seal.original, seal.length, seal.root));
        }
        Err(error) => findings.add(Invariant::Permit, code, "hashing's seal in the permit", error),
    }
    if !reading.has(&keys::seal(code.key())) {
        findings.add(Invariant::Permit, code, "a stored seal before a permit", "none");
    }
}
