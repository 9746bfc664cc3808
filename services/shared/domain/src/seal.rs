//! The seal: the hashing service's signed word that it re-read the locked version and found these digests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Crc64, Root, Sha256, Sm3},
    dsse::Document,
    item::UnifiedCode,
    manifest::StoredObject,
};

/// Digests of the original as re-read from the store by a service that did not write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The item's unified code.
    pub code: UnifiedCode,
    /// The version that was read.
    pub original: StoredObject,
    /// The manifest it was compared with.
    pub manifest: StoredObject,
    /// BLAKE3 of that manifest's bytes.
    pub manifest_root: Root,
    /// Bytes read.
    pub length: u64,
    /// BLAKE3, equal to the declaration's and the manifest's.
    pub root: Root,
    /// SHA-256.
    pub sha256: Sha256,
    /// SM3.
    pub sm3: Sm3,
    /// CRC64NVME, equal to the store's.
    pub crc: Crc64,
    /// When the re-read ended.
    pub sealed_at: Timestamp,
}

impl Document for Seal {
    const TYPE: &'static str = "application/vnd.custos.seal+json";
}
