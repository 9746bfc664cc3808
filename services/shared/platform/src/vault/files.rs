//! Files into unlocked buckets: derivatives, which may be as long as an original.

use std::path::Path;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use custos_domain::digest::Crc64;
use tokio::{fs::File, io::AsyncReadExt};

use super::{StoreError, Vault, call, multipart::Multipart};

/// Bytes in one part; with 10,000 parts 160 GB.
const PART: usize = 16 << 20;

impl Vault {
    /// Writes a file over whatever was at `key`, a part at a time. `progress` is called after each part.
    pub async fn write_file(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        content_type: &str,
        progress: &(impl Fn() + Sync),
    ) -> Result<(), StoreError> {
        let unreadable = |error: std::io::Error| StoreError::Unavailable {
            operation: "PutObject",
            detail: format!("cannot read {}: {error}", path.display()),
        };
        let mut file = File::open(path).await.map_err(unreadable)?;
        let first = read_part(&mut file).await.map_err(unreadable)?;
        if first.len() < PART {
            return self.write(bucket, key, first, content_type).await.map(drop);
        }
        let upload_id = self.begin_plain(bucket, key, content_type).await?;
        let upload = Multipart { bucket, key, upload_id: &upload_id };
        let (mut part, mut parts, mut full) = (first, Vec::new(), Crc64::default());
        while !part.is_empty() {
            let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
            let (crc, length) = (Crc64::of(&part), part.len() as u64);
            full = full.then(crc, length);
            let stored = self.put_part(upload, number, part, crc).await?;
            let completed = CompletedPart::builder().part_number(number).e_tag(stored.etag);
            parts.push(completed.checksum_crc64_nvme(crc.to_base64()).build());
            progress();
            part = read_part(&mut file).await.map_err(unreadable)?;
        }
        let request = self
            .complete
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(&upload_id)
            .checksum_type(ChecksumType::FullObject)
            .checksum_crc64_nvme(full.to_base64())
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        call("CompleteMultipartUpload", request.send()).await.map(drop)
    }

    /// Begins an upload without any lock header; in a locked bucket only the default retention would lock it.
    pub(super) async fn begin_plain(&self, bucket: &str, key: &str, content_type: &str) -> Result<String, StoreError> {
        let request = self
            .control
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .content_type(content_type)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject);
        let answer = call("CreateMultipartUpload", request.send()).await?;
        answer
            .upload_id()
            .map(str::to_owned)
            .ok_or_else(|| StoreError::incomplete("CreateMultipartUpload", "upload id"))
    }
}

async fn read_part(file: &mut File) -> std::io::Result<Bytes> {
    let mut bytes = BytesMut::with_capacity(PART);
    while bytes.len() < PART {
        let mut rest = file.take((PART - bytes.len()) as u64);
        if rest.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok(bytes.freeze())
}
