//! Who gets the next piece of memory. Pure, so that every order of asking can be tried.
//!
//! - Never more than the capacity is given out.
//! - Units take turns: a unit that holds nothing is served within as many grants as units wait, however many uploads the others
//!   have waiting.
//! - The last eighth is for units that hold nothing, so that one unit's slow senders cannot keep the next one out.
//! - New uploads leave half of it to those that run: with as many uploads as pieces all would fill theirs at once, and then all
//!   wait for the store at once, taking turns with it instead of working beside it (twice the time, tried).
//! - Of one unit, uploads that already run go first: a store too slow for the load turns new ones away and finishes the others.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Of how many pieces one is kept for units that hold none.
const RESERVED_OF: usize = 8;

/// A place in the queue, chosen by the asker.
pub type Ticket = u64;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// An upload that had memory before and must go on.
    Running,
    /// An upload that wants to begin.
    New,
}

/// The pieces of a budget, and who waits for them.
#[derive(Debug)]
pub struct Admission<U> {
    capacity: usize,
    reserve: usize,
    in_use: usize,
    held: HashMap<U, usize>,
    /// Units that wait, the next one first.
    turns: VecDeque<U>,
    waiting: HashMap<U, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    running: VecDeque<Ticket>,
    new: VecDeque<Ticket>,
}

impl<U: Clone + Eq + Hash> Admission<U> {
    /// `capacity` pieces, none in use.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let reserve = capacity.div_ceil(RESERVED_OF).min(capacity.saturating_sub(1));
        Self { capacity, reserve, in_use: 0, held: HashMap::new(), turns: VecDeque::new(), waiting: HashMap::new() }
    }

    /// Queues up. What is granted, and when, is [`Admission::grant`]'s to say.
    pub fn ask(&mut self, unit: &U, asker: Asker, ticket: Ticket) {
        let queue = self.waiting.entry(unit.clone()).or_insert_with(|| {
            self.turns.push_back(unit.clone());
            Queue::default()
        });
        match asker {
            Asker::Running => queue.running.push_back(ticket),
            Asker::New => queue.new.push_back(ticket),
        }
    }

    /// Gives up a place in the queue; nothing happens when it was granted already.
    pub fn withdraw(&mut self, unit: &U, ticket: Ticket) {
        let Some(queue) = self.waiting.get_mut(unit) else { return };
        queue.running.retain(|waiting| *waiting != ticket);
        queue.new.retain(|waiting| *waiting != ticket);
        if queue.len() == 0 {
            self.leave(unit);
        }
    }

    /// Gives one piece to whose turn it is; call again until there is none to give.
    pub fn grant(&mut self) -> Option<(U, Ticket)> {
        let free = self.capacity - self.in_use;
        if free == 0 {
            return None;
        }
        let may = |unit: &U| {
            let runs = self.waiting.get(unit).is_some_and(|queue| !queue.running.is_empty());
            self.held(unit) == 0 || (free > self.reserve && (runs || free > self.capacity / 2))
        };
        let turn = self.turns.iter().position(may)?;
        let unit = self.turns.remove(turn)?;
        let queue = self.waiting.get_mut(&unit)?;
        let ticket = queue.running.pop_front().or_else(|| queue.new.pop_front())?;
        if queue.len() == 0 {
            self.waiting.remove(&unit);
        } else {
            self.turns.push_back(unit.clone());
        }
        self.in_use += 1;
        *self.held.entry(unit.clone()).or_default() += 1;
        Some((unit, ticket))
    }

    /// Takes a piece back.
    pub fn release(&mut self, unit: &U) {
        let Some(held) = self.held.get_mut(unit) else { return };
        *held -= 1;
        self.in_use -= 1;
        if *held == 0 {
            self.held.remove(unit);
        }
    }

    /// Pieces given out.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    /// Pieces a unit holds.
    #[must_use]
    pub fn held(&self, unit: &U) -> usize {
        self.held.get(unit).copied().unwrap_or_default()
    }

    /// Uploads of a unit that wait.
    #[must_use]
    pub fn waiting(&self, unit: &U) -> usize {
        self.waiting.get(unit).map_or(0, Queue::len)
    }

    fn leave(&mut self, unit: &U) {
        self.waiting.remove(unit);
        self.turns.retain(|turn| turn != unit);
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.running.len() + self.new.len()
    }
}

#[cfg(test)]
mod tests;
