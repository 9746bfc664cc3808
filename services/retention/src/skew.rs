//! Whether our clock may be used to compute a lock: it must agree with the store's, which judges the lock.

use custos_platform::{
    clock::Clock,
    vault::{StoreError, Vault},
};
use jiff::{SignedDuration, Timestamp};

use crate::error::RetentionError;

/// The clocks may differ by this much. The store's `Date` has whole seconds only, so up to one of these is rounding.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The time, if our clock and the store's agree.
pub async fn trusted_now(vault: &Vault, clock: &Clock) -> Result<Timestamp, RetentionError> {
    let skew = measure(vault, clock).await?;
    if i128::from(skew.abs()) > MAX_SKEW.as_millis() {
        return Err(RetentionError::Clock(skew));
    }
    Ok(clock.now())
}

async fn measure(vault: &Vault, clock: &Clock) -> Result<i64, StoreError> {
    let before = clock.now();
    let store = vault.clock().await?;
    Ok(skew_ms(before, store, clock.now()))
}

/// By how much the store's clock is ahead, in milliseconds, at the least: its second lies between our two readings, give or take
/// its rounding down.
fn skew_ms(before: Timestamp, store: Timestamp, after: Timestamp) -> i64 {
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
}
