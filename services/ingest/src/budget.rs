//! The process's memory for parts: one permit is one part of 8 MiB. No permit, no reading from the socket.
//!
//! The memory itself is kept from part to part: given back to the kernel it would come back zeroed, which took a sixth of ingest's
//! time. It goes back when nobody uploads any more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use custos_domain::{
    ids::{TenantId, UnitPath},
    outboard::PART,
};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    admission::{Admission, Asker, Ticket},
    error::IngestError,
    metrics,
};

/// How long a request that brings bytes waits for memory before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one waits that brings none: it costs nothing but a connection, and who is told to come back loses his place.
const PATIENCE_AT_THE_DOOR: Duration = Duration::from_secs(15);

/// A unit of an agency: units of two agencies may have the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unit(TenantId, UnitPath);

impl Unit {
    /// The unit whose upload it is.
    #[must_use]
    pub fn new(tenant: &TenantId, unit: &UnitPath) -> Self {
        Self(tenant.clone(), unit.clone())
    }

    /// Its name in metrics.
    fn label(&self) -> String {
        format!("{}/{}", self.0, self.1)
    }
}

/// Memory for parts, shared fairly between units.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    admission: Admission<Unit>,
    waiting: HashMap<Ticket, Waiter>,
    next: Ticket,
    /// Buffers of parts that are stored, for the next ones. With those in use never more than there are permits.
    spare: Vec<BytesMut>,
}

#[derive(Debug)]
struct Waiter {
    unit: Unit,
    asker: Asker,
    since: Instant,
    tell: oneshot::Sender<Permit>,
}

/// Memory for one part, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    unit: Unit,
}

impl Budget {
    /// Memory for this many parts.
    #[must_use]
    pub fn new(parts: usize) -> Self {
        let state = State { admission: Admission::new(parts), waiting: HashMap::new(), next: 0, spare: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Memory for an upload whose bytes are here, or [`IngestError::Busy`] after a few seconds.
    pub async fn begin(&self, unit: &Unit) -> Result<Permit, IngestError> {
        let permit = tokio::time::timeout(PATIENCE, self.acquire(unit, Asker::New)).await;
        permit.unwrap_or(Err(IngestError::Busy))
    }

    /// Memory for an upload that wants to begin, or [`IngestError::Busy`] after some more seconds.
    pub async fn enter(&self, unit: &Unit) -> Result<Permit, IngestError> {
        self.admit(unit)?;
        let permit = tokio::time::timeout(PATIENCE_AT_THE_DOOR, self.acquire(unit, Asker::New)).await;
        permit.unwrap_or(Err(IngestError::Busy))
    }

    /// Memory for an upload that runs, however long it takes: meanwhile its sender is not read from.
    pub async fn go_on(&self, unit: &Unit) -> Result<Permit, IngestError> {
        self.acquire(unit, Asker::Running).await
    }

    /// Refuses while running uploads of the unit wait for memory: the store is too slow for what comes, and what was begun goes
    /// before what is new.
    pub fn admit(&self, unit: &Unit) -> Result<(), IngestError> {
        let state = self.lock();
        let waits = |w: &Waiter| w.unit == *unit && w.asker == Asker::Running && w.since.elapsed() >= PATIENCE;
        if state.waiting.values().any(waits) { Err(IngestError::Busy) } else { Ok(()) }
    }

    async fn acquire(&self, unit: &Unit, asker: Asker) -> Result<Permit, IngestError> {
        let (tell, told) = oneshot::channel();
        let place = {
            let mut state = self.lock();
            let ticket = state.next;
            state.next += 1;
            state.admission.ask(unit, asker, ticket);
            metrics::waiting(&unit.label(), state.admission.waiting(unit));
            state.waiting.insert(ticket, Waiter { unit: unit.clone(), asker, since: Instant::now(), tell });
            Place { budget: self, unit, ticket }
        };
        self.hand_out();
        let permit = told.await.map_err(|_| IngestError::Busy);
        drop(place);
        permit
    }

    /// Gives what is free to whose turn it is.
    fn hand_out(&self) {
        let granted: Vec<_> = {
            let mut state = self.lock();
            let granted = std::iter::from_fn(|| {
                let (unit, ticket) = state.admission.grant()?;
                metrics::waiting(&unit.label(), state.admission.waiting(&unit));
                Some((unit, state.waiting.remove(&ticket)))
            });
            let granted = granted.collect();
            metrics::budget_in_use(state.admission.in_use());
            granted
        };
        // Outside the lock: a permit that nobody waits for any more gives itself back.
        for (unit, waiter) in granted {
            let permit = Permit { budget: self.clone(), unit };
            if let Some(waiter) = waiter {
                let _ = waiter.tell.send(permit);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Room for the part this permit stands for.
    pub fn buffer(&self) -> BytesMut {
        let spare = self.budget.lock().spare.pop();
        spare.unwrap_or_else(|| BytesMut::with_capacity(usize::try_from(PART).unwrap_or_default()))
    }

    /// Gives the part's room back with its permit, unless somebody still holds the bytes.
    pub fn reuse(self, bytes: Bytes) {
        if let Ok(mut buffer) = bytes.try_into_mut() {
            buffer.clear();
            if buffer.capacity() as u64 >= PART {
                self.budget.lock().spare.push(buffer);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let idle = {
            let mut state = self.budget.lock();
            state.admission.release(&self.unit);
            if state.admission.in_use() == 0 { std::mem::take(&mut state.spare) } else { Vec::new() }
        };
        // Outside the lock: returning memory to the kernel takes its time.
        drop(idle);
        self.budget.hand_out();
    }
}

/// A place in the queue, left when the asker goes away.
struct Place<'a> {
    budget: &'a Budget,
    unit: &'a Unit,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.admission.withdraw(self.unit, self.ticket);
        state.waiting.remove(&self.ticket);
        metrics::waiting(&self.unit.label(), state.admission.waiting(self.unit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> Unit {
        Unit::new(&TenantId::parse("E").expect("tenant"), &UnitPath::parse(name).expect("unit"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_to_come_back_while_another_unit_is_served() {
        let budget = Budget::new(8);
        let (flood, single) = (unit("A"), unit("B"));
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(budget.begin(&flood).await.expect("permit"));
        }
        assert!(matches!(budget.begin(&flood).await, Err(IngestError::Busy)));
        let permit = budget.begin(&single).await.expect("the other unit's");
        drop(permit);
        budget.begin(&single).await.expect("again");
        held.pop();
        assert_eq!(budget.lock().admission.in_use(), 3);
        assert!(budget.lock().waiting.is_empty(), "who gave up left the queue");
    }

    #[tokio::test(start_paused = true)]
    async fn new_sessions_are_refused_while_running_ones_wait_too_long() {
        let (budget, unit) = (Budget::new(1), unit("A"));
        let held = budget.begin(&unit).await.expect("permit");
        let (other, whose) = (budget.clone(), unit.clone());
        let waiting = tokio::spawn(async move { other.go_on(&whose).await });
        tokio::time::sleep(PATIENCE).await;
        assert!(budget.admit(&unit).is_err());
        drop(held);
        drop(waiting.await.expect("task").expect("permit"));
        assert!(budget.admit(&unit).is_ok());
        assert_eq!(budget.lock().admission.in_use(), 0);
    }

    #[tokio::test]
    async fn a_parts_room_is_used_again_and_given_back_when_nobody_uploads() {
        let (budget, unit) = (Budget::new(8), unit("A"));
        let (first, second) = (budget.begin(&unit).await.expect("permit"), budget.go_on(&unit).await.expect("permit"));
        let bytes = first.buffer().freeze();
        let place = bytes.as_ptr();
        // Somebody still reads them: they are not written over.
        let held = second.buffer().freeze();
        let reader = held.clone();
        second.reuse(held);
        assert!(budget.lock().spare.is_empty());
        drop(reader);
        let third = budget.go_on(&unit).await.expect("permit");
        first.reuse(bytes);
        let again = third.buffer();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        third.reuse(again.freeze());
        assert!(budget.lock().spare.is_empty(), "nobody uploads any more");
    }

    #[tokio::test]
    async fn who_goes_away_while_being_served_gives_it_back() {
        let (budget, unit) = (Budget::new(1), unit("A"));
        let held = budget.begin(&unit).await.expect("permit");
        let mut asking = Box::pin(budget.go_on(&unit));
        assert!(futures::poll!(asking.as_mut()).is_pending());
        // Granted to one who never looks again.
        drop(held);
        drop(asking);
        assert_eq!(budget.lock().admission.in_use(), 0);
    }
}
