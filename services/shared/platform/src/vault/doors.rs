//! The dangerous verbs, all of them: switching a legal hold, and deleting.
//!
//! Nothing here can delete from a locked bucket, but for the capability probe's own, which holds nothing of worth. The one delete
//! that will ever touch an original, after two people agreed, is the deletion executor's and comes with its own credential.

use aws_sdk_s3::types::{ObjectLockLegalHold, ObjectLockLegalHoldStatus};
use custos_domain::manifest::StoredObject;

use super::{StoreError, Vault, call};

impl Vault {
    /// Switches the store's legal hold on one version, and reads it back.
    pub async fn set_hold(&self, object: &StoredObject, on: bool) -> Result<(), StoreError> {
        let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let request = self
            .control
            .put_object_legal_hold()
            .bucket(&object.bucket)
            .key(&object.key)
            .version_id(&object.version)
            .legal_hold(ObjectLockLegalHold::builder().status(status).build());
        call("PutObjectLegalHold", request.send()).await?;
        if self.is_held(object).await? == on {
            return Ok(());
        }
        Err(StoreError::Refused {
            operation: "PutObjectLegalHold",
            code: "HoldNotKept".to_owned(),
            detail: format!("asked for {}, read back the opposite", if on { "on" } else { "off" }),
        })
    }

    /// Whether the store's legal hold is on for one version.
    pub async fn is_held(&self, object: &StoredObject) -> Result<bool, StoreError> {
        let request =
            self.control.get_object_legal_hold().bucket(&object.bucket).key(&object.key).version_id(&object.version);
        let answer = match call("GetObjectLegalHold", request.send()).await {
            Err(StoreError::Refused { code, .. }) if code == "NoSuchObjectLockConfiguration" => return Ok(false),
            other => other?,
        };
        Ok(answer.legal_hold().and_then(ObjectLockLegalHold::status) == Some(&ObjectLockLegalHoldStatus::On))
    }

    /// Deletes from the intake bucket: a tail that a part now covers, a session that ended.
    pub async fn discard_intake(&self, key: &str) -> Result<(), StoreError> {
        self.discard(&self.buckets.intake, key).await
    }

    /// Deletes from the derived bucket, which can be rebuilt.
    pub async fn discard_derived(&self, key: &str) -> Result<(), StoreError> {
        self.discard(&self.buckets.derived, key).await
    }

    /// Deletes one version from the probe bucket, whatever bucket `object` names; with `bypass` also one under GOVERNANCE.
    pub(super) async fn discard_probe(&self, object: &StoredObject, bypass: bool) -> Result<(), StoreError> {
        let request = self
            .control
            .delete_object()
            .bucket(&self.buckets.probe)
            .key(&object.key)
            .version_id(&object.version)
            .set_bypass_governance_retention(bypass.then_some(true));
        match call("DeleteObject", request.send()).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Puts a delete marker over a key of the probe bucket.
    pub(super) async fn hide_probe(&self, key: &str) -> Result<(), StoreError> {
        self.discard(&self.buckets.probe, key).await
    }

    async fn discard(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        match call("DeleteObject", self.control.delete_object().bucket(bucket).key(key).send()).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }
}
