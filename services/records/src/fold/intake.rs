//! What was known of an item at intake.

use custos_domain::{
    declaration::ClockOffset,
    digest::{Crc64, Root},
    ids::{DockingId, OfficerId, StationId, UnitPath, UploadId},
    item::ItemKind,
    manifest::StoredObject,
};
use jiff::{Timestamp, civil::DateTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Deposit, known::signed};

/// What was known of an item at intake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Intake {
    /// Video, photograph or audio.
    #[schema(value_type = String)]
    pub kind: ItemKind,
    /// The unit that deposited.
    #[schema(value_type = String)]
    pub unit: UnitPath,
    /// The station.
    #[schema(value_type = String)]
    pub station: StationId,
    /// The wearer, when known.
    #[schema(value_type = Option<String>)]
    pub officer: Option<OfficerId>,
    /// Whether its station signed for the bytes. `false`: an unsigned client of a station that is registered for it.
    #[serde(default = "signed")]
    pub signed: bool,
    /// The docking in which the file was found; an unsigned client knows none.
    #[schema(value_type = Option<String>)]
    pub docking: Option<DockingId>,
    /// The upload that brought the bytes.
    #[schema(value_type = String)]
    pub upload: UploadId,
    /// Path on the recorder.
    pub file_name: String,
    /// The rule that understood the name.
    pub naming_rule: Option<String>,
    /// Whether no rule did.
    pub unknown_name: bool,
    /// 重點文件: the wearer pressed the key-file button.
    pub key_file: bool,
    /// Bytes.
    pub length: u64,
    /// BLAKE3.
    #[schema(value_type = String)]
    pub root: Root,
    /// CRC64NVME.
    #[schema(value_type = String)]
    pub crc: Crc64,
    /// The locked original.
    #[schema(value_type = Object)]
    pub original: StoredObject,
    /// Start by the recorder's own clock. Evidence, never an anchor.
    #[schema(value_type = Option<String>)]
    pub started_at_device: Option<DateTime>,
    /// How wrong that clock was.
    #[schema(value_type = Option<Object>)]
    pub clock: Option<ClockOffset>,
    /// Start less the measured error; for searching.
    #[schema(value_type = Option<String>)]
    pub started_at: Option<Timestamp>,
    /// When ingest committed. Every period counts from here.
    #[schema(value_type = String)]
    pub ingested_at: Timestamp,
}

impl Intake {
    pub(super) fn of(deposit: &Deposit) -> Self {
        let deposit = deposit.clone();
        Self {
            started_at: deposit.started_at(),
            unknown_name: deposit.naming_rule.is_none(),
            kind: deposit.kind,
            unit: deposit.unit,
            station: deposit.station,
            officer: deposit.officer,
            signed: deposit.signed,
            docking: deposit.docking,
            upload: deposit.upload,
            file_name: deposit.file_name,
            naming_rule: deposit.naming_rule,
            key_file: deposit.key_file,
            length: deposit.length,
            root: deposit.root,
            crc: deposit.crc,
            original: deposit.original,
            started_at_device: deposit.started_at_device,
            clock: deposit.clock,
            ingested_at: deposit.ingested_at,
        }
    }
}
