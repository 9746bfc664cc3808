//! Every version of every key. Listed by MinIO's own client, so that a listing of ours that overlooks something is noticed.

use std::collections::HashMap;

use bytes::Bytes;
use custos_domain::{
    digest::Root,
    keys::{self, Buckets},
    manifest::StoredObject,
    outboard::{Outboard, OutboardBuilder},
};
use custos_platform::vault::Vault;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    history::world::{Version, World},
    site::Site,
    store::Root as Administrator,
};

/// Versions read side by side.
const SIDE_BY_SIDE: usize = 16;
/// Bytes of an original in one read.
const PIECE: u64 = 8 << 20;

/// Reads log, originals, derived and intake, in this order: what a fact names was there before the fact.
/// What is locked and `known` is taken over as it was.
pub(super) async fn read(site: &Site, known: Option<&World>) -> anyhow::Result<Vec<Version>> {
    let (vault, root) = (site.vault()?, Administrator::of(site)?);
    let Buckets { originals, intake, log, derived, .. } = vault.buckets().clone();
    let locked = known.iter().flat_map(|world| world.locked()).filter(|version| !version.is_marker);
    let known: Known<'_> = locked.map(|version| (&version.object, version)).collect();
    let mut versions = Vec::new();
    for (bucket, locked) in [(log, true), (originals, true), (derived, false), (intake, false)] {
        let listed = root.versions(&bucket).await?;
        // What the store is tried with in the intake bucket comes and goes.
        let listed = listed.into_iter().filter(|line| !line.key.starts_with(keys::PROBE_INTAKE));
        let reads = listed.map(|line| version(&vault, &bucket, locked, line, &known));
        let found: Vec<Option<Version>> = stream::iter(reads).buffered(SIDE_BY_SIDE).try_collect().await?;
        versions.extend(found.into_iter().flatten());
    }
    Ok(versions)
}

/// Locked versions that were read before.
type Known<'w> = HashMap<&'w StoredObject, &'w Version>;

/// A line of `mc ls --versions --json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    key: String,
    version_id: String,
    #[serde(default)]
    version_ordinal: u64,
    size: u64,
    last_modified: Timestamp,
    #[serde(default)]
    is_delete_marker: bool,
}

impl Listed {
    /// Where it stands in its bucket: keys in order, of each the oldest version first.
    pub(crate) fn place(&self) -> (String, u64) {
        (self.key.clone(), self.version_ordinal)
    }
}

/// None when it went between listing and reading, which only what is not locked may do.
async fn version(
    vault: &Vault,
    bucket: &str,
    locked: bool,
    line: Listed,
    known: &Known<'_>,
) -> anyhow::Result<Option<Version>> {
    let object = StoredObject { bucket: bucket.to_owned(), key: line.key, version: line.version_id };
    if let Some(known) = known.get(&object) {
        return Ok(Some((*known).clone()));
    }
    let mut version = Version {
        is_marker: line.is_delete_marker,
        stored_at: line.last_modified,
        length: line.size,
        crc: None,
        root: None,
        bytes: Bytes::new(),
        proof: None,
        locked_until: None,
        held: false,
        object,
    };
    let unlocked_document = ["sessions/", "claims/"].iter().any(|folder| version.object.key.starts_with(folder));
    if version.is_marker || !(locked || unlocked_document) {
        return Ok(Some(version));
    }
    if locked {
        let head = vault.head_version(&version.object).await?;
        (version.locked_until, version.held, version.crc) = (head.locked_until, head.held, head.crc);
    }
    let footage = version.object.key.starts_with("footage/");
    let read = if footage { original(vault, &mut version).await } else { document(vault, &mut version).await };
    match read {
        Err(error) if !locked && error.is_not_found() => Ok(None),
        other => Ok(other.map(|()| Some(version))?),
    }
}

async fn document(vault: &Vault, version: &mut Version) -> Result<(), custos_platform::vault::StoreError> {
    version.bytes = vault.read_document(&version.object).await?.bytes;
    version.root = Some(Root::of(&version.bytes));
    Ok(())
}

/// Hashes an original in pieces; the root by BLAKE3 itself, not by the outboard's own arithmetic.
async fn original(vault: &Vault, version: &mut Version) -> Result<(), custos_platform::vault::StoreError> {
    let (mut hasher, mut builder, mut at) = (blake3::Hasher::new(), OutboardBuilder::default(), 0);
    while at < version.length {
        let piece = vault.read_range(&version.object, at, PIECE.min(version.length - at)).await?;
        if piece.is_empty() {
            break;
        }
        hasher.update(&piece);
        builder.update(&piece);
        at += piece.len() as u64;
    }
    version.length = at;
    version.root = Some(Root(*hasher.finalize().as_bytes()));
    version.proof = builder.finish().ok().filter(|proof: &Outboard| proof.len() == at);
    Ok(())
}
