//! Walks by prefix.

use custos_domain::manifest::StoredObject;

use super::{StoreError, Vault, call};

/// One page of a walk.
#[derive(Debug, Clone)]
pub struct Page {
    /// Oldest version of each key, in key order. A key that begins a page may have begun on the page before; it is listed once.
    pub objects: Vec<StoredObject>,
    /// Keys that have more than one version, or a delete marker: on a create-only bucket each is an alarm.
    pub disturbed: Vec<String>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
}

/// A position in a walk.
#[derive(Debug, Clone)]
pub struct Cursor {
    key: String,
    version: Option<String>,
    /// The key the last page ended in, with the oldest version seen of it so far.
    open: Option<StoredObject>,
}

/// Everything the store has under one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyVersions {
    /// Every version, the oldest first.
    pub versions: Vec<StoredObject>,
    /// How many delete markers there are.
    pub delete_markers: usize,
}

impl KeyVersions {
    /// The oldest: of a create-only key, the truth (INV-7).
    #[must_use]
    pub fn first(&self) -> Option<&StoredObject> {
        self.versions.first()
    }

    /// Whether somebody was here after the one create that a create-only key has.
    #[must_use]
    pub fn disturbed(&self) -> bool {
        self.versions.len() > 1 || self.delete_markers > 0
    }
}

impl Vault {
    /// The oldest version of exactly this key; a create-only key has no other.
    pub async fn first_version(&self, bucket: &str, key: &str) -> Result<Option<StoredObject>, StoreError> {
        Ok(self.every_version(bucket, key).await?.versions.into_iter().next())
    }

    /// Every version of exactly this key, those that somebody with the store's root credential put there included.
    pub async fn every_version(&self, bucket: &str, key: &str) -> Result<KeyVersions, StoreError> {
        let mut found = KeyVersions::default();
        let (mut after_key, mut after_version) = (None, None);
        loop {
            let request = self.control.list_object_versions().bucket(bucket).prefix(key);
            let request = request.set_key_marker(after_key).set_version_id_marker(after_version);
            let answer = call("ListObjectVersions", request.send()).await?;
            let of_key = answer.versions().iter().filter(|listed| listed.key() == Some(key));
            found.versions.extend(of_key.filter_map(|listed| listed.version_id()).map(|version| StoredObject {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: version.to_owned(),
            }));
            found.delete_markers += answer.delete_markers().iter().filter(|marker| marker.key() == Some(key)).count();
            // Keys come in order, so past ours there is no more of it.
            match answer.next_key_marker().filter(|next| answer.is_truncated() == Some(true) && *next == key) {
                Some(next) => {
                    after_key = Some(next.to_owned());
                    after_version = answer.next_version_id_marker().map(str::to_owned);
                }
                None => break,
            }
        }
        // The store lists the newest first.
        found.versions.reverse();
        Ok(found)
    }

    /// One page of the versions under a prefix, oldest version of each key.
    pub async fn versions(&self, bucket: &str, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StoreError> {
        let request = self
            .control
            .list_object_versions()
            .bucket(bucket)
            .prefix(prefix)
            .set_key_marker(cursor.as_ref().map(|c| c.key.clone()))
            .set_version_id_marker(cursor.as_ref().and_then(|c| c.version.clone()));
        let answer = call("ListObjectVersions", request.send()).await?;
        let mut objects: Vec<StoredObject> = cursor.and_then(|c| c.open).into_iter().collect();
        let mut disturbed: Vec<String> = Vec::new();
        for listed in answer.versions() {
            let (Some(key), Some(version)) = (listed.key(), listed.version_id()) else { continue };
            let object = StoredObject { bucket: bucket.to_owned(), key: key.to_owned(), version: version.to_owned() };
            match objects.last_mut() {
                // Versions of a key come newest first: the last one seen is the oldest.
                Some(last) if last.key == object.key => {
                    disturbed.push(object.key.clone());
                    *last = object;
                }
                _ => objects.push(object),
            }
        }
        disturbed.extend(answer.delete_markers().iter().filter_map(|marker| marker.key().map(str::to_owned)));
        disturbed.dedup();
        let next = answer.next_key_marker().filter(|_| answer.is_truncated() == Some(true)).map(|key| {
            // The last key may go on: keep it open for the next page.
            let open = objects.pop_if(|last| last.key == key);
            Cursor { key: key.to_owned(), version: answer.next_version_id_marker().map(str::to_owned), open }
        });
        Ok(Page { objects, disturbed, next })
    }

    /// The keys under a prefix of an unlocked bucket, one page of at most a thousand; answers where to go on.
    pub async fn keys(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        let request = self.control.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(after);
        let answer = call("ListObjectsV2", request.send()).await?;
        let keys = answer.contents().iter().filter_map(|o| o.key().map(str::to_owned)).collect();
        let next = answer.next_continuation_token().filter(|_| answer.is_truncated() == Some(true));
        Ok((keys, next.map(str::to_owned)))
    }
}
