//! An item as the store has it: its manifest, and every version that is locked and held together.

use custos_domain::{
    item::UnifiedCode,
    keys,
    manifest::{Manifest, StoredObject},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::vault::{StoreError, Vault, listing::KeyVersions};

/// An item as the store has it.
#[derive(Debug, Clone)]
pub struct StoredItem {
    /// The manifest that stands.
    pub manifest: Manifest,
    /// Where it lies.
    pub manifest_object: StoredObject,
    /// Every version of original, outboard, manifest, seal, erase permit and mismatch report that there is, and the three
    /// first even where the store no longer lists them: that is for the reader of their lock to notice.
    pub objects: Vec<StoredObject>,
    /// Keys with a second version or a delete marker. Nothing of ours makes one: each is an alarm, and none is a reason to
    /// leave a version unlocked.
    pub disturbed: Vec<String>,
    /// Whether the independent re-read agreed.
    pub sealed: bool,
    /// Whether everything that will be written for it is there: after the erase permit nothing follows.
    pub complete: bool,
}

impl StoredItem {
    /// Looks an item up by its code; none when it was never deposited.
    pub async fn find(vault: &Vault, code: &UnifiedCode) -> Result<Option<Self>, StoreError> {
        let Some((manifest, manifest_object)) = read_manifest(vault, code).await? else { return Ok(None) };
        let mut objects = vec![manifest.original.clone(), manifest.outboard.clone(), manifest_object.clone()];
        let (seal, permit) = (keys::seal(code.key()), keys::permit(code.key()));
        let mut keys: Vec<String> = objects.iter().map(|object| object.key.clone()).collect();
        keys.extend([seal.clone(), permit.clone(), keys::mismatch(code.key())]);
        let bucket = &vault.buckets().originals;
        let found: Vec<(String, KeyVersions)> = stream::iter(keys)
            .map(async |key| vault.every_version(bucket, &key).await.map(|versions| (key, versions)))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;

        let there = |key: &String| found.iter().any(|(other, versions)| other == key && versions.first().is_some());
        let (sealed, complete) = (there(&seal), there(&permit));
        let disturbed = found.iter().filter(|(_, versions)| versions.disturbed()).map(|(key, _)| key.clone()).collect();
        objects.extend(found.into_iter().flat_map(|(_, versions)| versions.versions));
        objects.sort_by(|a, b| (&a.key, &a.version).cmp(&(&b.key, &b.version)));
        objects.dedup();
        Ok(Some(Self { manifest, manifest_object, objects, disturbed, sealed, complete }))
    }

    /// The alarms among its keys, as sentences.
    pub fn disturbances(&self) -> impl Iterator<Item = String> {
        self.disturbed.iter().map(|key| format!("{key} has a second version or a delete marker"))
    }
}

/// The manifest of an item; none when it was never deposited.
pub async fn manifest(vault: &Vault, code: &UnifiedCode) -> Result<Option<Manifest>, StoreError> {
    Ok(read_manifest(vault, code).await?.map(|(manifest, _)| manifest))
}

/// Requests under way at once for one item: somebody with root can make thousands of versions.
pub const AT_ONCE: usize = 8;

async fn read_manifest(vault: &Vault, code: &UnifiedCode) -> Result<Option<(Manifest, StoredObject)>, StoreError> {
    let key = keys::manifest(code.key());
    let Some(document) = vault.read_first(&vault.buckets().originals, &key).await? else { return Ok(None) };
    let manifest = serde_json::from_slice(&document.bytes).map_err(|error| StoreError::Refused {
        operation: "GetObject",
        code: "UnreadableManifest".to_owned(),
        detail: format!("{key}: {error}"),
    })?;
    Ok(Some((manifest, document.object)))
}
