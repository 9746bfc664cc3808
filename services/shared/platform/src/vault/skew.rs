//! Whether our clock may be used to compute a lock: it must agree with the store's, which judges the lock (INV-11).
//!
//! A lock date computed from a wrong clock can be too short, or for ever too long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::{StoreError, Vault};
use crate::{clock::Clock, http::Problem, lifecycle::Lifecycle, worker::Fault};

/// The clocks may differ by this much. The store's `Date` has whole seconds only, so up to one of these is rounding.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Between two readings of the store's clock, while it agrees with ours.
const READ_EVERY: Duration = Duration::from_secs(10);
/// Between two readings while it does not, or was never read.
const READ_SOON: Duration = Duration::from_secs(1);

/// Why our clock must not be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClockError {
    /// The clocks differ by so many milliseconds; positive when the store's is ahead.
    #[error("the clocks of this service and the store differ by {0} ms; nothing is locked until they agree")]
    Apart(i64),
    /// The store's clock has not been read yet.
    #[error("the store's clock has not been read yet; nothing is locked until it has")]
    Unknown,
    /// The store's clock could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The time, if our clock and the store's agree now. Asks the store; for a request's path there is [`StoreClock`].
pub async fn trusted_now(vault: &Vault, clock: &Clock) -> Result<Timestamp, ClockError> {
    judge(measure(vault, clock).await?)?;
    Ok(clock.now())
}

/// How far our clock is from the store's, measured every few seconds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoreClock {
    clock: Clock,
    skew_ms: Arc<AtomicI64>,
}

/// Not measured yet is as bad as wrong.
const UNKNOWN: i64 = i64::MAX;

impl StoreClock {
    /// Measures from now on, as the service's part `name` (such as `ingest.clock`), until it drains.
    #[must_use]
    pub fn watch(name: &'static str, vault: Vault, clock: Clock, lifecycle: &Lifecycle) -> Self {
        let watched = Self::unread(clock);
        let (store_clock, soft) = (watched.clone(), lifecycle.soft().clone());
        lifecycle.spawn(name, async move {
            while !soft.is_cancelled() {
                match measure(&vault, &store_clock.clock).await {
                    Ok(skew) => store_clock.skew_ms.store(skew, Ordering::Relaxed),
                    Err(error) => tracing::warn!(%error, "the store's clock could not be read"),
                }
                let pause = if store_clock.check().is_ok() { READ_EVERY } else { READ_SOON };
                soft.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
            Ok(())
        });
        watched
    }

    /// The time, if our clock and the store's agreed when last compared.
    pub fn now(&self) -> Result<Timestamp, ClockError> {
        self.check()?;
        Ok(self.clock.now())
    }

    /// Refuses while the clocks disagree, or were never compared.
    pub fn check(&self) -> Result<(), ClockError> {
        judge(self.skew_ms.load(Ordering::Relaxed))
    }

    fn unread(clock: Clock) -> Self {
        Self { clock, skew_ms: Arc::new(AtomicI64::new(UNKNOWN)) }
    }
}

/// Clocks are set by people.
impl From<ClockError> for Fault {
    fn from(error: ClockError) -> Self {
        match error {
            ClockError::Store(error) => error.into(),
            ClockError::Apart(_) | ClockError::Unknown => Self::blocked(error.into()),
        }
    }
}

impl From<ClockError> for Problem {
    fn from(error: ClockError) -> Self {
        match error {
            ClockError::Store(error) => error.into(),
            ClockError::Apart(_) | ClockError::Unknown => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "clock-skew", "Clocks disagree", error.to_string())
                    .retry_after(Duration::from_secs(30))
            }
        }
    }
}

fn judge(skew_ms: i64) -> Result<(), ClockError> {
    match skew_ms {
        UNKNOWN => Err(ClockError::Unknown),
        skew if i128::from(skew).abs() > MAX_SKEW.as_millis() => Err(ClockError::Apart(skew)),
        _ => Ok(()),
    }
}

async fn measure(vault: &Vault, clock: &Clock) -> Result<i64, StoreError> {
    let before = clock.now();
    let store = vault.clock().await?;
    Ok(skew_ms(before, store, clock.now()))
}

/// By how much the store's clock is ahead, in milliseconds, at the least: its second lies between our two readings, give or take
/// its rounding down.
pub(super) fn skew_ms(before: Timestamp, store: Timestamp, after: Timestamp) -> i64 {
    let earliest = store.as_millisecond() - after.as_millisecond();
    let latest = store.as_millisecond() + 999 - before.as_millisecond();
    if earliest > 0 { earliest } else { latest.min(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("timestamp")
    }

    #[test]
    fn rounding_and_a_slow_answer_are_no_skew() {
        assert_eq!(skew_ms(at(10_900), at(10_000), at(10_950)), 0, "rounded down");
        assert_eq!(skew_ms(at(10_000), at(17_000), at(18_000)), 0, "anywhere between the readings");
    }

    #[test]
    fn a_store_ahead_or_behind_is_noticed() {
        assert_eq!(skew_ms(at(10_000), at(17_000), at(10_100)), 6_900);
        assert_eq!(skew_ms(at(20_000), at(10_000), at(20_100)), -9_001);
    }

    #[test]
    fn no_time_is_told_before_the_clocks_were_compared_nor_while_they_disagree() {
        let clock = StoreClock::unread(Clock::manual(at(42)));
        assert!(matches!(clock.now(), Err(ClockError::Unknown)));
        for (skew, agrees) in [(0, true), (5_000, true), (-5_000, true), (5_001, false), (-5_001, false)] {
            clock.skew_ms.store(skew, Ordering::Relaxed);
            match clock.now() {
                Ok(now) => assert!(agrees && now == at(42), "{skew}"),
                Err(error) => assert!(!agrees && matches!(error, ClockError::Apart(apart) if apart == skew), "{error}"),
            }
        }
    }
}
