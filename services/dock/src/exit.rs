//! Exit codes, after `sysexits.h` where it has one.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything is deposited, and erased where that was asked for.
    Done,
    /// Something is still on the recorder, listed with the reason.
    Left,
    /// Wrong use: options, files, folder, journal.
    Usage,
    /// Ingest cannot be reached or does not serve this station; nothing is wrong with the recorder.
    Unavailable,
}

impl Exit {
    /// The code a shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Left => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
