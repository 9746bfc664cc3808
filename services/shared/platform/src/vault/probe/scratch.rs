//! Where a run tries things: keys of its own in the probe bucket, locks of half a minute by the store's clock.

use std::time::Instant;

use aws_sdk_s3::types::{ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetentionMode};
use bytes::Bytes;
use custos_domain::{digest::Crc64, keys, manifest::StoredObject};
use jiff::{SignedDuration, Timestamp};

use crate::{
    clock::Clock,
    vault::{
        StoreError, Vault, call, lock_date,
        multipart::{Creation, Multipart, Part},
        skew::skew_ms,
        timestamp,
    },
};

/// How long a scratch object is locked: long enough for a check on a slow store, short enough to be removed soon.
pub(super) const LOCK: SignedDuration = SignedDuration::from_secs(30);

/// One run's place in the store.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) vault: Vault,
    run: String,
    /// The store's clock when the run began, which judges locks.
    store_began: Timestamp,
    began: Timestamp,
    clock: Instant,
    /// By how much the store's clock is ahead at the least, in milliseconds.
    pub(super) skew_ms: i64,
}

/// A lock as the store tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) compliance: bool,
    pub(super) until: Timestamp,
}

impl Scratch {
    /// A place of its own. Fails when the store does not tell its time: nobody could say how long a lock lasts.
    pub(super) async fn new(vault: Vault, clock: &Clock) -> Result<Self, StoreError> {
        let began = clock.now();
        let store_began = vault.clock().await?;
        let skew_ms = skew_ms(began, store_began, clock.now());
        let run = keys::probe_run(began, &uuid::Uuid::new_v4().simple().to_string()[..12]);
        Ok(Self { vault, run, store_began, began, clock: Instant::now(), skew_ms })
    }

    /// When it began, by our clock.
    pub(super) fn began(&self) -> Timestamp {
        self.began
    }

    /// Milliseconds since.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The store's clock now, rounded down.
    pub(super) fn now(&self) -> Timestamp {
        self.store_began.saturating_add(self.clock.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// The end of a scratch lock begun now: a whole second.
    pub(super) fn soon(&self) -> Timestamp {
        Timestamp::from_second((self.now() + LOCK).as_second()).unwrap_or(Timestamp::MAX)
    }

    /// The probe bucket.
    pub(super) fn bucket(&self) -> &str {
        &self.vault.buckets().probe
    }

    /// A key that only this run uses.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.run)
    }

    /// A key that only this run uses, in the intake bucket.
    pub(super) fn intake_key(&self, name: &str) -> String {
        keys::probe_intake(&self.key(name))
    }

    /// An original as ingest creates one.
    pub(super) fn creation<'a>(&'a self, key: &'a str, locked_until: Timestamp) -> Creation<'a> {
        Creation { bucket: self.bucket(), key, nonce: "probe", locked_until }
    }

    /// An object locked in COMPLIANCE mode by PutObject, as ingest creates items of one part; and the date asked for.
    pub(super) async fn locked(&self, name: &str) -> Result<(StoredObject, Timestamp), StoreError> {
        let (key, until, bytes) = (self.key(name), self.soon(), Bytes::from_static(b"locked"));
        let crc = Crc64::of(&bytes);
        self.vault.put_original(self.creation(&key, until), bytes, crc).await?;
        Ok((self.vault.head_latest(self.bucket(), &key).await?.object, until))
    }

    /// Sends `bytes` as the one part of an upload and completes it, as ingest does.
    pub(super) async fn finish(&self, key: &str, upload_id: &str, bytes: Bytes) -> Result<StoredObject, StoreError> {
        let upload = self.upload(key, upload_id);
        let crc = Crc64::of(&bytes);
        let part = self.vault.put_part(upload, 1, bytes, crc).await?;
        self.vault.complete(upload, &[part], crc).await?;
        Ok(self.vault.head_latest(self.bucket(), key).await?.object)
    }

    /// An upload of this run.
    pub(super) fn upload<'a>(&'a self, key: &'a str, upload_id: &'a str) -> Multipart<'a> {
        Multipart { bucket: self.bucket(), key, upload_id }
    }

    /// Sends one small part.
    pub(super) async fn part(
        &self,
        upload: Multipart<'_>,
        number: i32,
        bytes: &'static [u8],
    ) -> Result<Part, StoreError> {
        self.vault.put_part(upload, number, Bytes::from_static(bytes), Crc64::of(bytes)).await
    }

    /// Stores an object in GOVERNANCE mode until `until`, or without any lock header; with a hold header when asked.
    pub(super) async fn put(
        &self,
        key: &str,
        governed: Option<Timestamp>,
        hold: bool,
    ) -> Result<StoredObject, StoreError> {
        let bytes = Bytes::from_static(b"scratch");
        let request = self
            .vault
            .control
            .put_object()
            .bucket(self.bucket())
            .key(key)
            .checksum_crc64_nvme(Crc64::of(&bytes).to_base64())
            .set_object_lock_mode(governed.map(|_| ObjectLockMode::Governance))
            .set_object_lock_retain_until_date(governed.map(lock_date))
            .set_object_lock_legal_hold_status(hold.then_some(ObjectLockLegalHoldStatus::On))
            .body(bytes.into());
        let answer = call("PutObject", request.customize().disable_payload_signing().send()).await?;
        let version = answer.version_id().ok_or_else(|| StoreError::incomplete("PutObject", "version id"))?;
        Ok(StoredObject { bucket: self.bucket().to_owned(), key: key.to_owned(), version: version.to_owned() })
    }

    /// The lock of a version in either mode, as `GetObjectRetention` tells it.
    pub(super) async fn lock(&self, object: &StoredObject) -> Result<Option<Lock>, StoreError> {
        let request = self.vault.control.get_object_retention();
        let request = request.bucket(&object.bucket).key(&object.key).version_id(&object.version);
        let answer = match call("GetObjectRetention", request.send()).await {
            Err(StoreError::Refused { code, .. }) if code == "NoSuchObjectLockConfiguration" => return Ok(None),
            other => other?,
        };
        let lock = answer.retention().and_then(|retention| {
            let until = retention.retain_until_date().and_then(timestamp)?;
            Some(Lock { compliance: retention.mode() == Some(&ObjectLockRetentionMode::Compliance), until })
        });
        Ok(lock)
    }

    /// How many versions of a key there are, delete markers apart.
    pub(super) async fn versions(&self, key: &str) -> Result<Vec<String>, StoreError> {
        let request = self.vault.control.list_object_versions().bucket(self.bucket()).prefix(key);
        let answer = call("ListObjectVersions", request.send()).await?;
        let ours = answer.versions().iter().filter(|version| version.key() == Some(key));
        Ok(ours.filter_map(|version| version.version_id().map(str::to_owned)).collect())
    }

    /// Whether the store refused an act that the lock until `until` forbids. An act that came too late proves nothing.
    pub(super) async fn refused(
        &self,
        until: Timestamp,
        act: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<bool, StoreError> {
        match act.await {
            Ok(()) if self.now() >= until => {
                let detail = "a scratch lock ran out before this was tried; the store is very slow".to_owned();
                Err(StoreError::Unavailable { operation: "probe", detail })
            }
            Ok(()) => Ok(false),
            Err(error) if error.is_permanent() => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// A lock in words.
pub(super) fn words(lock: Option<Lock>) -> String {
    match lock {
        Some(Lock { compliance: true, until }) => format!("COMPLIANCE until {until}"),
        Some(Lock { compliance: false, until }) => format!("GOVERNANCE until {until}"),
        None => "no lock".to_owned(),
    }
}
