//! Failures that are ours, not the input's.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a derivation could not be carried out. Says nothing about the input.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    /// Bubblewrap or a helper around the media program did not start.
    #[error("cannot start the sandbox: {0}")]
    Sandbox(String),
    /// The disk that holds the output folder has no room left.
    #[error("the disk that holds {} is full: free space or give transcode a larger scratch volume", .0.display())]
    DiskFull(PathBuf),
    /// The program got too little of the machine: it neither advanced nor used up its CPU seconds.
    #[error("{program} made no headway within {} s of elapsed time although it had CPU seconds left", .after.as_secs())]
    Starved {
        /// `ffmpeg` or `ffprobe`.
        program: &'static str,
        /// Elapsed time granted.
        after: Duration,
    },
    /// Somebody else killed the sandbox, for example a pod being stopped.
    #[error("{0} was killed from outside")]
    Interrupted(&'static str),
    /// FFmpeg does not understand what we ask: a version outside 5.1 to 8, or a mistake of ours.
    #[error("ffmpeg refuses our arguments, check its version: {0}")]
    Tool(String),
    /// The output folder holds something already: give every attempt a fresh one.
    #[error("the output folder {} is not empty: give every attempt a fresh folder", .0.display())]
    OutputNotEmpty(PathBuf),
    /// Reading the input or writing the output failed.
    #[error("cannot access {}", .path.display())]
    Io {
        /// What was accessed.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl DeriveError {
    /// Whether the same call may succeed later or on another machine. The caller bounds the number of tries.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Sandbox(_) | Self::DiskFull(_) | Self::Starved { .. } | Self::Interrupted(_) | Self::Io { .. } => {
                true
            }
            Self::Tool(_) | Self::OutputNotEmpty(_) => false,
        }
    }

    /// For `map_err` after file-system calls.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            _ => Self::Io { path, source },
        }
    }
}
