//! How long to wait before trying again.

use std::time::Duration;

/// Doubles from the first pause to the longest, and spreads those who wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    /// Pause after the first failure, before jitter.
    pub(crate) first: Duration,
    /// No pause is longer.
    pub(crate) most: Duration,
}

impl Backoff {
    /// The pause after failure number `failures`, which counts from 1. With `jitter` from 0 to 1 it lies between half
    /// and all of the full pause, so that those who failed together do not return together.
    pub(crate) fn pause(self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.most);
        full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_mins(5) };

    #[test]
    fn doubles_until_the_longest() {
        let full = |failures| BACKOFF.pause(failures, 1.0).as_secs();
        assert_eq!(
            [full(0), full(1), full(2), full(3), full(9), full(10), full(u32::MAX)],
            [1, 1, 2, 4, 256, 300, 300]
        );
    }

    proptest! {
        #[test]
        fn stays_between_half_and_all(failures: u32, jitter in 0.0..1.0) {
            let (pause, full) = (BACKOFF.pause(failures, jitter), BACKOFF.pause(failures, 1.0));
            prop_assert!(pause <= full && pause >= full / 2, "{:?} of {:?}", pause, full);
        }
    }
}
