//! Which part goes to the store next, of all uploads of the process.
//!
//! A store that is sent everything at once takes all of it equally slowly, and the dozen small requests that end a deposit wait behind
//! parts of uploads that are far from theirs. So only so many parts go at once; whose upload lacks the fewest goes first, and now and
//! then who waits longest, so that a stream of small files cannot hold up a large one. Meanwhile their memory is not free and their
//! senders are not read from.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::metrics;

/// Of how many turns one is for who waits longest.
const OLDEST_OF: u64 = 4;

/// Lanes to the store.
#[derive(Debug, Clone)]
pub struct Lanes(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    queue: Queue<oneshot::Sender<Lane>>,
}

/// One part's way to the store, free again when dropped.
#[derive(Debug)]
pub struct Lane(Lanes);

impl Lanes {
    /// So many lanes.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count, queue: Queue::default() })))
    }

    /// A lane for a part of an upload that lacks `left` parts more, when it is its turn.
    pub async fn enter(&self, left: usize) -> Option<Lane> {
        let (tell, told) = oneshot::channel();
        self.lock().queue.join(left, tell);
        self.hand_out();
        // Kept until it is told: there is always an answer.
        told.await.ok()
    }

    fn hand_out(&self) {
        loop {
            let next = {
                let mut state = self.lock();
                let mut next = if state.free == 0 { None } else { state.queue.next() };
                while next.as_ref().is_some_and(oneshot::Sender::is_closed) {
                    next = state.queue.next();
                }
                metrics::parts_waiting(state.queue.places.len());
                let Some(next) = next else { return };
                state.free -= 1;
                next
            };
            // Outside the lock: a lane that nobody waits for any more gives itself back.
            let _ = next.send(Lane(self.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.lock().free += 1;
        self.0.hand_out();
    }
}

/// Who waits. Pure, so that every order can be tried.
#[derive(Debug)]
struct Queue<T> {
    /// By what is left of the upload, and then by when they came.
    places: BTreeMap<(usize, u64), T>,
    joined: u64,
    turns: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), joined: 0, turns: 0 }
    }
}

impl<T> Queue<T> {
    fn join(&mut self, left: usize, who: T) {
        self.joined += 1;
        self.places.insert((left, self.joined), who);
    }

    fn next(&mut self) -> Option<T> {
        let nearest = *self.places.first_key_value()?.0;
        self.turns += 1;
        let turn = if self.turns.is_multiple_of(OLDEST_OF) {
            self.places.keys().copied().min_by_key(|(_, joined)| *joined).unwrap_or(nearest)
        } else {
            nearest
        };
        self.places.remove(&turn)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn the_nearest_to_its_end_goes_first_and_the_oldest_every_fourth_time() {
        let mut queue = Queue::default();
        for (left, who) in [(9, 'a'), (9, 'b'), (0, 'c'), (3, 'd'), (0, 'e'), (0, 'f')] {
            queue.join(left, who);
        }
        let order: String = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(order, "cefadb");
    }

    #[tokio::test]
    async fn no_more_go_at_once_than_there_are_lanes_and_who_goes_away_holds_none() {
        let lanes = Lanes::new(1);
        let lane = lanes.enter(0).await.expect("a lane");
        let mut gone = Box::pin(lanes.enter(0));
        let mut waits = Box::pin(lanes.enter(5));
        assert!(gone.as_mut().now_or_never().is_none() && waits.as_mut().now_or_never().is_none());
        drop(gone);
        drop(lane);
        let lane = waits.now_or_never().flatten();
        assert!(lane.is_some(), "passed by the one who went away");
        drop(lane);
        assert_eq!(lanes.lock().free, 1);
    }
}
