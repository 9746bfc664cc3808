//! The bytes of one PATCH on their way: read from the recorder a MiB at a time, checked against what was declared, handed on
//! in small frames, and watched for standing still.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use custos_domain::outboard::GROUP;
use futures::{Stream, stream};
use tokio::time::{Instant, sleep};

use crate::{
    bandwidth::Throttle,
    read::{Groups, ReadError},
};

/// One frame: small, so that a slow line still shows that it moves.
const FRAME: usize = 64 << 10;
/// Longest time without a frame being taken.
const STALL: Duration = Duration::from_mins(1);
/// Longest wait for the answer after the last byte of an item: the store's commit takes up to ten minutes.
const COMMIT: Duration = Duration::from_mins(11);
/// How often standing still is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How one PATCH is getting on.
#[derive(Debug)]
pub struct Flow {
    start: u64,
    end: u64,
    at: AtomicU64,
    fault: Mutex<Option<ReadError>>,
}

impl Flow {
    /// Bytes from `start` up to `end`, the item's length.
    #[must_use]
    pub fn new(start: u64, end: u64) -> Arc<Self> {
        Arc::new(Self { start, end, at: AtomicU64::new(start), fault: Mutex::new(None) })
    }

    /// First byte of this PATCH.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Bytes in this PATCH.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.end - self.start
    }

    /// First byte not yet handed to the connection.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    /// Why the stream broke off by itself, if it did.
    pub fn take_fault(&self) -> Option<ReadError> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Completes when the connection stands still: no frame taken for a minute, or no answer for eleven after the last one.
    pub async fn stalled(&self) -> String {
        let (mut seen, mut since) = (self.at(), Instant::now());
        loop {
            sleep(LOOK).await;
            let at = self.at();
            if at != seen {
                (seen, since) = (at, Instant::now());
            }
            let limit = if at == self.end { COMMIT } else { STALL };
            if since.elapsed() >= limit {
                return format!("it took no byte for {} s", limit.as_secs());
            }
        }
    }

    /// The frames of this PATCH. A read fault ends the stream and waits in [`Flow::take_fault`].
    pub fn frames(
        self: &Arc<Self>,
        groups: Groups,
        throttle: Option<Arc<Throttle>>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let reader = Reader { flow: self.clone(), groups, throttle, ready: Bytes::new() };
        stream::try_unfold(reader, Reader::next)
    }
}

struct Reader {
    flow: Arc<Flow>,
    groups: Groups,
    throttle: Option<Arc<Throttle>>,
    ready: Bytes,
}

impl Reader {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let at = self.flow.at();
        if at >= self.flow.end {
            return Ok(None);
        }
        if self.ready.is_empty() {
            self = self.read(at).await?;
        }
        let frame = self.ready.split_to(FRAME.min(self.ready.len()));
        if let Some(throttle) = &self.throttle {
            throttle.pass(frame.len() as u64).await;
        }
        self.flow.at.store(at + frame.len() as u64, Ordering::Relaxed);
        Ok(Some((frame, self)))
    }

    /// Reads the MiB around `at` off the async threads and keeps what follows `at`.
    async fn read(mut self, at: u64) -> io::Result<Self> {
        let flow = self.flow.clone();
        let read = tokio::task::spawn_blocking(move || {
            let group = self.groups.read(at / GROUP);
            (self, group)
        });
        let (mut reader, group) = read.await.map_err(io::Error::other)?;
        match group {
            Ok(mut group) => {
                reader.ready = group.split_off(usize::try_from(at % GROUP).unwrap_or(0));
                Ok(reader)
            }
            Err(fault) => {
                *flow.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                Err(io::Error::other("the recorder could not be read"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use custos_domain::outboard::OutboardBuilder;
    use futures::TryStreamExt;

    use super::*;
    use crate::{read::Source, scan::Snapshot};

    fn groups(dir: &std::path::Path, on_disk: &[u8], declared: &[u8]) -> Groups {
        let path = dir.join("clip.mp4");
        std::fs::write(&path, on_disk).expect("write");
        let mut builder = OutboardBuilder::default();
        builder.update(declared);
        let source = Source { snapshot: Snapshot::of(&path.metadata().expect("metadata")), path };
        Groups::new(source, Arc::new(builder.finish().expect("outboard")))
    }

    fn clip(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap_or(0)).collect()
    }

    #[tokio::test]
    async fn frames_from_any_offset_are_the_rest_of_the_file() {
        let dir = tempfile::tempdir().expect("dir");
        let bytes = clip((2 << 20) + 99);
        for start in [0, 1, FRAME - 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, bytes.len() - 1, bytes.len()] {
            let flow = Flow::new(start as u64, bytes.len() as u64);
            let frames: Vec<Bytes> =
                flow.frames(groups(dir.path(), &bytes, &bytes), None).try_collect().await.expect("frames");
            assert!(frames.concat() == bytes[start..], "{start}");
            assert_eq!(flow.at(), bytes.len() as u64);
        }
    }

    #[tokio::test]
    async fn a_mib_that_is_not_the_declared_one_is_not_sent() {
        let dir = tempfile::tempdir().expect("dir");
        let declared = clip(3 << 20);
        let mut on_disk = declared.clone();
        on_disk[(2 << 20) + 7] ^= 1;
        let flow = Flow::new(0, declared.len() as u64);
        let sent: Result<Vec<Bytes>, _> =
            flow.frames(groups(dir.path(), &on_disk, &declared), None).try_collect().await;
        assert!(sent.is_err());
        assert_eq!(flow.at(), 2 << 20, "nothing of the third MiB was handed on");
        assert!(matches!(flow.take_fault(), Some(ReadError::Unstable { mib: 2 })));
    }

    #[tokio::test(start_paused = true)]
    async fn standing_still_is_noticed_after_a_minute_and_a_commit_may_take_eleven() {
        let begin = Instant::now();
        let flow = Flow::new(0, 10);
        flow.stalled().await;
        assert_eq!(begin.elapsed().as_secs(), 60);
        flow.at.store(10, Ordering::Relaxed);
        let begin = Instant::now();
        flow.stalled().await;
        assert_eq!(begin.elapsed().as_secs(), 660);
    }
}
