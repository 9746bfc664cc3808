//! An original's bytes on their way in. The COMPLIANCE lock is part of every create call: there is no moment in which an
//! original exists unlocked (INV-2).

use std::collections::HashMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectLockMode};
use bytes::Bytes;
use custos_domain::{digest::Crc64, manifest::StoredObject};
use jiff::Timestamp;

use super::{StoreError, Vault, call, lock_date};

/// Object metadata that tells our own object from another one under the same key.
pub const NONCE: &str = "custos-nonce";

/// A multipart upload of one original.
#[derive(Debug, Clone, Copy)]
pub struct Multipart<'a> {
    /// Bucket.
    pub bucket: &'a str,
    /// Object key.
    pub key: &'a str,
    /// The store's upload id.
    pub upload_id: &'a str,
}

/// What an original is created with.
#[derive(Debug, Clone, Copy)]
pub struct Creation<'a> {
    /// Bucket.
    pub bucket: &'a str,
    /// Object key.
    pub key: &'a str,
    /// Kept as object metadata, to be found again at read-back.
    pub nonce: &'a str,
    /// First date of the COMPLIANCE lock.
    pub locked_until: Timestamp,
}

/// A part the store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// S3 part number, from 1.
    pub number: i32,
    /// Bytes.
    pub length: u64,
    /// The store's tag for it.
    pub etag: String,
    /// The checksum the store kept, when it tells.
    pub crc: Option<Crc64>,
}

impl Vault {
    /// Begins an upload with lock, nonce and full-object CRC64NVME. Answers the store's upload id.
    pub async fn begin_multipart(&self, creation: Creation<'_>) -> Result<String, StoreError> {
        let request = self
            .control
            .create_multipart_upload()
            .bucket(creation.bucket)
            .key(creation.key)
            .metadata(NONCE, creation.nonce)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject)
            .object_lock_mode(ObjectLockMode::Compliance)
            .object_lock_retain_until_date(lock_date(creation.locked_until));
        let answer = call("CreateMultipartUpload", request.send()).await?;
        answer
            .upload_id()
            .map(str::to_owned)
            .ok_or_else(|| StoreError::incomplete("CreateMultipartUpload", "upload id"))
    }

    /// Sends one part. The store refuses it when `crc` does not fit the bytes.
    ///
    /// A listed part must not be sent again: MinIO killed meanwhile has lost acknowledged parts (tried).
    pub async fn put_part(
        &self,
        upload: Multipart<'_>,
        number: i32,
        bytes: Bytes,
        crc: Crc64,
    ) -> Result<Part, StoreError> {
        let length = bytes.len() as u64;
        let request = self
            .data
            .upload_part()
            .bucket(upload.bucket)
            .key(upload.key)
            .upload_id(upload.upload_id)
            .part_number(number)
            .checksum_crc64_nvme(crc.to_base64())
            .body(bytes.into());
        // The checksum covers the bytes: signing them as well would only hash them twice.
        let answer = call("UploadPart", request.customize().disable_payload_signing().send()).await?;
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        Ok(Part { number, length, etag, crc: Some(crc) })
    }

    /// The parts the store holds, in order, each number once.
    pub async fn parts(&self, upload: Multipart<'_>) -> Result<Vec<Part>, StoreError> {
        let mut parts: HashMap<i32, Part> = HashMap::new();
        let mut marker: Option<String> = None;
        loop {
            let request = self
                .control
                .list_parts()
                .bucket(upload.bucket)
                .key(upload.key)
                .upload_id(upload.upload_id)
                .set_part_number_marker(marker.clone());
            let page = call("ListParts", request.send()).await?;
            let before = parts.len();
            parts.extend(page.parts().iter().filter_map(part).map(|part| (part.number, part)));
            let next = page.next_part_number_marker().map(str::to_owned);
            // A page that brings nothing new ends the walk, whatever it says of more.
            if page.is_truncated() != Some(true) || next.is_none() || next == marker || parts.len() == before {
                break;
            }
            marker = next;
        }
        let mut parts: Vec<Part> = parts.into_values().collect();
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    /// Makes the object of exactly these parts, and answers its version. Call it detached from any request and let it end by itself.
    pub async fn complete(
        &self,
        upload: Multipart<'_>,
        parts: &[Part],
        full: Crc64,
    ) -> Result<StoredObject, StoreError> {
        let completed = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(part.number)
                .e_tag(&part.etag)
                .set_checksum_crc64_nvme(part.crc.map(Crc64::to_base64))
                .build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(completed.collect())).build();
        let request = self
            .complete
            .complete_multipart_upload()
            .bucket(upload.bucket)
            .key(upload.key)
            .upload_id(upload.upload_id)
            .checksum_type(ChecksumType::FullObject)
            .checksum_crc64_nvme(full.to_base64())
            .if_none_match("*")
            .multipart_upload(parts);
        let answer = call("CompleteMultipartUpload", request.send()).await?;
        version("CompleteMultipartUpload", upload.bucket, upload.key, answer.version_id())
    }

    /// Gives up an upload that never became an object.
    pub async fn abort(&self, upload: Multipart<'_>) -> Result<(), StoreError> {
        let request =
            self.control.abort_multipart_upload().bucket(upload.bucket).key(upload.key).upload_id(upload.upload_id);
        match call("AbortMultipartUpload", request.send()).await {
            Err(StoreError::NoSuchUpload { .. } | StoreError::NotFound { .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Creates an original of one part in one call, and answers its version. Safe to repeat when cut; [`StoreError::Precondition`]
    /// when it is there already.
    pub async fn put_original(
        &self,
        creation: Creation<'_>,
        bytes: Bytes,
        crc: Crc64,
    ) -> Result<StoredObject, StoreError> {
        let request = self
            .data
            .put_object()
            .bucket(creation.bucket)
            .key(creation.key)
            .metadata(NONCE, creation.nonce)
            .checksum_crc64_nvme(crc.to_base64())
            .object_lock_mode(ObjectLockMode::Compliance)
            .object_lock_retain_until_date(lock_date(creation.locked_until))
            .if_none_match("*")
            .body(bytes.into());
        let answer = call("PutObject", request.customize().disable_payload_signing().send()).await?;
        version("PutObject", creation.bucket, creation.key, answer.version_id())
    }
}

/// The version a write made.
fn version(
    operation: &'static str,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<StoredObject, StoreError> {
    let version = version.ok_or_else(|| StoreError::incomplete(operation, "version id"))?;
    Ok(StoredObject { bucket: bucket.to_owned(), key: key.to_owned(), version: version.to_owned() })
}

fn part(listed: &aws_sdk_s3::types::Part) -> Option<Part> {
    Some(Part {
        number: listed.part_number()?,
        length: u64::try_from(listed.size()?).ok()?,
        etag: listed.e_tag()?.to_owned(),
        crc: listed.checksum_crc64_nvme().and_then(Crc64::from_base64),
    })
}
