//! Where a derivation stands, for whoever keeps a message alive.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Where a derivation stands. Changes only when something advanced, so a watcher that says "in progress" on every change
/// never keeps a hanging job alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The step under way.
    pub stage: Stage,
    /// How far into the recording the step has come, milliseconds.
    pub media_ms: u64,
}

/// A step of a derivation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading the header.
    Probe,
    /// Reading all timestamps of the original.
    Scan,
    /// Writing the playback copy or the web image.
    Playback,
    /// Reading all timestamps of the playback copy.
    Verify,
    /// Making storyboard, thumbnail or waveform.
    Preview,
}

impl Progress {
    /// The state before anything happened; initial value of the channel.
    pub const START: Self = Self { stage: Stage::Probe, media_ms: 0 };

    /// Publishes a later position; an equal or earlier one within the same stage is not news.
    pub(super) fn advance(channel: &watch::Sender<Self>, stage: Stage, media_ms: u64) -> bool {
        channel.send_if_modified(|now| {
            let news = stage != now.stage || media_ms > now.media_ms;
            if news {
                *now = Self { stage, media_ms };
            }
            news
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_still_is_not_news() {
        let (channel, mut seen) = watch::channel(Progress::START);
        assert!(Progress::advance(&channel, Stage::Scan, 10));
        assert!(seen.has_changed().unwrap());
        seen.mark_unchanged();
        assert!(!Progress::advance(&channel, Stage::Scan, 10));
        assert!(!Progress::advance(&channel, Stage::Scan, 4));
        assert!(!seen.has_changed().unwrap());
        assert!(Progress::advance(&channel, Stage::Playback, 0));
    }
}
