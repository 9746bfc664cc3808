//! One upload at a time of the same bytes: two copies of a file on one recorder are one item, and two requests for one upload
//! would take it over from each other without end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use custos_domain::digest::Root;

/// Who is uploading what. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Single(Arc<Mutex<HashMap<Root, Weak<tokio::sync::Mutex<()>>>>>);

impl Single {
    /// Waits until nobody else in this process uploads these bytes; they are ours until the guard is dropped.
    pub async fn enter(&self, root: Root) -> tokio::sync::OwnedMutexGuard<()> {
        self.lock_of(root).lock_owned().await
    }

    fn lock_of(&self, root: Root) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(&root).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(root, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_same_bytes_wait_and_others_do_not() {
        let single = Single::default();
        let (one, other) = (Root::of(b"1"), Root::of(b"2"));
        let guard = single.enter(one).await;
        assert!(single.enter(one).now_or_never().is_none());
        assert!(single.enter(other).now_or_never().is_some());
        drop(guard);
        assert!(single.enter(one).now_or_never().is_some());
        assert!(single.lock_of(other).try_lock().is_ok());
        assert_eq!(single.0.lock().expect("lock").len(), 1, "finished ones are forgotten");
    }
}
