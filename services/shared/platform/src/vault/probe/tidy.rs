//! What runs leave behind is removed by a later run, once its locks have run out.

use custos_domain::{keys, manifest::StoredObject};
use futures::{StreamExt as _, stream};
use jiff::SignedDuration;

use crate::{
    clock::Clock,
    vault::{StoreError, Vault, call},
};

/// How long a run's keys are left alone: it may still be trying, and its locks must have run out.
const LEFT_ALONE: SignedDuration = SignedDuration::from_mins(5);
/// Pages of a thousand versions looked at in one go.
const PAGES: usize = 20;
/// Versions removed at once.
const SIDE_BY_SIDE: usize = 4;

/// What came of tidying up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Versions and delete markers removed.
    pub removed: usize,
    /// Still locked; the next time.
    pub left: usize,
}

impl Vault {
    /// Removes what earlier runs left in the probe bucket. One run leaves some fifty small versions and 5 MiB; nothing else
    /// keeps the bucket from growing, so retention does this every night. Safe to run anywhere, also twice at once.
    pub async fn tidy_probe(&self, clock: &Clock) -> Result<Tidied, StoreError> {
        let now = clock.now();
        let is_old = |key: &str| keys::probe_run_began(key).is_none_or(|began| now.duration_since(began) > LEFT_ALONE);
        let mut tidied = Tidied::default();
        let mut after: Option<(String, Option<String>)> = None;
        for _ in 0..PAGES {
            let (page, next) = self.probe_page(keys::PROBE_RUNS, after).await?;
            let old = page.into_iter().filter(|object| is_old(&object.key));
            let removed: Vec<bool> = stream::iter(old)
                .map(|object| self.remove_scratch(object))
                .buffer_unordered(SIDE_BY_SIDE)
                .collect()
                .await;
            tidied.removed += removed.iter().filter(|removed| **removed).count();
            tidied.left += removed.iter().filter(|removed| !**removed).count();
            after = next;
            if after.is_none() {
                break;
            }
        }
        // A run removes these itself, unless it was cut short.
        let (sessions, _) = self.keys(&self.buckets().intake, keys::PROBE_INTAKE, None).await?;
        for key in sessions.iter().filter(|key| is_old(key)) {
            self.discard_intake(key).await?;
            tidied.removed += 1;
        }
        Ok(tidied)
    }

    async fn remove_scratch(&self, object: StoredObject) -> bool {
        if self.discard_probe(&object, true).await.is_ok() {
            return true;
        }
        // A run that was killed may have left its hold on.
        matches!(self.is_held(&object).await, Ok(true))
            && self.set_hold(&object, false).await.is_ok()
            && self.discard_probe(&object, true).await.is_ok()
    }

    /// Every version and delete marker of one key of the probe bucket.
    pub(super) async fn probe_versions(&self, key: &str) -> Result<Vec<StoredObject>, StoreError> {
        let (page, _) = self.probe_page(key, None).await?;
        Ok(page.into_iter().filter(|object| object.key == key).collect())
    }

    async fn probe_page(
        &self,
        prefix: &str,
        after: Option<(String, Option<String>)>,
    ) -> Result<(Vec<StoredObject>, Option<(String, Option<String>)>), StoreError> {
        let bucket = &self.buckets().probe;
        let (key, version) = after.unzip();
        let request = self.control.list_object_versions().bucket(bucket).prefix(prefix);
        let request = request.set_key_marker(key).set_version_id_marker(version.flatten());
        let answer = call("ListObjectVersions", request.send()).await?;
        let versions = answer.versions().iter().map(|listed| (listed.key(), listed.version_id()));
        let markers = answer.delete_markers().iter().map(|listed| (listed.key(), listed.version_id()));
        let objects = versions.chain(markers).filter_map(|(key, version)| {
            Some(StoredObject { bucket: bucket.clone(), key: key?.to_owned(), version: version?.to_owned() })
        });
        let next = answer.next_key_marker().filter(|_| answer.is_truncated() == Some(true));
        let next = next.map(|key| (key.to_owned(), answer.next_version_id_marker().map(str::to_owned)));
        Ok((objects.collect(), next))
    }
}
