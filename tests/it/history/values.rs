//! Seeds for what real servers make impossible, or what is quicker shown so: the collected world with one value changed.

#![expect(clippy::expect_used, reason = "a seed that finds nothing to break is a broken test")]

use anyhow::Context;
use custos_domain::{
    digest::Root,
    dsse::{Document, Envelope},
    fact::Fact,
    ids::{FactId, UploadId},
    item::UnifiedCode,
    keys,
    manifest::{Manifest, StoredObject},
    policy::PolicySet,
    receipt::{ErasePermit, Receipt},
    seal::Seal,
};
use custos_tests::history::{Invariant, World, world::Version};
use ed25519_dalek::SigningKey;
use jiff::{SignedDuration, ToSpan as _};
use serde_json::Value;

use super::{Keys, Scene};

/// Changes the world, or the one before it.
type Sow = Box<dyn Fn(&mut World, &mut World)>;

/// A change of the world that breaks one invariant.
pub(super) struct Seed {
    pub(super) breaks: Invariant,
    pub(super) what: &'static str,
    /// Whether it is about what was seen before.
    pub(super) with_before: bool,
    pub(super) sow: Sow,
}

fn seed(breaks: Invariant, what: &'static str, sow: impl Fn(&mut World) + 'static) -> Seed {
    Seed { breaks, what, with_before: false, sow: Box::new(move |world, _| sow(world)) }
}

fn against_before(breaks: Invariant, what: &'static str, sow: impl Fn(&mut World) + 'static) -> Seed {
    Seed { breaks, what, with_before: true, sow: Box::new(move |_, before| sow(before)) }
}

/// What the scene's items consist of.
#[derive(Clone)]
struct Known {
    erased: UnifiedCode,
    manifest: Manifest,
    held: Manifest,
    lying_seal: Envelope,
    early_permit: Envelope,
    receipt_of_nothing: Envelope,
}

impl Known {
    fn of(scene: &Scene) -> anyhow::Result<Self> {
        let Keys { ingest, hashing } = scene.keys()?;
        let (world, erased) = (&scene.world, UnifiedCode::parse(&scene.erased)?);
        let manifest: Manifest = document(world, &keys::manifest(erased.key()))?;
        let held: Manifest = document(world, &keys::manifest(UnifiedCode::parse(&scene.held)?.key()))?;
        let seal: Envelope = document(world, &keys::seal(erased.key()))?;
        let permit: Envelope = document(world, &keys::permit(erased.key()))?;
        let receipt = &world.log.receipts.first().context("no receipt")?.1;
        Ok(Self {
            lying_seal: altered(&seal, &hashing, |seal: &mut Seal| seal.root = Root::of(b"other"))?,
            early_permit: altered(&permit, &ingest, |permit: &mut ErasePermit| {
                permit.checked_at = manifest.ingested_at;
            })?,
            receipt_of_nothing: altered(receipt, &ingest, |receipt: &mut Receipt| {
                "nowhere".clone_into(&mut receipt.manifest.version);
            })?,
            erased,
            manifest,
            held,
        })
    }
}

/// One or more for every invariant.
pub(super) fn seeds(scene: &Scene) -> anyhow::Result<Vec<Seed>> {
    let known = Known::of(scene)?;
    let mut seeds = of_documents(known.clone());
    seeds.extend(of_versions(known.clone()));
    seeds.extend(of_words(known.clone()));
    seeds.extend(of_decisions(&known));
    Ok(seeds)
}

fn of_documents(known: Known) -> Vec<Seed> {
    let Known { erased, manifest, lying_seal, .. } = known;
    let (manifest_key, seal_key) = (keys::manifest(erased.key()), keys::seal(erased.key()));
    let (original, fact_key, session) = (manifest.original, "sealed-", format!("{}.json", manifest.upload));
    vec![
        seed(Invariant::OneManifest, "the manifest a second time, elsewhere", move |world| {
            let mut copy = at(world, &manifest_key).clone();
            (copy.object.key, copy.object.version) = ("manifests/E/OTHER/R/00.json".to_owned(), "copy".to_owned());
            world.versions.push(copy);
        }),
        seed(Invariant::Manifest, "bytes of the original changed", move |world| {
            at(world, &original.key).root = Some(Root::of(b"rotten"));
        }),
        seed(Invariant::Sealed, "a signed seal of other bytes", move |world| {
            at(world, &seal_key).bytes = json(&lying_seal);
        }),
        seed(Invariant::Fact, "a cause that nobody stated", move |world| {
            change_fact(world, fact_key, |fact| fact.cause = FactId::parse("deposited-0").ok());
        }),
        seed(Invariant::Session, "a session lost although its bytes were receipted", move |world| {
            let version = at(world, &session);
            let mut says: Value = serde_json::from_slice(&version.bytes).expect("a session");
            says["stage"] = serde_json::json!({ "stage": "lost", "reason": "shown to fail" });
            version.bytes = json(&says);
        }),
    ]
}

fn of_versions(known: Known) -> Vec<Seed> {
    let Known { manifest, held, erased, .. } = known;
    let [original, other, third] = std::array::from_fn(|_| manifest.original.key.clone());
    let (marked, outboard, dated) =
        (manifest.outboard.key.clone(), manifest.outboard.key, keys::manifest(erased.key()));
    let second = dated.clone();
    vec![
        seed(Invariant::Locked, "no lock on the original", move |world| at(world, &original).locked_until = None),
        against_before(Invariant::LockGrows, "a fact's lock was longer before", |before| {
            let fact = at(before, "deposited-");
            fact.locked_until = fact.locked_until.map(|until| until + SignedDuration::from_hours(24));
        }),
        seed(Invariant::Floor, "a lock past the horizon", move |world| {
            let version = at(world, &other);
            let until = version.locked_until.expect("a lock");
            version.locked_until = until.checked_add((24 * 366 * 150).hours()).ok();
        }),
        seed(Invariant::Floor, "a policy that asks for more than there is", |world| world.policies = stricter()),
        seed(Invariant::Held, "the hold of one version off", move |world| at(world, &held.original.key).held = false),
        seed(Invariant::Held, "a hold for no reason", move |world| at(world, &third).held = true),
        seed(Invariant::OneVersion, "a delete marker", move |world| {
            let deleted = Version { is_marker: true, ..other_version(at(world, &marked)) };
            world.versions.push(deleted);
        }),
        seed(Invariant::OneVersion, "a second version", move |world| {
            let version = other_version(at(world, &second));
            world.versions.push(version);
        }),
        seed(Invariant::OneVersion, "an original that nobody brought", |world| {
            let mut stray = other_version(at(world, "footage/"));
            "footage/2026/11/23/09/0192".clone_into(&mut stray.object.key);
            world.versions.push(stray);
        }),
        seed(Invariant::NothingGone, "an outboard deleted", move |world| {
            world.versions.retain(|version| version.object.key != outboard);
        }),
        against_before(Invariant::NothingGone, "something that was there before", |before| {
            let gone = other_version(at(before, "deposited-"));
            before.versions.push(gone);
        }),
        seed(Invariant::Clock, "a manifest dated an hour off", move |world| {
            at(world, &dated).stored_at -= SignedDuration::from_hours(1);
        }),
    ]
}

fn of_words(known: Known) -> Vec<Seed> {
    let Known { early_permit, receipt_of_nothing, .. } = known;
    let upload = known.manifest.upload;
    vec![
        seed(Invariant::Permit, "a permit before the settle time", move |world| {
            world.log.permits.push(early_permit.clone());
        }),
        seed(Invariant::Permit, "erased without a permit", |world| {
            world.log.erased.push(("DCIM/gone.mp4".to_owned(), None));
        }),
        seed(Invariant::Offset, "an offset that goes back", move |world| {
            let upload: UploadId = upload.clone();
            world.log.offsets = vec![(upload.clone(), 8 << 20), (upload, 1 << 20)];
        }),
        seed(Invariant::Receipt, "a receipt for what is not there", move |world| {
            world.log.receipts.push((None, receipt_of_nothing.clone()));
        }),
        seed(Invariant::Receipt, "other bytes than the recorder's", |world| {
            world.log.files.values_mut().for_each(|roots| *roots = [Root::of(b"other")].into());
        }),
    ]
}

fn of_decisions(known: &Known) -> Vec<Seed> {
    let (code, row_of) = (known.erased.to_string(), known.erased.to_string());
    vec![
        seed(Invariant::ActIsFact, "a permit that was never stated", |world| {
            world.versions.retain(|version| !version.object.key.contains("permit_issued-"));
            world.tables.facts.retain(|row| !row.id.starts_with("permit_issued-"));
        }),
        seed(Invariant::Catalogue, "an item's row lost", move |world| {
            world.tables.items.retain(|row| row.code != code);
        }),
        seed(Invariant::Catalogue, "a row that says otherwise", move |world| {
            let row = world.tables.items.iter_mut().find(|row| row.code == row_of).expect("a row");
            "deposited".clone_into(&mut row.state);
        }),
        seed(Invariant::Catalogue, "a rebuild that makes other rows", |world| {
            world.tables.rebuilt = Some(("item 2".to_owned(), "item 1".to_owned()));
        }),
        seed(Invariant::TwoPeople, "one person released what they proposed", |world| {
            let row = world.tables.holds.iter_mut().find(|row| row.released_by.is_some()).expect("a released hold");
            row.released_by.clone_from(&row.proposed_by);
        }),
        seed(Invariant::TwoPeople, "a release stated by the one who proposed", |world| {
            let proposed: Fact = serde_json::from_slice(&at(world, "hold_release_proposed-").bytes).expect("a fact");
            change_fact(world, "hold_released-", |fact| fact.actor = proposed.actor.clone());
        }),
    ]
}

/// The first version whose key contains `part`.
fn at<'w>(world: &'w mut World, part: &str) -> &'w mut Version {
    let found = world.versions.iter_mut().find(|version| version.object.key.contains(part) && !version.is_marker);
    found.unwrap_or_else(|| panic!("no version of {part}"))
}

fn other_version(version: &Version) -> Version {
    let object = StoredObject { version: "another".to_owned(), ..version.object.clone() };
    Version { object, ..version.clone() }
}

fn document<T: serde::de::DeserializeOwned>(world: &World, key: &str) -> anyhow::Result<T> {
    let found = world.versions.iter().find(|version| version.object.key == key).with_context(|| key.to_owned())?;
    Ok(serde_json::from_slice(&found.bytes)?)
}

fn altered<D: Document>(envelope: &Envelope, key: &SigningKey, change: impl Fn(&mut D)) -> anyhow::Result<Envelope> {
    let mut says: D = envelope.peek()?;
    change(&mut says);
    Ok(Envelope::seal(&says, key)?)
}

fn change_fact(world: &mut World, part: &str, change: impl Fn(&mut Fact)) {
    let version = at(world, part);
    let mut fact: Fact = serde_json::from_slice(&version.bytes).expect("a fact");
    change(&mut fact);
    version.bytes = json(&fact);
}

fn json(value: &impl serde::Serialize) -> bytes::Bytes {
    serde_json::to_vec(value).expect("json").into()
}

/// Policies of which E's asks for nine years.
fn stricter() -> PolicySet {
    let folder = custos_local::config::repository().join("deploy/policies");
    let files = std::fs::read_dir(folder).expect("policies").flatten().map(|entry| entry.path());
    let texts: Vec<(String, String)> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("policy")))
        .map(|(name, text)| (name, text.replace("period: P3M, cite: E-13.1", "period: P9Y, cite: E-13.1")))
        .collect();
    PolicySet::load(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))).expect("policies")
}
