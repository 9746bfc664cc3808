//! What this process remembers of the uploads it is busy with, so that it need not ask the store at every step.
//!
//! A remembered session is not believed: it carries its ETag, and whoever acts on it writes with that ETag as the condition. If
//! another replica, or a person, was there since, the write is refused, and the store is asked. Only what never changes is answered
//! from here: that an upload became a deposit, and which. Forgetting costs a read, no more.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use custos_domain::ids::UploadId;
use lru::LruCache;

use crate::{deposit::Deposit, session::Held};

/// Uploads remembered at once. A session is a few KiB, with its manifest some ten: 20 MiB at most.
const UPLOADS: NonZeroUsize = NonZeroUsize::new(2048).expect("not zero");

/// Sessions as last read or written by this process, the least recently used forgotten first.
#[derive(Debug, Clone)]
pub(crate) struct Recall {
    uploads: Arc<Mutex<LruCache<UploadId, Known>>>,
}

#[derive(Debug)]
struct Known {
    held: Held,
    deposit: Option<Arc<Deposit>>,
}

impl Default for Recall {
    fn default() -> Self {
        Self { uploads: Arc::new(Mutex::new(LruCache::new(UPLOADS))) }
    }
}

impl Recall {
    /// A session as last seen.
    pub(crate) fn session(&self, upload: &UploadId) -> Option<Held> {
        self.lock().get(upload).map(|known| known.held.clone())
    }

    /// The deposit an upload became. It never becomes another.
    pub(crate) fn deposit(&self, upload: &UploadId) -> Option<Arc<Deposit>> {
        self.lock().get(upload)?.deposit.clone()
    }

    /// Remembers a session as just read or written.
    pub(crate) fn learn(&self, held: &Held) {
        let mut uploads = self.lock();
        if let Some(known) = uploads.get_mut(&held.session.upload) {
            known.held = held.clone();
        } else {
            uploads.put(held.session.upload.clone(), Known { held: held.clone(), deposit: None });
        }
    }

    /// Remembers what an upload became, while its session is remembered.
    pub(crate) fn deposited(&self, upload: &UploadId, deposit: Arc<Deposit>) {
        if let Some(known) = self.lock().get_mut(upload) {
            known.deposit = Some(deposit);
        }
    }

    /// The next step asks the store.
    pub(crate) fn forget(&self, upload: &UploadId) {
        self.lock().pop(upload);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<UploadId, Known>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
