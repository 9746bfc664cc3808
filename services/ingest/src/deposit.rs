//! A deposit: the manifest that stands, found again and stated.

use custos_domain::{
    calendar,
    digest::Root,
    fact::{Act, Fact, IncidentClass, Subject},
    item::{ItemKey, UnifiedCode},
    keys,
    manifest::{Manifest, StoredObject},
};
use jiff::SignedDuration;

use crate::{Ingest, error::IngestError};

/// A recording older than this when it is docked has a wrong date, or lay forgotten: either way a person should look.
const PLAUSIBLE_PAST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// A recording from after its docking has a wrong date; a day covers time zones and drift.
const PLAUSIBLE_FUTURE: SignedDuration = SignedDuration::from_hours(24);

/// A finished deposit.
#[derive(Debug, Clone)]
pub struct Deposit {
    /// The manifest that stands.
    pub manifest: Manifest,
    /// Where it lies.
    pub object: StoredObject,
    /// BLAKE3 of its bytes.
    pub root: Root,
}

impl Deposit {
    /// The deposit whose manifest has these bytes.
    pub fn read(bytes: &[u8], object: StoredObject) -> Result<Self, IngestError> {
        let manifest = serde_json::from_slice(bytes)
            .map_err(|e| IngestError::Internal(format!("the manifest {} is unreadable: {e}", object.key)))?;
        Ok(Self { manifest, object, root: Root::of(bytes) })
    }
}

/// What stands of an item already.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nobody said which bytes will come.
    Unknown,
    /// Nothing.
    Nothing,
    /// Other bytes.
    Others,
    /// These bytes, as the first or as a variant.
    These(Box<Deposit>),
}

/// What stands of an item, compared with these bytes.
pub(crate) async fn standing(ingest: &Ingest, item: &ItemKey, root: &Root) -> Result<Standing, IngestError> {
    let mut standing = Standing::Nothing;
    // There is a variant only beside a first.
    for key in [item.clone(), item.variant_of(root)] {
        let found = ingest.vault.read_first(&ingest.vault.buckets().originals, &keys::manifest(&key)).await?;
        let Some(document) = found else { break };
        let deposit = Deposit::read(&document.bytes, document.object)?;
        if deposit.manifest.root == *root {
            return Ok(Standing::These(Box::new(deposit)));
        }
        standing = Standing::Others;
    }
    Ok(standing)
}

/// States what happened; durable before the receipt, announced without anybody waiting.
pub(crate) async fn state(ingest: &Ingest, deposit: &Deposit) -> Result<(), IngestError> {
    let manifest = &deposit.manifest;
    let fact = deposited_fact(ingest, deposit);
    let cause = ingest.state(fact.clone()).await?;
    for (class, detail) in odd(manifest) {
        let incident = Act::IncidentOpened { class, detail };
        let incident = ingest.fact(fact.tenant.clone(), fact.subject.clone(), incident, class.as_str());
        let (cause, unit, trace) = (Some(cause.clone()), fact.unit.clone(), fact.trace.clone());
        ingest.state(Fact { cause, at: fact.at, unit, trace, ..incident }).await?;
    }
    Ok(())
}

/// The fact of a deposit, whenever it is stated.
pub(crate) fn deposited_fact(ingest: &Ingest, deposit: &Deposit) -> Fact {
    let manifest = &deposit.manifest;
    let subject = Subject::item(&manifest.code, manifest.ingested_at);
    let deposited = Act::Deposited { item_kind: manifest.kind, manifest: deposit.object.clone() };
    let fact = ingest.fact(manifest.code.key().tenant.clone(), subject, deposited, "");
    let (unit, trace) = (Some(manifest.unit.clone()), manifest.trace.clone());
    Fact { at: manifest.ingested_at, unit, trace, ..fact }
}

/// What a person should look at although the item is safe.
fn odd(manifest: &Manifest) -> Vec<(IncidentClass, String)> {
    let mut odd = Vec::new();
    if let Some(variant) = &manifest.code.key().variant {
        let first = UnifiedCode::of(ItemKey { variant: None, ..manifest.code.key().clone() });
        let (root, variant) = (manifest.root.short(), variant.as_str());
        let detail =
            format!("other bytes (BLAKE3 {root}) came for {first}; kept as variant {variant} beside the first");
        odd.push((IncidentClass::Variant, detail));
    }
    // A recorder whose battery ran flat starts again in 2015; a mistyped year may be 2099. Neither touches the lock (INV-11).
    let ingested = calendar::shanghai(manifest.ingested_at);
    let plausible = ingested.saturating_sub(PLAUSIBLE_PAST)..=ingested.saturating_add(PLAUSIBLE_FUTURE);
    // Verified when it came: an unreadable declaration is no deposit's.
    let started = manifest.evidence.started_at_device().ok().flatten();
    if let Some(started) = started.filter(|started| !plausible.contains(started)) {
        let detail = format!("the recorder's clock said {started} for what was docked on {}; see D-7", ingested.date());
        odd.push((IncidentClass::Clock, detail));
    }
    odd
}
