use std::{fmt, time::Duration};

use crate::backoff::Backoff;

/// Between tries of one message. Waits longer than this are records with a date, not messages.
const BETWEEN_TRIES: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_mins(5) };
/// Between tries of a message that waits for a person.
pub(super) const WHILE_BLOCKED: Duration = Duration::from_mins(1);

/// Why a handler did not do what it was asked, and what is to become of the message. The author decides at every `?`.
#[derive(Debug)]
pub enum Fault {
    /// It may go well another time: the message comes again.
    Retry {
        /// How long to wait, at most five minutes; longer with every delivery when not given.
        after: Option<Duration>,
        /// What went wrong.
        source: anyhow::Error,
    },
    /// It goes well as soon as a person has mended what is around it: a credential, a permission, a policy file, a clock. The
    /// message comes again every minute and each try is a warning; as a dead letter it would be lost to a fault that is none of
    /// its own.
    Blocked {
        /// What is wrong, and what to mend.
        source: anyhow::Error,
    },
    /// It will never go well: the message becomes a dead letter for a person to look at.
    Reject {
        /// What is wrong with it.
        source: anyhow::Error,
    },
}

impl Fault {
    /// It may go well another time.
    pub fn retry(source: anyhow::Error) -> Self {
        Self::Retry { after: None, source }
    }

    /// It may go well after this long.
    pub fn retry_after(after: Duration, source: anyhow::Error) -> Self {
        Self::Retry { after: Some(after), source }
    }

    /// It goes well once a person has mended what `source` names.
    pub fn blocked(source: anyhow::Error) -> Self {
        Self::Blocked { source }
    }

    /// It will never go well.
    pub fn reject(source: anyhow::Error) -> Self {
        Self::Reject { source }
    }

    /// How long the message waits for its next delivery after this many.
    pub(super) fn delay(after: Option<Duration>, deliveries: u32, jitter: f64) -> Duration {
        after.map_or_else(|| BETWEEN_TRIES.pause(deliveries, jitter), |after| after.min(BETWEEN_TRIES.most))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Retry { source, .. } | Self::Blocked { source } | Self::Reject { source }) = self;
        write!(f, "{source:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_further_and_further_apart_and_never_beyond_five_minutes() {
        assert_eq!(Fault::delay(None, 1, 1.0), Duration::from_secs(1));
        assert_eq!(Fault::delay(None, 4, 1.0), Duration::from_secs(8));
        assert_eq!(Fault::delay(None, 1000, 1.0), Duration::from_mins(5));
        assert_eq!(Fault::delay(Some(Duration::from_mins(1)), 9, 0.0), Duration::from_mins(1));
        assert_eq!(Fault::delay(Some(Duration::from_hours(24)), 1, 0.0), Duration::from_mins(5));
    }

    #[test]
    fn the_whole_chain_of_causes_is_told() {
        let cause = std::io::Error::other("disk is gone");
        let fault = Fault::reject(anyhow::Error::new(cause).context("reading the seal"));
        assert_eq!(fault.to_string(), "reading the seal: disk is gone");
    }
}
