//! Every version and delete marker of a bucket, for who looks after the whole of it.

use custos_domain::manifest::StoredObject;
use jiff::Timestamp;

use super::{StoreError, Vault, call, timestamp};

/// One version, or one delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// Which.
    pub object: StoredObject,
    /// When it was written, by the store's clock, to the second.
    pub modified: Option<Timestamp>,
    /// Whether it is a delete marker, which has no bytes.
    pub marker: bool,
}

/// One page of a bucket's versions.
#[derive(Debug, Clone, Default)]
pub struct VersionPage {
    /// Versions in key order, of one key the newest first; after them the delete markers in key order.
    pub listed: Vec<ListedVersion>,
    /// Where the next page begins; none at the end.
    pub next: Option<VersionMarker>,
}

/// A position among a bucket's versions.
#[derive(Debug, Clone)]
pub struct VersionMarker {
    key: String,
    version: Option<String>,
}

/// An object of an unlocked bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its key.
    pub key: String,
    /// When it was written last, by the store's clock, to the second.
    pub modified: Option<Timestamp>,
    /// For compare-and-set.
    pub etag: String,
}

impl Vault {
    /// One page of everything under a prefix of a versioned bucket.
    pub async fn page_of_versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<VersionMarker>,
    ) -> Result<VersionPage, StoreError> {
        let request = self
            .control
            .list_object_versions()
            .bucket(bucket)
            .prefix(prefix)
            .set_key_marker(after.as_ref().map(|marker| marker.key.clone()))
            .set_version_id_marker(after.and_then(|marker| marker.version));
        let answer = call("ListObjectVersions", request.send()).await?;
        let object = |key: Option<&str>, version: Option<&str>| {
            Some(StoredObject { bucket: bucket.to_owned(), key: key?.to_owned(), version: version?.to_owned() })
        };
        let versions = answer.versions().iter().filter_map(|listed| {
            let modified = listed.last_modified().and_then(timestamp);
            Some(ListedVersion { object: object(listed.key(), listed.version_id())?, modified, marker: false })
        });
        let markers = answer.delete_markers().iter().filter_map(|listed| {
            let modified = listed.last_modified().and_then(timestamp);
            Some(ListedVersion { object: object(listed.key(), listed.version_id())?, modified, marker: true })
        });
        let listed = versions.chain(markers).collect();
        let next = answer.next_key_marker().filter(|_| answer.is_truncated() == Some(true)).map(|key| VersionMarker {
            key: key.to_owned(),
            version: answer.next_version_id_marker().map(str::to_owned),
        });
        Ok(VersionPage { listed, next })
    }

    /// One page of the keys under a prefix of an unlocked bucket, with when each was written; answers where to go on.
    pub async fn keys_with_times(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<String>,
    ) -> Result<(Vec<ListedKey>, Option<String>), StoreError> {
        let request = self.control.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(after);
        let answer = call("ListObjectsV2", request.send()).await?;
        let listed = answer.contents().iter().filter_map(|object| {
            Some(ListedKey {
                key: object.key()?.to_owned(),
                modified: object.last_modified().and_then(timestamp),
                etag: object.e_tag().unwrap_or_default().to_owned(),
            })
        });
        let next = answer.next_continuation_token().filter(|_| answer.is_truncated() == Some(true));
        Ok((listed.collect(), next.map(str::to_owned)))
    }
}
