//! Why a file stays on the recorder: every reason there is, in words a technician can act on.

use custos_domain::outboard::GROUP;

use crate::{read::ReadError, retry::Stop, trouble::Trouble, verify::Distrust};

/// Why a file was not deposited in this docking.
#[derive(Debug, thiserror::Error)]
pub enum Left {
    /// Zero bytes: a recorder that lost power as it began.
    #[error("the recorder wrote no data (0 bytes)")]
    NoData,
    /// Nothing names the recorder.
    #[error("neither its name nor the recorder tells the recorder's number: pass --device NUMBER")]
    NoDevice,
    /// The name is a recorder's, the kind is not known.
    #[error(
        "its name is a recorder's, but neither extension nor folder tells video, photograph or audio: add the extension to the naming rules (--rules)"
    )]
    UnknownKind,
    /// A folder or entry that cannot be looked at.
    #[error("{0}")]
    Unlisted(String),
    /// The recorder still writes it, or somebody does.
    #[error("it changed while it was read: stop recording and dock again")]
    Changed,
    /// The medium cannot be read.
    #[error("the recorder's medium is failing: it cannot be read at byte {offset} (MiB {}): {cause}", offset / GROUP)]
    Unreadable {
        /// First byte that was not read.
        offset: u64,
        /// What the system says.
        cause: String,
    },
    /// The medium answers differently each time.
    #[error("the recorder's medium is failing: MiB {mib} reads differently each time")]
    Unstable {
        /// The place.
        mib: u64,
    },
    /// One MiB kept arriving damaged.
    #[error(
        "MiB {mib} arrived damaged {times} times: the recorder's medium is failing, or its cable, or this station's memory or network"
    )]
    Damaged {
        /// The place.
        mib: u64,
        /// How often.
        times: u32,
    },
    /// Longer than an item can be.
    #[error("it cannot be deposited: {0}")]
    Length(String),
    /// Ingest could not be reached or stayed busy.
    #[error("{0}; it will be handed in at the next docking")]
    Unavailable(String),
    /// Ingest said no.
    #[error("{0}")]
    Refused(String),
    /// Ingest's receipt cannot be believed.
    #[error("deposited without a receipt that can be believed: {0}")]
    Distrusted(#[from] Distrust),
    /// The operator or the system stopped the dock.
    #[error("the dock was stopped before it was handed in")]
    Stopped,
    /// The recorder is gone.
    #[error("the recorder was unplugged before it was handed in")]
    Unplugged,
    /// A fault of this program.
    #[error("this dock failed: {0}")]
    Internal(String),
}

impl Left {
    /// A stable name, for scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::NoDevice => "no_device",
            Self::UnknownKind => "unknown_kind",
            Self::Unlisted(_) => "unlisted",
            Self::Changed => "changed",
            Self::Unreadable { .. } | Self::Unstable { .. } | Self::Damaged { .. } => "medium",
            Self::Length(_) => "length",
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Distrusted(_) => "distrusted",
            Self::Stopped => "stopped",
            Self::Unplugged => "unplugged",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether docking again later can help without a person changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Changed | Self::Stopped | Self::Internal(_))
    }

    /// Whether what was read of the file before can no longer be relied on.
    #[must_use]
    pub fn discredits_reading(&self) -> bool {
        matches!(self, Self::Changed | Self::Unstable { .. } | Self::Damaged { .. })
    }
}

impl From<ReadError> for Left {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io { offset, source } => Self::Unreadable { offset, cause: source.to_string() },
            ReadError::Changed => Self::Changed,
            ReadError::Unstable { mib } => Self::Unstable { mib },
            ReadError::Length(error) => Self::Length(error.to_string()),
            ReadError::Stopped => Self::Stopped,
        }
    }
}

impl From<Stop> for Left {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Impatient(trouble) => Self::Unavailable(trouble.to_string()),
            Stop::Damaged { mib, times } => Self::Damaged { mib, times },
            Stop::Final(Trouble::Recorder(error)) => error.into(),
            Stop::Final(trouble) => Self::Refused(trouble.to_string()),
        }
    }
}
