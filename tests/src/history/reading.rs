//! The documents of a world, read: of each key the oldest version, which is the truth (INV-7).

use std::collections::{BTreeSet, HashMap};

use custos_domain::{
    dsse::{Document, Envelope},
    fact::Fact,
    ids::UploadId,
    item::UnifiedCode,
    keys,
    manifest::{Manifest, StoredObject},
    receipt::{ErasePermit, Receipt},
    seal::Seal,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Invariant, Violation,
    world::{Version, World},
};

/// A document and the version it was read from.
#[derive(Debug)]
pub struct Found<'w, T> {
    /// What it says.
    pub says: T,
    /// Where it lies.
    pub version: &'w Version,
}

/// An upload's session, as far as it concerns anybody else.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// The upload.
    pub upload: UploadId,
    /// Where it stands.
    pub stage: Stage,
}

/// Where a session stands.
#[derive(Debug, Deserialize)]
pub struct Stage {
    /// Such as `committed`.
    pub stage: String,
    /// The item, when committed.
    pub code: Option<UnifiedCode>,
    /// The manifest, when committed.
    pub manifest: Option<StoredObject>,
}

/// Which upload brings some bytes for an item.
#[derive(Debug, Deserialize)]
pub struct Claim {
    /// The upload.
    pub upload: UploadId,
}

/// Every document of a world.
#[derive(Debug)]
pub struct Reading<'w> {
    /// The world.
    pub world: &'w World,
    /// Manifests that lie where their code says.
    pub manifests: Vec<Found<'w, Manifest>>,
    /// Manifests that lie elsewhere.
    pub astray: Vec<Found<'w, Manifest>>,
    /// Seals, opened with a trusted key.
    pub seals: Vec<Found<'w, Seal>>,
    /// Stored permits, opened with a trusted key.
    pub permits: Vec<Found<'w, ErasePermit>>,
    /// Permits that docks have, opened likewise.
    pub handed: Vec<ErasePermit>,
    /// Receipts that docks have, each with the file's name.
    pub receipts: Vec<(Option<&'w str>, Receipt)>,
    /// Facts that lie where their content says.
    pub facts: Vec<Found<'w, Fact>>,
    /// Sessions.
    pub sessions: Vec<Found<'w, Session>>,
    /// Claims.
    pub claims: Vec<Found<'w, Claim>>,
    /// What could not be read.
    pub unreadable: Vec<Violation>,
    by_object: HashMap<&'w StoredObject, &'w Version>,
}

impl<'w> Reading<'w> {
    /// Reads everything.
    #[must_use]
    pub fn of(world: &'w World) -> Self {
        let by_object = world.versions.iter().filter(|v| !v.is_marker).map(|v| (&v.object, v)).collect();
        let mut wrong = Vec::new();
        let keys::Buckets { originals, log, intake, .. } = &world.buckets;
        let all: Vec<Found<Manifest>> = json(world, originals, keys::MANIFESTS, Invariant::Manifest, &mut wrong);
        let (manifests, astray) =
            all.into_iter().partition(|found| keys::manifest(found.says.code.key()) == found.version.object.key);
        let facts: Vec<Found<Fact>> = json(world, log, keys::FACTS, Invariant::Fact, &mut wrong);
        let mut well_placed = Vec::new();
        for found in facts {
            let belongs = keys::fact(&found.says);
            if belongs == found.version.object.key {
                well_placed.push(found);
            } else {
                let item = found.version.object.key.clone();
                let expected = format!("nothing: the fact in it lies at {belongs}");
                wrong.push(Violation { invariant: Invariant::Fact, item, expected, found: "the fact".to_owned() });
            }
        }
        let sealed: Vec<Found<Envelope>> = json(world, originals, "seals/", Invariant::Sealed, &mut wrong);
        let permitted: Vec<Found<Envelope>> = json(world, originals, "permits/", Invariant::Permit, &mut wrong);
        let (seal, receipt) = (&world.trust.seal, &world.trust.receipt);
        let open_here = |envelope: &Envelope, item: &str, wrong: &mut Vec<Violation>| {
            open::<ErasePermit>(envelope, receipt, item, Invariant::Permit, wrong)
        };
        Self {
            seals: opened(sealed, |e, i, w| open(e, seal, i, Invariant::Sealed, w), &mut wrong),
            permits: opened(permitted, open_here, &mut wrong),
            handed: world.log.permits.iter().filter_map(|e| open_here(e, "a dock's permit", &mut wrong)).collect(),
            receipts: receipts(world, &mut wrong),
            sessions: json(world, intake, keys::SESSIONS, Invariant::Session, &mut wrong),
            claims: json(world, intake, "claims/", Invariant::Session, &mut wrong),
            facts: well_placed,
            manifests,
            astray,
            unreadable: wrong,
            by_object,
            world,
        }
    }

    /// A version, if it is there.
    #[must_use]
    pub fn version(&self, object: &StoredObject) -> Option<&'w Version> {
        self.by_object.get(object).copied()
    }

    /// The manifest of an item.
    #[must_use]
    pub fn manifest(&self, code: &UnifiedCode) -> Option<&Found<'w, Manifest>> {
        self.manifests.iter().find(|found| found.says.code == *code)
    }

    /// The facts about an item.
    pub fn facts_of<'s>(&'s self, code: &'s UnifiedCode) -> impl Iterator<Item = &'s Fact> {
        self.facts.iter().map(|found| &found.says).filter(move |fact| fact.subject.code() == Some(code))
    }

    /// Whether the originals bucket has a key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.world.of_bucket(&self.world.buckets.originals).any(|v| v.object.key == key && !v.is_marker)
    }

    /// Every version of everything that is kept of an item.
    #[must_use]
    pub fn versions_of(&self, manifest: &Found<'w, Manifest>) -> Vec<&'w Version> {
        let item = manifest.says.code.key();
        let mut names = BTreeSet::from([keys::manifest(item), keys::seal(item), keys::permit(item)]);
        names.extend([keys::mismatch(item), manifest.says.original.key.clone(), manifest.says.outboard.key.clone()]);
        let originals = self.world.of_bucket(&self.world.buckets.originals);
        originals.filter(|v| !v.is_marker && names.contains(&v.object.key)).collect()
    }
}

/// The oldest version of each key under a prefix, parsed.
fn json<'w, T: DeserializeOwned>(
    world: &'w World,
    bucket: &'w str,
    prefix: &str,
    invariant: Invariant,
    wrong: &mut Vec<Violation>,
) -> Vec<Found<'w, T>> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for version in world.of_bucket(bucket).filter(|v| !v.is_marker && v.object.key.starts_with(prefix)) {
        // Oldest first in the world's list; of unlocked buckets there is only one.
        if !seen.insert(&version.object.key) {
            continue;
        }
        match serde_json::from_slice(&version.bytes) {
            Ok(says) => found.push(Found { says, version }),
            Err(error) => wrong.push(unreadable(invariant, &version.object.key, &error.to_string())),
        }
    }
    found
}

fn receipts<'w>(world: &'w World, wrong: &mut Vec<Violation>) -> Vec<(Option<&'w str>, Receipt)> {
    let open = |(name, envelope): &'w (Option<String>, Envelope)| {
        let item = name.as_deref().unwrap_or("a client's receipt");
        let receipt = open(envelope, &world.trust.receipt, item, Invariant::Receipt, wrong)?;
        Some((name.as_deref(), receipt))
    };
    world.log.receipts.iter().filter_map(open).collect()
}

fn opened<'w, T>(
    envelopes: Vec<Found<'w, Envelope>>,
    open: impl Fn(&Envelope, &str, &mut Vec<Violation>) -> Option<T>,
    wrong: &mut Vec<Violation>,
) -> Vec<Found<'w, T>> {
    let says = |found: Found<'w, Envelope>| {
        let says = open(&found.says, &found.version.object.key, wrong)?;
        Some(Found { says, version: found.version })
    };
    envelopes.into_iter().filter_map(says).collect()
}

fn open<D: Document>(
    envelope: &Envelope,
    trusted: &[custos_domain::dsse::KeyId],
    item: &str,
    invariant: Invariant,
    wrong: &mut Vec<Violation>,
) -> Option<D> {
    match envelope.open(trusted) {
        Ok(says) => Some(says),
        Err(error) => {
            wrong.push(unreadable(invariant, item, &error.to_string()));
            None
        }
    }
}

fn unreadable(invariant: Invariant, item: &str, why: &str) -> Violation {
    let (item, expected) = (item.to_owned(), "a document of its kind, signed by who signs these".to_owned());
    Violation { invariant, item, expected, found: why.to_owned() }
}
