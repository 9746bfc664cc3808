//! How fast a sender must be. A slow one holds memory that others wait for. Pure.

use std::time::Duration;

/// Measures a sender by the time it is waited for; time in which *we* do not read is not its fault.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    terms: Terms,
    waited: Duration,
    bytes: u64,
}

/// What is asked of senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Bytes a second, on average over a window; 0 asks nothing.
    pub slowest: u64,
    /// The window.
    pub window: Duration,
}

impl Pace {
    /// A sender that has just begun.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self { terms, waited: Duration::ZERO, bytes: 0 }
    }

    /// `bytes` came after a wait. Answers whether the sender is too slow to be waited for any longer.
    pub fn took(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.bytes += bytes as u64;
        if self.waited < self.terms.window {
            return false;
        }
        let asked = u128::from(self.terms.slowest) * self.waited.as_millis() / 1000;
        let slow = u128::from(self.bytes) < asked;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        slow
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TERMS: Terms = Terms { slowest: 8 << 10, window: Duration::from_mins(1) };

    proptest! {
        /// Who keeps the speed is never cut, however unevenly the bytes come within a window; who has half of it always is, within
        /// two windows.
        #[test]
        fn the_fast_are_kept_and_the_slow_are_cut(gaps in proptest::collection::vec(1_u64..20_000, 1..500)) {
            let (mut fast, mut slow) = (Pace::new(TERMS), Pace::new(TERMS));
            let (mut cut, mut total) = (false, 0);
            for gap in gaps {
                let (gap, asked) = (Duration::from_millis(gap), usize::try_from(gap * (8 << 10) / 1000 + 1).expect("usize"));
                prop_assert!(!fast.took(gap, asked));
                cut |= slow.took(gap, asked / 2);
                total += gap.as_millis();
            }
            prop_assert!(cut || total < 2 * TERMS.window.as_millis());
        }
    }

    #[test]
    fn nothing_is_asked_of_anybody_with_zero() {
        let mut pace = Pace::new(Terms { slowest: 0, ..TERMS });
        assert!(!pace.took(Duration::from_hours(1), 0));
    }
}
