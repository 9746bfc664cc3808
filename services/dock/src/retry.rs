//! What to do next with an upload after trouble: a state machine without clock, network or randomness of its own.

use std::time::Duration;

use crate::trouble::Trouble;

/// First pause after trouble; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause of our own choosing.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Longest pause ingest may ask for.
const LONGEST_ASKED: Duration = Duration::from_mins(10);
/// How often one MiB may arrive damaged before this station or the recorder is held to be failing.
const DAMAGED_LIMIT: u32 = 5;

/// The next thing to do for an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// POST the declaration.
    Create,
    /// PUT the outboard, then send from `offset`.
    Outboard {
        /// First byte ingest does not have.
        offset: u64,
    },
    /// HEAD: ask what is there.
    Ask,
    /// PATCH from `offset`.
    Send {
        /// First byte ingest does not have.
        offset: u64,
    },
    /// GET the receipt.
    Receipt,
}

/// What follows from trouble.
#[derive(Debug)]
pub enum Next {
    /// Wait, then do this.
    After(Duration, Step),
    /// Leave the file on the recorder.
    Stop(Stop),
}

/// Why an upload is given up for this docking.
#[derive(Debug)]
pub enum Stop {
    /// No progress for as long as the operator is willing to wait.
    Impatient(Trouble),
    /// Trying again changes nothing.
    Final(Trouble),
    /// One MiB arrived damaged too often.
    Damaged {
        /// Which one, counted from zero.
        mib: u64,
        /// How often.
        times: u32,
    },
}

/// The memory of one upload's troubles.
#[derive(Debug, Clone)]
pub struct Retry {
    patience: Duration,
    durable: u64,
    troubles: u32,
    since: Option<Duration>,
    damaged: Option<(u64, u32)>,
}

impl Retry {
    /// `patience`: how long to go on without progress.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, durable: 0, troubles: 0, since: None, damaged: None }
    }

    /// Ingest said that the bytes before `offset` are safe. Only more of them is progress: an ingest that takes all bytes and
    /// always fails to keep them must not hold a station for ever.
    pub fn durable(&mut self, offset: u64) {
        if offset > self.durable {
            self.durable = offset;
            self.troubles = 0;
            self.since = None;
        }
    }

    /// What to do after `trouble` met `during` a step. `now` counts from any fixed moment; `jitter` is from 0 to 1 and spreads
    /// a station's recorders over the second half of each pause.
    pub fn next(&mut self, during: Step, trouble: Trouble, now: Duration, jitter: f64) -> Next {
        let step = match (&trouble, during) {
            (
                Trouble::Unreachable(_) | Trouble::Busy { .. } | Trouble::Pending { .. },
                Step::Create | Step::Receipt,
            ) => during,
            (Trouble::OutboardRequired, Step::Send { offset }) => Step::Outboard { offset },
            (
                Trouble::Unreachable(_)
                | Trouble::Busy { .. }
                | Trouble::Pending { .. }
                | Trouble::Superseded
                | Trouble::OutboardRequired,
                _,
            ) => Step::Ask,
            (Trouble::Offset { offset }, _) => Step::Send { offset: *offset },
            (Trouble::Lost, Step::Create) => return Next::Stop(Stop::Final(trouble)),
            (Trouble::Lost, _) => Step::Create,
            (Trouble::Checksum { mib, offset }, _) => match self.damaged_again(*mib) {
                times if times >= DAMAGED_LIMIT => return Next::Stop(Stop::Damaged { mib: *mib, times }),
                _ => Step::Send { offset: *offset },
            },
            (Trouble::Refused(_) | Trouble::Certificate(_) | Trouble::Protocol(_) | Trouble::Recorder(_), _) => {
                return Next::Stop(Stop::Final(trouble));
            }
        };
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) >= self.patience {
            return Next::Stop(Stop::Impatient(trouble));
        }
        let pause = self.pause(&trouble, jitter);
        self.troubles += 1;
        Next::After(pause, step)
    }

    /// Own pause, or what ingest asked for when that is longer. The first answer that only corrects us costs no pause.
    fn pause(&self, trouble: &Trouble, jitter: f64) -> Duration {
        let corrected = matches!(
            trouble,
            Trouble::Offset { .. } | Trouble::OutboardRequired | Trouble::Lost | Trouble::Checksum { .. }
        );
        if corrected && self.troubles == 0 {
            return Duration::ZERO;
        }
        pause(self.troubles, trouble, jitter)
    }

    fn damaged_again(&mut self, mib: u64) -> u32 {
        let times = match self.damaged {
            Some((same, times)) if same == mib => times + 1,
            _ => 1,
        };
        self.damaged = Some((mib, times));
        times
    }
}

/// The pause after the n-th trouble in a row: our own, or what ingest asked for (`Retry-After`) when that is longer. Nobody
/// comes back before the time asked for, and `jitter` spreads over a quarter of it those who were asked at once.
#[must_use]
pub fn pause(troubles: u32, trouble: &Trouble, jitter: f64) -> Duration {
    let own = backoff(troubles, jitter);
    match trouble {
        Trouble::Busy { after: Some(asked), .. } | Trouble::Pending { after: Some(asked) } => {
            let asked = (*asked).min(LONGEST_ASKED);
            own.max(asked + (asked / 4).mul_f64(jitter.clamp(0.0, 1.0)))
        }
        _ => own,
    }
}

/// The pause after the n-th trouble in a row: doubling, capped, spread over its second half by `jitter` (0 to 1).
#[must_use]
pub fn backoff(troubles: u32, jitter: f64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << troubles.min(10)).min(LONGEST_PAUSE);
    full / 2 + (full / 2).mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
