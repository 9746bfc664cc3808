//! The manifest: what was known at intake, locked beside the original. Its create-only write is the commit point of a deposit
//! (INV-1: exactly one manifest for each item).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Crc64, Root},
    evidence::Evidence,
    ids::{OfficerId, StationId, UnitPath, UploadId},
    item::{ItemKind, UnifiedCode},
};

/// One version of one object in the store: the only way an original is ever addressed (INV-7).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredObject {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// The version id the store gave.
    pub version: String,
}

/// The record of one deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The item's unified code (D-12.2).
    pub code: UnifiedCode,
    /// Video, photograph or audio.
    pub kind: ItemKind,
    /// The unit that deposited (E-12.2).
    pub unit: UnitPath,
    /// The station that deposited.
    pub station: StationId,
    /// The wearer, when known.
    pub officer: Option<OfficerId>,
    /// The locked original.
    pub original: StoredObject,
    /// Bytes of the original.
    pub length: u64,
    /// BLAKE3 of the original: checked by the MiB on arrival against what was declared, or computed then when nothing was.
    pub root: Root,
    /// Full CRC64NVME, checked by the store and read back.
    pub crc: Crc64,
    /// The locked outboard.
    pub outboard: StoredObject,
    /// The signed declaration (`declaration`), or what was said without a signature (`unsigned`).
    #[serde(flatten)]
    pub evidence: Evidence,
    /// The certificate the station showed, DER in base64: ties a declaration's key to the station for a later reader.
    pub station_certificate: String,
    /// When ingest committed, by a clock checked against the store's. Every period counts from here (requirements 1.7, point 6).
    pub ingested_at: Timestamp,
    /// The lock read back from the store at commit: the policy's floor, extended later, never shortened.
    pub locked_until: Timestamp,
    /// The upload that brought the bytes.
    pub upload: UploadId,
    /// W3C `traceparent` of the item's trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}
