//! Ending a docking early, and why.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::left::Left;

/// Ends one docking early. Clones are the same halt.
#[derive(Debug, Clone)]
pub struct Halt {
    token: CancellationToken,
    unplugged: Arc<OnceLock<()>>,
}

impl Halt {
    /// Halts when `stop` is cancelled: the operator or the system wants the dock to end.
    #[must_use]
    pub fn after(stop: &CancellationToken) -> Self {
        Self { token: stop.child_token(), unplugged: Arc::default() }
    }

    /// The recorder is gone: nothing more of it can be read.
    pub fn unplugged(&self) {
        // Set once or set again, it means the same.
        let _ = self.unplugged.set(());
        self.token.cancel();
    }

    /// For work that only needs to end.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why it ended, when it did.
    #[must_use]
    pub fn why(&self) -> Option<Left> {
        match (self.unplugged.get(), self.token.is_cancelled()) {
            (Some(()), _) => Some(Left::Unplugged),
            (None, true) => Some(Left::Stopped),
            (None, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unplugged_recorder_ends_its_own_docking_only() {
        let stop = CancellationToken::new();
        let (one, other) = (Halt::after(&stop), Halt::after(&stop));
        one.clone().unplugged();
        assert!(matches!(one.why(), Some(Left::Unplugged)));
        assert!(other.why().is_none() && !stop.is_cancelled());
        stop.cancel();
        assert!(matches!(other.why(), Some(Left::Stopped)));
        assert!(matches!(one.why(), Some(Left::Unplugged)));
    }
}
