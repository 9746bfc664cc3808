//! An item as the store has it: the versions that are locked together.

use custos_domain::{
    item::UnifiedCode,
    keys,
    manifest::{Manifest, StoredObject},
};
use custos_platform::vault::{StoreError, Vault};
use futures::future::try_join_all;

/// An item as the store has it.
#[derive(Debug, Clone)]
pub struct Item {
    /// The manifest.
    pub manifest: Manifest,
    /// Where the manifest lies.
    pub manifest_key: String,
    /// Every version of original, outboard, manifest, seal, erase permit and mismatch report that there is.
    pub objects: Vec<StoredObject>,
    /// Keys with a second version or a delete marker. Nothing of ours makes one: each is an alarm.
    pub disturbed: Vec<String>,
    /// Whether the re-read agreed.
    pub sealed: bool,
}

impl Item {
    /// Looks an item up by its code; none when it was never deposited.
    pub async fn find(vault: &Vault, code: &UnifiedCode) -> Result<Option<Self>, StoreError> {
        let manifest_key = keys::manifest(code.key());
        let Some(document) = vault.read_first(&vault.buckets().originals, &manifest_key).await? else {
            return Ok(None);
        };
        let manifest: Manifest = serde_json::from_slice(&document.bytes).map_err(|e| unreadable(&manifest_key, &e))?;
        let known = [manifest.original.clone(), manifest.outboard.clone(), document.object];
        let written_later = [keys::seal(code.key()), keys::permit(code.key()), keys::mismatch(code.key())];
        let keys = known.iter().map(|object| object.key.clone()).chain(written_later);
        let found = try_join_all(keys.map(|key| versions(vault, key))).await?;

        // What is known to have been there is kept in the list even when the store no longer lists it: that is for the
        // reader of its lock to notice.
        let (mut objects, mut disturbed) = (Vec::from(known), Vec::new());
        for versions in found {
            objects.extend(versions.objects);
            disturbed.extend(versions.disturbed);
        }
        objects.sort_by(|a, b| (&a.key, &a.version).cmp(&(&b.key, &b.version)));
        objects.dedup();
        let seal = keys::seal(code.key());
        let sealed = objects.iter().any(|object| object.key == seal);
        Ok(Some(Self { manifest, manifest_key, objects, disturbed, sealed }))
    }
}

/// The versions of one key.
struct Versions {
    objects: Vec<StoredObject>,
    disturbed: Option<String>,
}

/// The oldest version of a key, and of a disturbed one the newest as well.
async fn versions(vault: &Vault, key: String) -> Result<Versions, StoreError> {
    let bucket = &vault.buckets().originals;
    let (mut objects, mut disturbed, mut cursor) = (Vec::new(), None, None);
    loop {
        let page = vault.versions(bucket, &key, cursor).await?;
        objects.extend(page.objects.into_iter().filter(|object| object.key == key));
        disturbed = disturbed.or_else(|| page.disturbed.into_iter().find(|other| *other == key));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if disturbed.is_some() {
        match vault.head_latest(bucket, &key).await {
            Ok(head) => objects.push(head.object),
            // The newest is a delete marker.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Versions { objects, disturbed })
}

fn unreadable(key: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Refused {
        operation: "GetObject",
        code: "UnreadableManifest".to_owned(),
        detail: format!("{key}: {error}"),
    }
}
