//! Reading by version id.

use aws_sdk_s3::types::{ChecksumMode, ObjectLockLegalHoldStatus, ObjectLockMode};
use bytes::Bytes;
use custos_domain::{digest::Crc64, manifest::StoredObject};
use jiff::Timestamp;

use super::{StoreError, Vault, call, multipart::NONCE, timestamp};

/// What the store says of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionHead {
    /// Which version.
    pub object: StoredObject,
    /// Bytes.
    pub length: u64,
    /// The checksum the store kept; only a full-object one is told.
    pub crc: Option<Crc64>,
    /// The nonce it was created with.
    pub nonce: Option<String>,
    /// The date of its COMPLIANCE lock, to the second; absent without a lock or with a weaker mode.
    pub locked_until: Option<Timestamp>,
    /// Whether the store's legal hold is on.
    pub held: bool,
}

impl Vault {
    /// The newest version of a key; for what was just created.
    pub async fn head_latest(&self, bucket: &str, key: &str) -> Result<VersionHead, StoreError> {
        self.head(bucket, key, None).await
    }

    /// One version.
    pub async fn head_version(&self, object: &StoredObject) -> Result<VersionHead, StoreError> {
        self.head(&object.bucket, &object.key, Some(object.version.clone())).await
    }

    /// `length` bytes from `offset` of one version, in memory.
    ///
    /// Ranges are short on purpose: a slow reader of an open GET delays a legal hold on MinIO for as long as it reads (tried).
    pub async fn read_range(&self, object: &StoredObject, offset: u64, length: u64) -> Result<Bytes, StoreError> {
        let last = offset + length.saturating_sub(1);
        let request = self
            .data
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .version_id(&object.version)
            .range(format!("bytes={offset}-{last}"));
        let answer = call("GetObject", request.send()).await?;
        let bytes = answer
            .body
            .collect()
            .await
            .map_err(|e| StoreError::Unavailable { operation: "GetObject", detail: e.to_string() })?;
        Ok(bytes.into_bytes())
    }

    async fn head(&self, bucket: &str, key: &str, version: Option<String>) -> Result<VersionHead, StoreError> {
        let request = self
            .control
            .head_object()
            .bucket(bucket)
            .key(key)
            .set_version_id(version)
            .checksum_mode(ChecksumMode::Enabled);
        let head = call("HeadObject", request.send()).await?;
        let version = head.version_id().ok_or_else(|| StoreError::incomplete("HeadObject", "version id"))?;
        let compliance = head.object_lock_mode() == Some(&ObjectLockMode::Compliance);
        Ok(VersionHead {
            object: StoredObject { bucket: bucket.to_owned(), key: key.to_owned(), version: version.to_owned() },
            length: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
            crc: head.checksum_crc64_nvme().and_then(Crc64::from_base64),
            nonce: head.metadata().and_then(|m| m.get(NONCE)).cloned(),
            locked_until: head.object_lock_retain_until_date().filter(|_| compliance).and_then(timestamp),
            held: head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On),
        })
    }
}
