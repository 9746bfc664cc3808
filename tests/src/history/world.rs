//! Everything that was looked at, as plain values: a test may change any of them and see what the checks say.

use bytes::Bytes;
use custos_domain::{
    digest::{Crc64, Root},
    keys::Buckets,
    manifest::StoredObject,
    outboard::Outboard,
    policy::PolicySet,
};
use custos_local::Part;
use custos_platform::signer::Trust;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::log::Log;

/// The world at one moment.
#[derive(Debug, Clone)]
pub struct World {
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// Names of the buckets.
    pub buckets: Buckets,
    /// The services that run: what the others owe is not asked for.
    pub running: Vec<Part>,
    /// The agencies' policies.
    pub policies: PolicySet,
    /// Whose signatures count.
    pub trust: Trust,
    /// How long after the manifest a permit may be given, at the earliest.
    pub settle: SignedDuration,
    /// Every version and delete marker of every key, oldest first.
    pub versions: Vec<Version>,
    /// The database.
    pub tables: Tables,
    /// What docks were told.
    pub log: Log,
}

/// One version, or one delete marker, of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Which.
    pub object: StoredObject,
    /// Whether it is a delete marker; then nothing below is known.
    pub is_marker: bool,
    /// When the store made it, by the store's clock.
    pub stored_at: Timestamp,
    /// Bytes.
    pub length: u64,
    /// The checksum the store keeps.
    pub crc: Option<Crc64>,
    /// BLAKE3 of what was read; of originals, outboards and documents.
    pub root: Option<Root>,
    /// The bytes themselves, of documents and outboards.
    pub bytes: Bytes,
    /// What an original's outboard must be, from its bytes.
    pub proof: Option<Outboard>,
    /// The date of its COMPLIANCE lock.
    pub locked_until: Option<Timestamp>,
    /// Whether the store's legal hold is on.
    pub held: bool,
}

/// What the services keep in the database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    /// `retention.item`.
    pub kept: Vec<KeptRow>,
    /// `legal_hold.hold`.
    pub holds: Vec<HoldRow>,
    /// `legal_hold.hold_item`.
    pub hold_items: Vec<HoldItemRow>,
    /// `records.fact`.
    pub facts: Vec<FactRow>,
    /// `records.item`.
    pub items: Vec<ItemRow>,
    /// Every outbox.
    pub outboxes: Vec<OutboxRow>,
    /// What `custos-records fingerprint` said before and after a rebuild, when a test made one.
    pub rebuilt: Option<(String, String)>,
}

/// What retention recorded of an item.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct KeptRow {
    /// The unified code.
    pub code: String,
    /// The lock that was read back.
    pub locked_until: Timestamp,
    /// The versions it was read back of.
    pub objects: Vec<StoredObject>,
}

/// A hold with everybody who had a word in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HoldRow {
    /// The hold.
    pub id: String,
    /// Who asked.
    pub placed_by: String,
    /// Who confirmed.
    pub confirmed_by: Option<String>,
    /// The first who asked for the end.
    pub proposed_by: Option<String>,
    /// The second.
    pub released_by: Option<String>,
}

/// A hold is on an item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HoldItemRow {
    /// The hold.
    pub hold: String,
    /// The unified code.
    pub item: String,
}

/// A fact in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FactRow {
    /// Key of its object.
    pub key: String,
    /// Version of its object.
    pub version: String,
    /// Its id.
    pub id: String,
}

/// An item in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ItemRow {
    /// The unified code.
    pub code: String,
    /// `deposited`, `sealed` or `mismatched`.
    pub state: String,
    /// Whether it may not be let go.
    pub held: bool,
    /// The lock as last stated.
    pub locked_until: Timestamp,
    /// Key of the manifest.
    pub manifest: String,
}

/// A fact on its way from a schema to the store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OutboxRow {
    /// The fact.
    pub fact_id: String,
    /// When it was in the store and on the bus.
    pub stated_at: Option<Timestamp>,
}

impl World {
    /// Whether a service runs, and so owes what it does.
    #[must_use]
    pub fn runs(&self, service: Part) -> bool {
        self.running.contains(&service)
    }

    /// Every version and marker of a bucket.
    pub fn of_bucket<'a>(&'a self, bucket: &'a str) -> impl Iterator<Item = &'a Version> {
        self.versions.iter().filter(move |version| version.object.bucket == bucket)
    }

    /// Every version and marker of the two locked buckets.
    pub fn locked(&self) -> impl Iterator<Item = &Version> {
        let Buckets { originals, log, .. } = &self.buckets;
        self.versions.iter().filter(move |version| [originals, log].contains(&&version.object.bucket))
    }

    /// A version.
    #[must_use]
    pub fn find(&self, object: &StoredObject) -> Option<&Version> {
        self.versions.iter().find(|version| version.object == *object && !version.is_marker)
    }
}
