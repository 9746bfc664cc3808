//! The auditor: locks are read again for as long as there is an item, and put back where the store lost one.
//!
//! An extension that the store acknowledged can be gone after a power cut (MinIO, tried), so each is read again past the settle
//! time and only then called confirmed. Beside that, a walk over the manifests finds items that nothing is recorded of: their
//! announcement was lost, or the database was.

use std::{sync::Arc, time::Duration};

use custos_domain::{item::UnifiedCode, keys, manifest::Manifest};
use custos_platform::{item::StoredItem, vault::listing::Cursor};
use futures::{StreamExt as _, stream};
use jiff::SignedDuration;
use tokio::sync::Mutex;

use crate::{Retention, error::RetentionError, metrics};

/// Items looked at before the database is asked for more.
const BATCH: i64 = 16;
/// Batches in one round, so that the store is not kept busy with audits: some 50,000 items in an hour.
const BATCHES: usize = 10;
/// Items looked at side by side.
const SIDE_BY_SIDE: usize = 4;
/// How long an item is left to the one who took it. Two who look at once do no harm; an item whose look died waits this long.
const TAKEN: SignedDuration = SignedDuration::from_mins(1);
/// Pages of a thousand manifests walked in one round: a round must end, the walk goes on in the next.
const PAGES: usize = 20;
/// How long the seal may be outstanding before an item's lock is extended without it: the duty to keep does not wait for us.
const SEAL_PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// Where the walk over the manifests stands. Begins anew with the process.
#[derive(Debug, Default)]
pub struct Walk(Mutex<Option<Cursor>>);

impl Retention {
    /// Looks at every item whose time has come. Takes no input and may run anywhere, also twice at once.
    pub async fn audit(self: &Arc<Self>) -> Result<(), RetentionError> {
        for _ in 0..BATCHES {
            let now = self.clock.now();
            let due = self.ledger.take_due(now, now + TAKEN, BATCH).await?;
            let taken = i64::try_from(due.len()).unwrap_or(BATCH);
            self.look_at_all(due).await;
            if taken < BATCH || self.lifecycle.is_draining() {
                break;
            }
        }
        let waited = self.ledger.overdue_since().await?.map(|since| self.clock.now().duration_since(since));
        metrics::overdue(waited.and_then(|waited| Duration::try_from(waited).ok()).unwrap_or_default());
        Ok(())
    }

    /// Walks on over the manifests and looks at items that nothing is recorded of.
    pub async fn walk(self: &Arc<Self>) -> Result<(), RetentionError> {
        let mut cursor = self.walk.0.lock().await;
        for _ in 0..PAGES {
            let page = self.vault.versions(&self.vault.buckets().originals, keys::MANIFESTS, cursor.take()).await?;
            let found: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            let unknown = self.ledger.unknown(&found).await?;
            let mut overlooked = Vec::new();
            for key in unknown {
                overlooked.extend(self.overlooked(&key).await?);
            }
            self.look_at_all(overlooked).await;
            *cursor = page.next;
            if cursor.is_none() || self.lifecycle.is_draining() {
                break;
            }
        }
        Ok(())
    }

    /// The item with this manifest, when it should have been looked at by now.
    async fn overlooked(&self, manifest_key: &str) -> Result<Option<UnifiedCode>, RetentionError> {
        let Some(document) = self.vault.read_first(&self.vault.buckets().originals, manifest_key).await? else {
            return Ok(None);
        };
        let manifest: Manifest = match serde_json::from_slice(&document.bytes) {
            Ok(manifest) => manifest,
            // It must not stand in the way of the walk.
            Err(error) => {
                tracing::error!(key = manifest_key, error = %error, "a manifest is unreadable");
                return Ok(None);
            }
        };
        let age = self.clock.now().duration_since(manifest.ingested_at);
        if age >= SEAL_PATIENCE {
            return Ok(Some(manifest.code));
        }
        // A fresh item is left to its announcement.
        let fresh = age < SignedDuration::try_from(self.settle).unwrap_or(SignedDuration::MAX);
        let sealed = !fresh && StoredItem::find(&self.vault, &manifest.code).await?.is_some_and(|item| item.sealed);
        Ok(Some(manifest.code).filter(|_| sealed))
    }

    /// One bad item must not stop the round for the others; it is looked at again later.
    async fn look_at_all(self: &Arc<Self>, items: Vec<UnifiedCode>) {
        stream::iter(items)
            .for_each_concurrent(SIDE_BY_SIDE, async |code| {
                if let Err(error) = self.look(&code).await {
                    metrics::look_failed();
                    tracing::warn!(item = %code, error = %error, "could not look at an item; another try follows");
                }
            })
            .await;
    }
}
