//! Uploads that were let in and whose bytes have not come yet.
//!
//! Who sends first and is let in afterwards has his bytes in the kernel's buffers meanwhile: his last byte is on its way for as long as
//! all before him take, and a refusal reaches him as a broken connection. So whoever asks for an upload waits with the question, and what
//! he was given is kept for a moment for the request that brings the bytes. Who does not come in time waits again, with the bytes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use custos_domain::ids::UploadId;
use custos_platform::lifecycle::Lifecycle;

use crate::{
    budget::{Budget, Permit, Unit},
    error::IngestError,
    session::{Session, Stage},
};

/// How long memory is kept for a client between its two requests: some round trips. Longer would let clients that never send
/// keep others out.
const KEPT: Duration = Duration::from_secs(1);

/// Memory kept for uploads whose bytes are about to come.
#[derive(Debug, Default)]
pub(crate) struct Door {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    permits: HashMap<UploadId, (u64, Permit)>,
    /// Tells a permit from a later one of the same upload.
    count: u64,
}

impl Door {
    /// Waits until an upload may begin, or answers [`IngestError::Busy`]. Nothing for one that began before, perhaps by a request whose
    /// line is dead and that still holds memory, nor for one whose bytes cannot come yet or need not come any more.
    pub(crate) async fn enter(&self, budget: &Budget, session: &Session) -> Result<Option<Permit>, IngestError> {
        let unit = Unit::new(session.tenant(), session.basis.origin().unit);
        let ready = session.outboard.is_some() || session.basis.plain().is_some();
        match session.stage {
            Stage::Committed { .. } | Stage::Lost { .. } => Ok(None),
            Stage::Declared | Stage::Receiving if session.epoch > 0 => Ok(None),
            Stage::Declared | Stage::Receiving if ready => budget.enter(&unit).await.map(Some),
            Stage::Declared | Stage::Receiving => budget.admit(&unit).map(|()| None),
        }
    }

    /// Keeps what an upload was given for the request that brings its bytes.
    pub(crate) fn keep(&self, lifecycle: &Lifecycle, upload: &UploadId, permit: Permit) {
        // One that was kept before is given back outside the lock.
        let (count, _before) = {
            let mut kept = lock(&self.kept);
            kept.count += 1;
            let count = kept.count;
            (count, kept.permits.insert(upload.clone(), (count, permit)))
        };
        let (kept, upload, soft) = (Arc::clone(&self.kept), upload.clone(), lifecycle.soft().clone());
        lifecycle.track(async move {
            soft.run_until_cancelled(tokio::time::sleep(KEPT)).await;
            // Given back outside the lock.
            let _late = {
                let mut kept = lock(&kept);
                let same = kept.permits.get(&upload).is_some_and(|(which, _)| *which == count);
                same.then(|| kept.permits.remove(&upload)).flatten()
            };
        });
    }

    /// What is kept for an upload.
    pub(crate) fn take(&self, upload: &UploadId) -> Option<Permit> {
        lock(&self.kept).permits.remove(upload).map(|(_, permit)| permit)
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use custos_domain::ids::{TenantId, UnitPath};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_for_the_upload_alone_and_not_for_long() {
        let unit = Unit::new(&TenantId::parse("E").expect("tenant"), &UnitPath::parse("A").expect("unit"));
        let (budget, door, lifecycle) = (Budget::new(2), Door::default(), Lifecycle::default());
        let upload = UploadId::of(uuid::Uuid::nil());
        door.keep(&lifecycle, &upload, budget.enter(&unit).await.expect("let in"));
        assert!(door.take(&UploadId::of(uuid::Uuid::max())).is_none());
        let permit = door.take(&upload).expect("kept");
        assert!(door.take(&upload).is_none(), "it was taken");

        // Kept again: the first time's end does not end the second.
        tokio::time::sleep(KEPT / 2).await;
        door.keep(&lifecycle, &upload, permit);
        tokio::time::sleep(KEPT * 3 / 4).await;
        assert_eq!(lock(&door.kept).permits.len(), 1);
        tokio::time::sleep(KEPT).await;
        assert!(door.take(&upload).is_none(), "it came too late");
        budget.enter(&unit).await.expect("given back");
    }
}
