//! What the journal knows of one file and one docking.

use std::fmt;

use custos_domain::{
    declaration::ClockOffset,
    dsse::Envelope,
    ids::{DeviceId, DockingId, UploadId},
    item::UnifiedCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::scan::Snapshot;

/// Which file an entry is about: the recorder, the path on it, size and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileKey {
    /// The recorder.
    pub device: DeviceId,
    /// Path on the recorder, made printable.
    pub name: String,
    /// Size and time.
    pub snapshot: Snapshot,
}

impl fmt::Display for FileKey {
    /// A printable name holds no line break, so no two keys read alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot { length, modified } = self.snapshot;
        write!(f, "{}\n{}\n{length}\n{}", self.device, self.name, modified.as_nanosecond())
    }
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The recorder.
    pub device: DeviceId,
    /// Path on the recorder, made printable.
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// See [`crate::read::probe`].
    pub probe: String,
    /// The docking that last dealt with it.
    pub docking: DockingId,
    /// When this entry last changed, by the station's clock.
    pub changed_at: Timestamp,
    /// How far it came.
    pub stage: Stage,
    /// Why it went no further in that docking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// How far a file came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case", deny_unknown_fields)]
pub enum Stage {
    /// Seen, and not yet read to its end.
    Seen,
    /// Read once and declared; the outboard is kept beside.
    Hashed {
        /// Our signed declaration, with root and checksum.
        declaration: Envelope,
    },
    /// Ingest knows it.
    Uploading {
        /// Our signed declaration.
        declaration: Envelope,
        /// The upload at ingest.
        upload: UploadId,
    },
    /// Stored and locked.
    Receipted {
        /// Our signed declaration.
        declaration: Envelope,
        /// The upload at ingest.
        upload: UploadId,
        /// Ingest's receipt.
        receipt: Envelope,
    },
    /// May be erased.
    Permitted {
        /// Our signed declaration.
        declaration: Envelope,
        /// The upload at ingest.
        upload: UploadId,
        /// Ingest's receipt.
        receipt: Envelope,
        /// Ingest's permit with the seal in it.
        permit: Envelope,
    },
    /// Erased from the recorder by this station.
    Erased {
        /// Our signed declaration.
        declaration: Envelope,
        /// The upload at ingest.
        upload: UploadId,
        /// Ingest's receipt.
        receipt: Envelope,
        /// Ingest's permit with the seal in it.
        permit: Envelope,
    },
}

impl Stage {
    /// The stage's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Hashed { .. } => "hashed",
            Self::Uploading { .. } => "uploading",
            Self::Receipted { .. } => "receipted",
            Self::Permitted { .. } => "permitted",
            Self::Erased { .. } => "erased",
        }
    }

    /// What holds for a file that is on the recorder: one that was erased and is back was put there again.
    #[must_use]
    pub fn found_again(self) -> Self {
        match self {
            Self::Erased { declaration, upload, receipt, .. } => Self::Receipted { declaration, upload, receipt },
            other => other,
        }
    }

    /// Our declaration, once the file was read.
    #[must_use]
    pub fn declaration(&self) -> Option<&Envelope> {
        match self {
            Self::Seen => None,
            Self::Hashed { declaration }
            | Self::Uploading { declaration, .. }
            | Self::Receipted { declaration, .. }
            | Self::Permitted { declaration, .. }
            | Self::Erased { declaration, .. } => Some(declaration),
        }
    }

    /// The upload at ingest, once there is one.
    #[must_use]
    pub fn upload(&self) -> Option<&UploadId> {
        match self {
            Self::Seen | Self::Hashed { .. } => None,
            Self::Uploading { upload, .. }
            | Self::Receipted { upload, .. }
            | Self::Permitted { upload, .. }
            | Self::Erased { upload, .. } => Some(upload),
        }
    }

    /// Our declaration, upload and ingest's receipt, once there is one.
    #[must_use]
    pub fn receipted(&self) -> Option<(&Envelope, &UploadId, &Envelope)> {
        match self {
            Self::Receipted { declaration, upload, receipt }
            | Self::Permitted { declaration, upload, receipt, .. }
            | Self::Erased { declaration, upload, receipt, .. } => Some((declaration, upload, receipt)),
            Self::Seen | Self::Hashed { .. } | Self::Uploading { .. } => None,
        }
    }

    /// The unified code in the receipt, for showing only: nothing is verified here.
    #[must_use]
    pub fn code(&self) -> Option<UnifiedCode> {
        let (_, _, receipt) = self.receipted()?;
        receipt.peek::<custos_domain::receipt::Receipt>().ok().map(|receipt| receipt.code)
    }
}

/// A docking that was opened at ingest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// The docking.
    pub docking: DockingId,
    /// The recorder.
    pub device: DeviceId,
    /// When, by the station's clock.
    pub at: Timestamp,
    /// The recorder's clock against ours, measured before it was set (D-7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockOffset>,
    /// Every recording file that was on it, made printable.
    pub files: Vec<String>,
}
