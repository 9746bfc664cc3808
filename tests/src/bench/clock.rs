//! From the last byte to the answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{Stream, stream};

/// Bytes handed to the connection at once.
const FRAME: usize = 256 << 10;

/// Notes when the last frame of a body was asked for by the connection.
#[derive(Debug, Clone, Default)]
pub struct LastByte(Arc<Mutex<Option<Instant>>>);

impl LastByte {
    /// The bytes as a body.
    pub fn body(&self, bytes: Bytes) -> reqwest::Body {
        reqwest::Body::wrap_stream(self.frames(bytes))
    }

    fn frames(&self, bytes: Bytes) -> impl Stream<Item = std::io::Result<Bytes>> + use<> {
        let last = self.clone();
        stream::unfold(bytes, move |mut bytes| {
            let last = last.clone();
            async move {
                if bytes.is_empty() {
                    return None;
                }
                let frame = bytes.split_to(FRAME.min(bytes.len()));
                if bytes.is_empty() {
                    *last.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
                Some((Ok(frame), bytes))
            }
        })
    }

    /// How long ago that was; none when the body was not sent to its end.
    #[must_use]
    pub fn ago(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }
}
