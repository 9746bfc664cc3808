//! What a recorder's folders and file names say, as data: vendors differ, and the standard's part on names (GA/T 947.4) is not
//! at hand, so a rule is a line in a file (requirements 2.1). Names are hostile input: they are matched, never followed.

mod info;
mod name;
mod recognise;
mod rules;

use jiff::civil::DateTime;

pub use self::{
    info::{InfoKeys, RecorderInfo},
    name::{MAX_SAFE_NAME, safe_name},
    recognise::recording_from_digest,
    rules::{RuleError, Rules},
};
use crate::{
    ids::{DeviceId, OfficerId, RecordingId, Segment},
    item::ItemKind,
};

/// What a path on a recorder tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognition {
    /// A naming rule understood it.
    Recognised(Recognised),
    /// None did, or the moment in it is none. The item is taken in all the same, marked, under an id made of its bytes
    /// ([`recording_from_digest`]).
    Unrecognised(Unrecognised),
}

/// An item whose name a rule understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Video, photograph or audio.
    pub kind: ItemKind,
    /// The recorder, where the name tells.
    pub device: Option<DeviceId>,
    /// The wearer, where the name tells.
    pub officer: Option<OfficerId>,
    /// Start by the recorder's own clock. Evidence, never an anchor.
    pub started_at_device: DateTime,
    /// The recorder's own count, where the name tells. A hole in it is a file that never came.
    pub sequence: Option<u32>,
    /// Position within a recording that the recorder split; 0 where the name tells none.
    pub segment: Segment,
    /// The act of recording: the same for all its segments, with or without a key-file mark.
    pub recording: RecordingId,
    /// 重點文件: the wearer pressed the key-file button.
    pub key_file: bool,
    /// Name of the rule that understood the path.
    pub rule: String,
}

/// An item whose name no rule understood to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecognised {
    /// By extension or folder; none for what may be no footage at all.
    pub kind: Option<ItemKind>,
    /// The recorder, where a rule read its number and only the moment is impossible.
    pub device: Option<DeviceId>,
    /// The wearer, likewise.
    pub officer: Option<OfficerId>,
    /// 重點文件, by mark or folder.
    pub key_file: bool,
    /// Why no more is known.
    pub why: Unknown,
}

/// Why a path was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Not the path of a file below the recorder's root.
    #[error("the path is empty, too long, or has an empty, `.` or `..` part")]
    Path,
    /// No rule is for such names.
    #[error("no naming rule understands the name; add one for this recorder")]
    Name,
    /// A rule is, but the digits it takes for the moment are no date and time, such as those of a dead clock: two recordings
    /// may bear them, so they name none.
    #[error("the date or time in the name does not exist")]
    Moment,
    /// A rule is, but neither extension nor folder tells the kind.
    #[error("neither the extension nor the folder tells video, photograph or audio")]
    Kind,
}

#[cfg(test)]
mod tests;
