//! Reading a recorder's file: in order, a MiB at a time, never mapped into memory. A recorder's medium is worn flash behind a
//! worn plug, so every failure says where it was.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use custos_domain::outboard::{GROUP, Outboard, OutboardBuilder, OutboardError};
use tokio_util::sync::CancellationToken;

use crate::{scan::Snapshot, sys};

/// How often one place of the medium is read before it is given up.
const TRIES: u32 = 3;
/// Pause before reading the same place again, so that a plug that moved can settle.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of each of the three samples of a [`probe`].
const SAMPLE: u64 = 64 << 10;

/// Why a file could not be read as it was listed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The medium or the connection failed.
    #[error("it cannot be read at byte {offset} (MiB {})", offset / GROUP)]
    Io {
        /// First byte that was not read.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// Size or time differ from the listing.
    #[error("it changed while it was read")]
    Changed,
    /// The bytes are not those that were declared, whenever they are read.
    #[error("MiB {mib} reads differently each time")]
    Unstable {
        /// The place, counted from zero.
        mib: u64,
    },
    /// Not a length that can be deposited.
    #[error(transparent)]
    Length(#[from] OutboardError),
    /// Reading was called off.
    #[error("reading was stopped")]
    Stopped,
}

/// A file of a recorder as it was listed.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What it was when listed.
    pub snapshot: Snapshot,
}

impl Source {
    /// Opens the file when it is still the regular file that was listed.
    fn open(&self) -> Result<File, ReadError> {
        let file = sys::open_regular(&self.path).map_err(|source| ReadError::Io { offset: 0, source })?;
        let metadata = file.metadata().map_err(|source| ReadError::Io { offset: 0, source })?;
        let unchanged = metadata.is_file() && Snapshot::of(&metadata) == self.snapshot;
        if unchanged { Ok(file) } else { Err(ReadError::Changed) }
    }

    /// Fills `buffer` from `offset`, trying a failing place again with a fresh handle. A shorter file has changed.
    fn fill(&self, file: &mut File, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut tries = 1;
        loop {
            match file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer)) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ReadError::Changed),
                Err(source) if tries == TRIES => return Err(ReadError::Io { offset, source }),
                Err(error) => tracing::warn!(path = ?self.path, offset, %error, "read failed: trying again"),
            }
            tries += 1;
            std::thread::sleep(PAUSE);
            if let Ok(fresh) = self.open() {
                *file = fresh;
            }
        }
    }
}

/// Reads the whole file once for its outboard, telling `on_bytes` how far it is. Blocking.
pub fn outboard(source: &Source, on_bytes: impl Fn(u64), stop: &CancellationToken) -> Result<Outboard, ReadError> {
    let mut file = source.open()?;
    let (mut builder, mut at) = (OutboardBuilder::default(), 0);
    let mut buffer = vec![0; to_usize(GROUP)];
    while at < source.snapshot.length {
        if stop.is_cancelled() {
            return Err(ReadError::Stopped);
        }
        let part = to_usize(GROUP.min(source.snapshot.length - at));
        source.fill(&mut file, at, &mut buffer[..part])?;
        builder.update(&buffer[..part]);
        at += part as u64;
        on_bytes(at);
    }
    // A recorder that still writes would otherwise be deposited half.
    source.open()?;
    Ok(builder.finish()?)
}

/// A short digest of the beginning, the middle and the end: tells apart files that share name, size and time, as recorders
/// with a dead clock battery make them every day. Blocking.
pub fn probe(source: &Source) -> Result<String, ReadError> {
    let mut file = source.open()?;
    let length = source.snapshot.length;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; to_usize(SAMPLE)];
    for start in [0, (length / 2).saturating_sub(SAMPLE / 2), length.saturating_sub(SAMPLE)] {
        let part = to_usize(SAMPLE.min(length - start));
        source.fill(&mut file, start, &mut buffer[..part])?;
        hasher.update(&buffer[..part]);
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

/// The first 64 KiB of a small text file. Blocking.
pub fn head(source: &Source) -> Result<Vec<u8>, ReadError> {
    let mut file = source.open()?;
    let mut buffer = vec![0; to_usize(SAMPLE.min(source.snapshot.length))];
    source.fill(&mut file, 0, &mut buffer)?;
    Ok(buffer)
}

/// Reads a file again by the MiB, letting only bytes through that agree with what was declared.
#[derive(Debug)]
pub struct Groups {
    source: Source,
    outboard: Arc<Outboard>,
    file: Option<File>,
}

impl Groups {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(source: Source, outboard: Arc<Outboard>) -> Self {
        Self { source, outboard, file: None }
    }

    /// MiB `index`, equal to the declared one. A differing one is read again past the page cache. Blocking.
    pub fn read(&mut self, index: u64) -> Result<Bytes, ReadError> {
        for attempt in 1..=TRIES {
            let bytes = self.read_once(index)?;
            if self.outboard.group_matches(to_usize(index), &bytes) {
                return Ok(bytes);
            }
            tracing::warn!(path = ?self.source.path, mib = index, attempt, "bytes differ from the first reading");
            if let Some(file) = self.file.take() {
                sys::forget_cached(&file, index * GROUP, GROUP);
            }
        }
        Err(ReadError::Unstable { mib: index })
    }

    fn read_once(&mut self, index: u64) -> Result<Bytes, ReadError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.source.open()?,
        };
        let mut buffer = vec![0; to_usize(self.outboard.group_len(to_usize(index)))];
        self.source.fill(&mut file, index * GROUP, &mut buffer)?;
        self.file = Some(file);
        Ok(Bytes::from(buffer))
    }
}

/// Lengths here are at most one MiB or an index into a vector in memory.
fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use custos_domain::digest::Root;

    use super::*;

    fn source(dir: &Path, bytes: &[u8]) -> Source {
        let path = dir.join("clip.mp4");
        std::fs::write(&path, bytes).expect("write");
        Source { snapshot: Snapshot::of(&path.metadata().expect("metadata")), path }
    }

    fn clip(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap_or(0)).collect()
    }

    #[test]
    fn a_file_is_hashed_and_read_back_by_the_mib() {
        let dir = tempfile::tempdir().expect("dir");
        let bytes = clip((2 << 20) + 99);
        let source = source(dir.path(), &bytes);
        let outboard = outboard(&source, |_| {}, &CancellationToken::new()).expect("outboard");
        assert_eq!(outboard.root(), Root::of(&bytes));
        let mut groups = Groups::new(source, Arc::new(outboard));
        let again: Vec<u8> = (0..3).flat_map(|index| groups.read(index).expect("group")).collect();
        assert!(again == bytes);
    }

    #[test]
    fn a_place_that_reads_differently_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let mut bytes = clip(3 << 20);
        let first = source(dir.path(), &bytes);
        let outboard = outboard(&first, |_| {}, &CancellationToken::new()).expect("outboard");
        bytes[(1 << 20) + 5] ^= 1;
        let second = source(dir.path(), &bytes);
        let mut groups = Groups::new(second, Arc::new(outboard));
        assert!(groups.read(0).is_ok());
        assert!(matches!(groups.read(1), Err(ReadError::Unstable { mib: 1 })));
        assert!(groups.read(2).is_ok());
    }

    #[test]
    fn a_file_that_grew_or_shrank_or_became_a_link_is_not_taken() {
        let dir = tempfile::tempdir().expect("dir");
        let listed = source(dir.path(), &clip(5000));
        for len in [5001, 4999] {
            std::fs::write(&listed.path, clip(len)).expect("write");
            let hashed = outboard(&listed, |_| {}, &CancellationToken::new());
            assert!(matches!(hashed, Err(ReadError::Changed)), "{hashed:?}");
        }
        std::fs::remove_file(&listed.path).expect("remove");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", &listed.path).expect("link");
            assert!(matches!(probe(&listed), Err(ReadError::Io { .. })));
        }
    }

    #[test]
    fn a_failing_place_is_read_again_with_a_fresh_handle_and_then_named() {
        let dir = tempfile::tempdir().expect("dir");
        let source = source(dir.path(), &clip(5000));
        // A handle that cannot read stands for a plug that slipped: reading fails, opening anew helps.
        let unreadable = || File::options().write(true).open(&source.path).expect("open");
        let mut buffer = vec![0; 100];
        let (mut slipped, mut gone) = (unreadable(), unreadable());
        source.fill(&mut slipped, 4000, &mut buffer).expect("read with a fresh handle");
        assert!(buffer == clip(5000)[4000..4100]);
        std::fs::remove_file(&source.path).expect("remove");
        let failed = source.fill(&mut gone, 4000, &mut buffer);
        assert!(matches!(failed, Err(ReadError::Io { offset: 4000, .. })), "{failed:?}");
    }

    #[test]
    fn a_stopped_reading_ends_at_once() {
        let dir = tempfile::tempdir().expect("dir");
        let stop = CancellationToken::new();
        stop.cancel();
        let hashed = outboard(&source(dir.path(), &clip(10)), |_| {}, &stop);
        assert!(matches!(hashed, Err(ReadError::Stopped)));
    }

    #[test]
    fn probes_tell_files_of_one_size_apart() {
        let dir = tempfile::tempdir().expect("dir");
        let bytes = clip(400_000);
        let first = probe(&source(dir.path(), &bytes)).expect("probe");
        assert_eq!(probe(&source(dir.path(), &bytes)).expect("probe"), first);
        for place in [0, 200_000, 399_999] {
            let mut other = bytes.clone();
            other[place] ^= 1;
            assert_ne!(probe(&source(dir.path(), &other)).expect("probe"), first, "{place}");
        }
        assert!(probe(&source(dir.path(), b"x")).is_ok());
    }
}
