//! A power cut of the store's machine: what of the things that were promised is there afterwards.
//!
//! MinIO acknowledges before its renames are durable, so an acknowledged object, hold or extension may be gone after a power cut
//! (`deploy/s3/README.md`, "Power loss"). What has an erase permit must be there all the same, with the settings that are required; and what the store
//! forgot of holds and locks the auditors put back.
//!
//! `tests/power-cut` runs it; it needs root.
//!
//! 1. [`Setting`]: how the store's machine is set up.
//! 2. [`Disk`]: the store's disk, an image whose power can be cut.
//! 3. [`play`]: dock, cut, look; hold, cut, look. [`Outcome`]: what was found.

mod disk;
mod outcome;
mod play;

pub use disk::Disk;
pub use outcome::Outcome;
pub use play::{Plan, play};

/// How the store's machine is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Setting {
    /// As MinIO and the file system come.
    Bare,
    /// `MINIO_FS_OSYNC=on` alone, as `deploy/local` has it.
    Osync,
    /// What is required: that, and the disk mounted so that directories are written at once (`dirsync`; `wsync` on XFS).
    Required,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Self; 3] = [Self::Bare, Self::Osync, Self::Required];

    /// What MinIO is told of it.
    #[must_use]
    pub fn osync(self) -> &'static str {
        if self == Self::Bare { "off" } else { "on" }
    }

    /// How the disk is mounted. The journal is written when somebody waits for it and not every five seconds by itself: the cut comes
    /// at the worst moment each time.
    #[must_use]
    pub fn mount_options(self) -> &'static str {
        if self == Self::Required { "loop,commit=300,dirsync" } else { "loop,commit=300" }
    }
}
