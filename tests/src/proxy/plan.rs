//! What was planned, what passed, and how the two meet.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{Fault, Rule};

/// Something that passed, or was not let pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number at this proxy, from 1; grows for ever.
    pub number: u64,
    /// What it is called.
    pub operation: &'static str,
    /// `bucket/key`, subject or statement.
    pub key: String,
    /// What was done to it.
    pub fault: Option<Fault>,
    /// The HTTP status the server answered with, once it did.
    pub status: Option<u16>,
}

/// A planned fault.
#[derive(Debug, Clone)]
pub struct Planned {
    fired: watch::Receiver<Fired>,
}

/// How often a rule struck, and what first, by its number.
#[derive(Debug, Clone, Copy, Default)]
struct Fired {
    count: u64,
    first: Option<u64>,
}

/// One request and what is to be done to it.
#[derive(Debug)]
pub(super) struct Strike {
    pub(super) number: u64,
    pub(super) fault: Option<Fault>,
    fired: Option<watch::Sender<Fired>>,
}

/// What a proxy's links share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    released: watch::Sender<u64>,
    cut: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    log: Vec<Seen>,
    rules: Vec<Active>,
}

#[derive(Debug)]
struct Active {
    rule: Rule,
    fitting: u64,
    fired: watch::Sender<Fired>,
}

impl Planned {
    /// How often it struck.
    pub fn count(&self) -> u64 {
        self.fired.borrow().count
    }

    /// The number of the first it struck ([`Seen::number`]).
    pub fn first(&self) -> Option<u64> {
        self.fired.borrow().first
    }

    /// Waits until it struck: the request refused, reset or held; or, for faults of the answer, carried out by the server.
    /// Waits for ever when the rule was cleared before.
    pub async fn fired(&self) {
        let struck = self.fired.clone().wait_for(|fired| fired.count > 0).await.is_ok();
        if !struck {
            std::future::pending::<()>().await;
        }
    }
}

impl Strike {
    /// Says that it happened.
    pub(super) fn hit(&self) {
        if let Some(fired) = &self.fired {
            fired.send_modify(|fired| {
                fired.count += 1;
                fired.first.get_or_insert(self.number);
            });
        }
    }
}

impl Shared {
    pub(super) fn plan(&self, rule: Rule) -> Planned {
        let (sender, fired) = watch::channel(Fired::default());
        self.state().rules.push(Active { rule, fitting: 0, fired: sender });
        Planned { fired }
    }

    pub(super) fn clear(&self) {
        self.state().rules.clear();
        self.released.send_modify(|round| *round += 1);
    }

    pub(super) fn cut_all(&self) {
        self.cut.send_modify(|round| *round += 1);
    }

    pub(super) fn log(&self) -> Vec<Seen> {
        self.state().log.clone()
    }

    pub(super) fn forget(&self) {
        self.state().log.clear();
    }

    /// Counts a request and says what is to be done to it.
    pub(super) fn see(&self, operation: &'static str, key: String) -> Strike {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        let mut struck: Option<(Fault, watch::Sender<Fired>)> = None;
        for active in state.rules.iter_mut().filter(|active| active.rule.fits(operation, &key)) {
            active.fitting += 1;
            if struck.is_none() && (active.rule.from..=active.rule.to).contains(&active.fitting) {
                struck = Some((active.rule.fault.clone(), active.fired.clone()));
            }
        }
        let (fault, fired) = struck.unzip();
        state.log.push(Seen { number, operation, key, fault: fault.clone(), status: None });
        Strike { number, fault, fired }
    }

    /// Notes how the server answered.
    pub(super) fn answered(&self, number: u64, status: u16) {
        let mut state = self.state();
        if let Some(seen) = state.log.iter_mut().rev().find(|seen| seen.number == number) {
            seen.status = Some(status);
        }
    }

    /// Waits until the rules are cleared.
    pub(super) async fn released(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.released.subscribe().changed().await;
    }

    /// Waits until all connections are to be cut.
    pub(super) async fn cut(&self) {
        let _ = self.cut.subscribe().changed().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, operation, key, fault, status } = self;
        write!(f, "{number:>5} {operation:<24} {}", key.replace('\n', " "))?;
        if let Some(status) = status {
            write!(f, " -> {status}")?;
        }
        if let Some(fault) = fault {
            write!(f, "  ! {fault}")?;
        }
        Ok(())
    }
}
