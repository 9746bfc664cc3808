//! The deposit declaration: the dock's signed statement of what it hands in. Kept with the item as evidence.

use jiff::{Timestamp, civil::DateTime};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Crc64, Root},
    dsse::Document,
    ids::{DeviceId, DockingId, OfficerId, RecordingId, Segment, StationId, TenantId, UnitPath},
    item::{ItemKey, ItemKind},
};

/// What a dock says about one item before it sends the bytes (法發〔2016〕22號: category, format, integrity value).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// The agency, as in the station's certificate.
    pub tenant: TenantId,
    /// The unit, as in the station's certificate.
    pub unit: UnitPath,
    /// The station, as in its certificate.
    pub station: StationId,
    /// The docking in which the file was found.
    pub docking: DockingId,
    /// Video, photograph or audio.
    pub kind: ItemKind,
    /// The recorder.
    pub device: DeviceId,
    /// The wearer, when the file name or the recorder told.
    pub officer: Option<OfficerId>,
    /// The act of recording.
    pub recording: RecordingId,
    /// The file's position in the recording.
    pub segment: Segment,
    /// Path on the recorder, made printable: at most 255 characters, control characters escaped.
    pub file_name: String,
    /// The naming rule that understood the file name; absent for an unknown name.
    pub naming_rule: Option<String>,
    /// The wearer pressed the key-file button (重點文件).
    pub key_file: bool,
    /// Bytes.
    pub length: u64,
    /// BLAKE3 of the whole file.
    pub root: Root,
    /// Full CRC64NVME of the file.
    pub crc: Crc64,
    /// Start of the recording by the recorder's own clock. Evidence, never an anchor (requirements 1.7, point 6).
    pub started_at_device: Option<DateTime>,
    /// How wrong that clock was, measured before it was set.
    pub clock: Option<ClockOffset>,
    /// When the dock signed, by the dock's clock.
    pub declared_at: Timestamp,
}

impl Declaration {
    /// The item's key before anything is known of variants.
    #[must_use]
    pub fn item(&self) -> ItemKey {
        ItemKey {
            tenant: self.tenant.clone(),
            device: self.device.clone(),
            recording: self.recording.clone(),
            segment: self.segment,
            variant: None,
        }
    }
}

impl Document for Declaration {
    const TYPE: &'static str = "application/vnd.custos.declaration+json";
}

/// A measured difference between the recorder's clock and the station's (D-7, C-7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockOffset {
    /// Recorder minus station, milliseconds.
    pub offset_ms: i64,
    /// Half the round trip plus the recorder's tick, milliseconds.
    pub uncertainty_ms: u64,
}
