//! What ingest signs for the dock: the receipt ("stored and locked") and, later, the erase permit ("re-read and settled").
//! No permit, no wipe (INV-4).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Crc64, Root},
    dsse::{Document, Envelope},
    ids::UploadId,
    item::UnifiedCode,
    manifest::StoredObject,
};

/// Ingest's word that the item is stored whole, locked and described. It does not allow erasing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The item's unified code.
    pub code: UnifiedCode,
    /// The upload that brought the bytes.
    pub upload: UploadId,
    /// The locked original.
    pub original: StoredObject,
    /// Bytes.
    pub length: u64,
    /// BLAKE3 of the original.
    pub root: Root,
    /// Full CRC64NVME of the original.
    pub crc: Crc64,
    /// The locked manifest.
    pub manifest: StoredObject,
    /// BLAKE3 of the manifest's bytes.
    pub manifest_root: Root,
    /// When ingest committed.
    pub ingested_at: Timestamp,
    /// The lock at commit; COMPLIANCE, never shortened.
    pub locked_until: Timestamp,
}

impl Document for Receipt {
    const TYPE: &'static str = "application/vnd.custos.receipt+json";
}

/// Ingest's permission to erase the item from the recorder.
///
/// Given only when an independent re-read agreed, the settle time has passed since the manifest, and version, lock and
/// manifest were then read again: a power cut in the store can undo what was acknowledged a moment before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasePermit {
    /// The item's unified code.
    pub code: UnifiedCode,
    /// BLAKE3 of the bytes that may be erased.
    pub root: Root,
    /// Bytes.
    pub length: u64,
    /// The version that was read again.
    pub original: StoredObject,
    /// Its lock as read again.
    pub locked_until: Timestamp,
    /// When everything was read again.
    pub checked_at: Timestamp,
    /// The hashing service's signed seal; the dock verifies it too.
    pub seal: Envelope,
}

impl Document for ErasePermit {
    const TYPE: &'static str = "application/vnd.custos.erase-permit+json";
}
