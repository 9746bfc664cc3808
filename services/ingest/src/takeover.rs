//! The newest request of an upload wins: it stops the older one and waits until that has put down what it held.
//!
//! Within a process this is a cancellation; between replicas it is the session's epoch, looked at before a commit. Neither is
//! needed for safety (a part sent twice is the same part); both keep a half-dead connection from holding an upload for minutes. 423
//! is never sent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use custos_domain::ids::UploadId;
use tokio_util::sync::CancellationToken;

/// An older request that does not end within this time is left behind: it can only repeat what is already stored.
const PATIENCE: Duration = Duration::from_secs(30);

/// Running appends by upload.
#[derive(Debug, Default)]
pub(crate) struct Takeover {
    running: Arc<Mutex<HashMap<UploadId, Running>>>,
}

#[derive(Debug, Clone)]
struct Running {
    stop: CancellationToken,
    ended: CancellationToken,
}

/// The right to append; ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Cancelled when a newer request takes over.
    pub(crate) stop: CancellationToken,
    ended: CancellationToken,
    upload: UploadId,
    running: Arc<Mutex<HashMap<UploadId, Running>>>,
}

impl Takeover {
    /// Stops the older request of this upload, waits for its end, and takes its place. `parent` stops every turn.
    pub(crate) async fn take(&self, upload: &UploadId, parent: &CancellationToken) -> Turn {
        let turn = Running { stop: parent.child_token(), ended: CancellationToken::new() };
        let older = self.lock().insert(upload.clone(), turn.clone());
        if let Some(older) = older {
            older.stop.cancel();
            if tokio::time::timeout(PATIENCE, older.ended.cancelled()).await.is_err() {
                tracing::warn!(%upload, "an older request of this upload does not end; going on without it");
            }
        }
        Turn { stop: turn.stop, ended: turn.ended, upload: upload.clone(), running: Arc::clone(&self.running) }
    }

    /// Appends under way.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UploadId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.ended.cancel();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer request may already stand in our place.
        if running.get(&self.upload).is_some_and(|r| r.ended.is_cancelled()) {
            running.remove(&self.upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_waits_for_the_older_to_end() {
        let (takeover, parent) = (Takeover::default(), CancellationToken::new());
        let upload = UploadId::parse("ab-1").expect("upload");
        let first = takeover.take(&upload, &parent).await;
        let stop = first.stop.clone();
        let older = tokio::spawn(async move {
            first.stop.cancelled().await;
            drop(first);
        });
        let second = takeover.take(&upload, &parent).await;
        assert!(stop.is_cancelled() && !second.stop.is_cancelled());
        older.await.expect("older");
        assert_eq!(takeover.count(), 1);
        drop(second);
        assert_eq!(takeover.count(), 0);
    }
}
