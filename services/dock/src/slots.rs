//! Who may read or send next, over all recorders of a station: key files (重點文件) first, then the oldest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::civil::DateTime;
use tokio::sync::oneshot;

/// What goes first: the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    ordinary: bool,
    began: DateTime,
}

impl Rank {
    /// The rank of a file that began then by its recorder's clock.
    #[must_use]
    pub fn of(key_file: bool, began: DateTime) -> Self {
        Self { ordinary: !key_file, began }
    }
}

/// A number of places, given to the best rank waiting. Clones are the same places.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// In the order they came, where ranks are equal.
    next: u64,
    waiting: BTreeMap<(Rank, u64), oneshot::Sender<Slot>>,
}

/// One place; given on when dropped.
#[derive(Debug)]
pub struct Slot(Slots);

impl Slots {
    /// This many places, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: places.max(1), next: 0, waiting: BTreeMap::new() })))
    }

    /// Waits for a place; none comes only when this program ends.
    pub async fn enter(&self, rank: Rank) -> Option<Slot> {
        let waits = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.free > 0 {
                state.free -= 1;
                return Some(Slot(self.clone()));
            }
            let (sender, receiver) = oneshot::channel();
            let place = (rank, state.next);
            state.next += 1;
            state.waiting.insert(place, sender);
            receiver
        };
        waits.await.ok()
    }

    fn release(&self) {
        let best = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((_, best)) = state.waiting.pop_first() else {
                state.free += 1;
                return;
            };
            best
        };
        // One that has given up hands the place back, and dropping it gives it to the next.
        drop(best.send(Slot(self.clone())));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.release();
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
    use jiff::civil::date;

    use super::*;

    fn rank(key_file: bool, day: i8) -> Rank {
        Rank::of(key_file, date(2026, 11, day).at(9, 0, 0, 0))
    }

    #[tokio::test]
    async fn key_files_of_any_recorder_go_first_then_the_oldest() {
        let slots = Slots::new(1);
        let first = slots.enter(rank(false, 1)).await.expect("slot");
        let mut waiting: FuturesUnordered<_> = [(false, 9), (true, 20), (false, 3), (true, 10)]
            .into_iter()
            .map(|(key_file, day)| slots.enter(rank(key_file, day)).map(move |slot| ((key_file, day), slot)))
            .collect();
        assert!(waiting.next().now_or_never().is_none(), "all places are taken");
        drop(first);
        let mut order = Vec::new();
        while let Some((who, slot)) = waiting.next().await {
            order.push(who);
            drop(slot);
        }
        assert_eq!(order, [(true, 10), (true, 20), (false, 3), (false, 9)]);
    }

    #[tokio::test]
    async fn who_gives_up_takes_no_place() {
        let slots = Slots::new(2);
        let (one, two) = (slots.enter(rank(false, 1)).await, slots.enter(rank(false, 1)).await);
        let mut gives_up = Box::pin(slots.enter(rank(true, 1)));
        assert!(gives_up.as_mut().now_or_never().is_none());
        drop(gives_up);
        let mut given = Box::pin(slots.enter(rank(true, 2)));
        assert!(given.as_mut().now_or_never().is_none());
        drop(one);
        // Given a place and dropped before it took it up.
        drop(given);
        drop(two);
        let again: Vec<_> =
            [slots.enter(rank(false, 1)).now_or_never(), slots.enter(rank(false, 1)).now_or_never()].into();
        assert!(again.iter().all(Option::is_some), "both places are free again");
    }
}
