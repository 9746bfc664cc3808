//! Dated COMPLIANCE locks. A lock is only ever extended (INV-3): nobody can shorten one, and an over-long one cannot be undone.

use aws_sdk_s3::types::{ObjectLockRetention, ObjectLockRetentionMode};
use custos_domain::manifest::StoredObject;
use jiff::Timestamp;

use super::{StoreError, Vault, call, lock_date, timestamp};

impl Vault {
    /// Makes sure a version is locked until at least `until`, reads it back, and answers the date that stands.
    ///
    /// The caller has checked `until` against the policy's horizon.
    pub async fn extend_lock(&self, object: &StoredObject, until: Timestamp) -> Result<Timestamp, StoreError> {
        let wanted = lock_date(until).secs();
        if let Some(stands) = self.lock_of(object).await?
            && stands.as_second() >= wanted
        {
            return Ok(stands);
        }
        let retention = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::Compliance)
            .retain_until_date(lock_date(until))
            .build();
        let request = self
            .control
            .put_object_retention()
            .bucket(&object.bucket)
            .key(&object.key)
            .version_id(&object.version)
            .retention(retention);
        let put = call("PutObjectRetention", request.send()).await.map(drop);
        // Whatever the answer, what counts is what stands: a refusal may be somebody else's longer lock.
        match (self.lock_of(object).await?, put) {
            (Some(stands), _) if stands.as_second() >= wanted => Ok(stands),
            (_, Err(error)) => Err(error),
            (stands, Ok(())) => Err(StoreError::Refused {
                operation: "PutObjectRetention",
                code: "LockNotKept".to_owned(),
                detail: format!("asked for {until}, read back {stands:?}"),
            }),
        }
    }

    /// Asks for what must be refused: another lock on a version in the probe bucket, whatever bucket `object` names.
    pub(super) async fn change_probe_lock(
        &self,
        object: &StoredObject,
        compliance: bool,
        until: Timestamp,
        bypass: bool,
    ) -> Result<(), StoreError> {
        let mode = if compliance { ObjectLockRetentionMode::Compliance } else { ObjectLockRetentionMode::Governance };
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(lock_date(until)).build();
        let request = self
            .control
            .put_object_retention()
            .bucket(&self.buckets.probe)
            .key(&object.key)
            .version_id(&object.version)
            .set_bypass_governance_retention(bypass.then_some(true))
            .retention(retention);
        call("PutObjectRetention", request.send()).await.map(drop)
    }

    /// The date of a version's COMPLIANCE lock; none without one, or with a weaker mode.
    pub async fn lock_of(&self, object: &StoredObject) -> Result<Option<Timestamp>, StoreError> {
        let request =
            self.control.get_object_retention().bucket(&object.bucket).key(&object.key).version_id(&object.version);
        let answer = match call("GetObjectRetention", request.send()).await {
            Err(StoreError::Refused { code, .. }) if code == "NoSuchObjectLockConfiguration" => return Ok(None),
            other => other?,
        };
        let retention = answer.retention().filter(|r| r.mode() == Some(&ObjectLockRetentionMode::Compliance));
        Ok(retention.and_then(ObjectLockRetention::retain_until_date).and_then(timestamp))
    }
}
