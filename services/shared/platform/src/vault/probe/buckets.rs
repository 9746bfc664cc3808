//! How the buckets are set up.

use aws_sdk_s3::types::{BucketVersioningStatus, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule};

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::vault::{StoreError, call};

pub(super) const CHECKS: [Check; 3] = [
    Check {
        id: "buckets.probe-lock",
        tried: "the probe bucket has versioning and Object Lock on",
        weight: Weight::Mandatory,
        why: "nothing can be tried without it",
        remedy: "create the bucket named by CUSTOS_S3_PROBE with Object Lock, and give this service's credential the policy in deploy/s3",
        trial: |scratch| Box::pin(async { Ok(locking(scratch, &scratch.vault.buckets().probe).await?.0) }),
    },
    Check {
        id: "buckets.evidence-lock",
        tried: "the originals and log buckets have versioning and Object Lock on",
        weight: Weight::Mandatory,
        why: "INV-2, INV-5: in a bucket without it every lock header is an empty word",
        remedy: "create the buckets anew with Object Lock; most stores cannot switch it on later",
        trial: |scratch| Box::pin(evidence(scratch)),
    },
    Check {
        id: "buckets.originals-default",
        tried: "the originals bucket has a default retention in COMPLIANCE mode",
        weight: Weight::Repair,
        why: "INV-2: the net below the locks we set, and in repair mode what locks an original between Complete and repair",
        remedy: "set a default retention of some weeks: mc retention set --default compliance 30d",
        trial: |scratch| Box::pin(originals_default(scratch)),
    },
];

async fn evidence(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let buckets = scratch.vault.buckets();
    for bucket in [&buckets.originals, &buckets.log] {
        let (outcome, _) = locking(scratch, bucket).await?;
        if !outcome.is_kept() {
            return Ok(outcome);
        }
    }
    Ok(Outcome::kept("on"))
}

async fn originals_default(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (_, rule) = locking(scratch, &scratch.vault.buckets().originals).await?;
    let Some(default) = rule.as_ref().and_then(ObjectLockRule::default_retention) else {
        return Ok(Outcome::broken("it has none"));
    };
    let compliance = default.mode() == Some(&ObjectLockRetentionMode::Compliance);
    let mode = default.mode().map_or("no mode", ObjectLockRetentionMode::as_str);
    let length = default.days().map(|days| format!("{days} days"));
    let length = length.or_else(|| default.years().map(|years| format!("{years} years"))).unwrap_or_default();
    Ok(Outcome::when(compliance && !length.is_empty(), format!("{mode} {length}")))
}

/// Whether a bucket can lock, and its default rule.
async fn locking(scratch: &Scratch, bucket: &str) -> Result<(Outcome, Option<ObjectLockRule>), StoreError> {
    let versioning = scratch.vault.control.get_bucket_versioning().bucket(bucket).send();
    let versioned = call("GetBucketVersioning", versioning).await?.status() == Some(&BucketVersioningStatus::Enabled);
    let configuration = scratch.vault.control.get_object_lock_configuration().bucket(bucket).send();
    let configuration = match call("GetObjectLockConfiguration", configuration).await {
        Ok(answer) => answer.object_lock_configuration,
        Err(StoreError::NotFound { .. }) => None,
        Err(StoreError::Refused { code, .. }) if code == "ObjectLockConfigurationNotFoundError" => None,
        Err(error) => return Err(error),
    };
    let locks = configuration.as_ref().and_then(|c| c.object_lock_enabled()) == Some(&ObjectLockEnabled::Enabled);
    let outcome = match (versioned, locks) {
        (true, true) => Outcome::kept("on"),
        (false, _) => Outcome::broken(format!("{bucket} has no versioning")),
        (_, false) => Outcome::broken(format!("{bucket} has no Object Lock")),
    };
    Ok((outcome, configuration.and_then(|c| c.rule)))
}
