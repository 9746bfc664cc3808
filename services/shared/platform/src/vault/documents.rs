//! Small objects: create-only locked documents, and compare-and-set ones in the intake bucket.

use aws_sdk_s3::{operation::get_object::GetObjectOutput, types::ObjectLockMode};
use bytes::Bytes;
use custos_domain::{digest::Crc64, manifest::StoredObject};
use jiff::{SignedDuration, Timestamp};

use super::{StoreError, Vault, call, lock_date};

const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// A small object as read.
#[derive(Debug, Clone)]
pub struct StoredDocument {
    /// Its bytes.
    pub bytes: Bytes,
    /// Which version they are.
    pub object: StoredObject,
    /// For compare-and-set.
    pub etag: String,
}

/// How a create-only write ended.
#[derive(Debug, Clone)]
pub enum Created {
    /// This call created it.
    Now(StoredObject),
    /// It was there: by an earlier try of ours, or by somebody else. This is what stands.
    Before(StoredDocument),
}

impl Created {
    /// The version that stands.
    #[must_use]
    pub fn object(&self) -> &StoredObject {
        match self {
            Self::Now(object) => object,
            Self::Before(document) => &document.object,
        }
    }
}

/// How an object of an unlocked bucket is, compared with when it was read last.
#[derive(Debug, Clone)]
pub enum Changed {
    /// The same.
    Same,
    /// Not there.
    Absent,
    /// There is another one.
    New(StoredDocument),
}

/// What a write needs beside the bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Conditions<'a> {
    locked_until: Option<Timestamp>,
    if_match: Option<&'a str>,
    if_none_match: bool,
}

impl Vault {
    /// Creates a document under a COMPLIANCE lock, or reads the one that stands; either way the lock was read back (INV-3).
    ///
    /// Create-only holds against delete markers as well: the *oldest* version of the key is the document, whatever was put over it.
    pub async fn create_locked(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        content_type: &str,
        until: Timestamp,
    ) -> Result<Created, StoreError> {
        match self.read_first(bucket, key).await? {
            Some(before) => self.locked(Created::Before(before), until).await,
            None => self.create_locked_first(bucket, key, bytes, content_type, until).await,
        }
    }

    /// The same without looking first: for a key nobody else can know, one just seen to be free, or a document that says the same
    /// whoever writes it. Over a delete marker it makes a second version of what the marker hides, which the auditor tells.
    pub async fn create_locked_first(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        content_type: &str,
        until: Timestamp,
    ) -> Result<Created, StoreError> {
        let created = self.create_or_read(bucket, key, bytes, content_type, until).await?;
        self.locked(created, until).await
    }

    async fn locked(&self, created: Created, until: Timestamp) -> Result<Created, StoreError> {
        // What stood before was locked from an earlier now: a day less is no gap, the period's owner extends all together.
        let enough = if matches!(created, Created::Now(_)) { until } else { until - A_DAY };
        self.extend_lock(created.object(), enough).await?;
        Ok(created)
    }

    async fn create_or_read(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        content_type: &str,
        until: Timestamp,
    ) -> Result<Created, StoreError> {
        let conditions = Conditions { locked_until: Some(until), if_none_match: true, ..Conditions::default() };
        match self.put(bucket, key, bytes, content_type, conditions).await {
            Ok((object, _)) => Ok(Created::Now(object)),
            // Somebody was first, possibly an earlier try of this very call whose answer was lost.
            Err(StoreError::Precondition { operation }) => {
                self.read_first(bucket, key).await?.map(Created::Before).ok_or(StoreError::Precondition { operation })
            }
            Err(error) => Err(error),
        }
    }

    /// The document at `key`: its oldest version, since a create-only key that has a second one was tampered with.
    pub async fn read_first(&self, bucket: &str, key: &str) -> Result<Option<StoredDocument>, StoreError> {
        match self.first_version(bucket, key).await? {
            Some(object) => self.read_document(&object).await.map(Some),
            None => Ok(None),
        }
    }

    /// A document by version.
    pub async fn read_document(&self, object: &StoredObject) -> Result<StoredDocument, StoreError> {
        self.get(&object.bucket, &object.key, Some(&object.version)).await
    }

    /// The newest document at a key of an unlocked bucket.
    pub async fn read_latest(&self, bucket: &str, key: &str) -> Result<Option<StoredDocument>, StoreError> {
        match self.get(bucket, key, None).await {
            Ok(document) => Ok(Some(document)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest document at a key of an unlocked bucket, when it is not the one with this ETag.
    pub async fn read_changed(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<Changed, StoreError> {
        let request = self.control.get_object().bucket(bucket).key(key).set_if_none_match(etag.map(str::to_owned));
        match call("GetObject", request.send()).await {
            Ok(answer) => document(answer, bucket, key).await.map(Changed::New),
            Err(error) if error.is_unchanged() => Ok(Changed::Same),
            Err(error) if error.is_not_found() => Ok(Changed::Absent),
            Err(error) => Err(error),
        }
    }

    /// Creates an unlocked document; [`StoreError::Precondition`] when the key is taken. Answers the ETag.
    pub async fn create(&self, bucket: &str, key: &str, bytes: Bytes) -> Result<String, StoreError> {
        let conditions = Conditions { if_none_match: true, ..Conditions::default() };
        self.put(bucket, key, bytes, "application/json", conditions).await.map(|(_, etag)| etag)
    }

    /// Replaces an unlocked document when it still has this ETag; [`StoreError::Precondition`] when not. Answers the new ETag.
    pub async fn replace(&self, bucket: &str, key: &str, bytes: Bytes, etag: &str) -> Result<String, StoreError> {
        let conditions = Conditions { if_match: Some(etag), ..Conditions::default() };
        self.put(bucket, key, bytes, "application/json", conditions).await.map(|(_, etag)| etag)
    }

    /// Writes an unlocked object, whatever was there. For derived copies and tails, which are named by what they hold.
    pub async fn write(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<StoredObject, StoreError> {
        self.put(bucket, key, bytes, content_type, Conditions::default()).await.map(|(object, _)| object)
    }

    async fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<StoredDocument, StoreError> {
        let request = self.control.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
        document(call("GetObject", request.send()).await?, bucket, key).await
    }

    async fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        content_type: &str,
        conditions: Conditions<'_>,
    ) -> Result<(StoredObject, String), StoreError> {
        let mut request = self
            .control
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(content_type)
            // Object Lock writes need a checksum; every other write may as well be checked.
            .checksum_crc64_nvme(Crc64::of(&bytes).to_base64())
            .set_if_match(conditions.if_match.map(str::to_owned))
            .set_if_none_match(conditions.if_none_match.then(|| "*".to_owned()))
            .body(bytes.into());
        if let Some(until) = conditions.locked_until {
            request =
                request.object_lock_mode(ObjectLockMode::Compliance).object_lock_retain_until_date(lock_date(until));
        }
        let answer = call("PutObject", request.customize().disable_payload_signing().send()).await?;
        let version = answer.version_id().unwrap_or("null").to_owned();
        let object = StoredObject { bucket: bucket.to_owned(), key: key.to_owned(), version };
        Ok((object, answer.e_tag().unwrap_or_default().to_owned()))
    }
}

/// Reads an answer to its end.
async fn document(answer: GetObjectOutput, bucket: &str, key: &str) -> Result<StoredDocument, StoreError> {
    let version = answer.version_id().unwrap_or("null").to_owned();
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let bytes = answer
        .body
        .collect()
        .await
        .map_err(|e| StoreError::Unavailable { operation: "GetObject", detail: e.to_string() })?;
    let object = StoredObject { bucket: bucket.to_owned(), key: key.to_owned(), version };
    Ok(StoredDocument { bytes: bytes.into_bytes(), object, etag })
}
