//! An old multipart upload that must still be alive: what a dock with a slow line leaves behind for days.
//!
//! MinIO expires uploads after 24 h by default, also while they are used (tried). A canary is one upload of one part, with a record
//! of it beside; every run looks whether the oldest one still lives. Only [`Vault::tend_canaries`] puts a new one in the place of a
//! dead one, so that a run that restarts often cannot hide a death from the nightly one.

use custos_domain::{digest::Crc64, keys};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::{
    clock::Clock,
    vault::{
        StoreError, Vault,
        multipart::{Creation, Multipart},
    },
};

/// For so long the store must keep an upload that rests (its required setting, `deploy/s3`).
const RESTS: SignedDuration = SignedDuration::from_hours(24 * 90);

pub(super) const CHECKS: [Check; 1] = [Check {
    id: "multipart.canary",
    tried: "an upload begun by an earlier run, up to 90 days ago, still has its part",
    weight: Weight::Advisory,
    why: "an upload the store gives up is sent again from the start, and no receipt was given for it",
    remedy: "let the store keep unfinished uploads for 90 days: MINIO_API_STALE_UPLOADS_EXPIRY=2160h, and no lifecycle rule that aborts them",
    trial: |scratch| Box::pin(oldest(scratch)),
}];

/// A canary's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Canary {
    key: String,
    upload_id: String,
    begun: Timestamp,
}

async fn oldest(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let mut canaries = scratch.vault.canaries().await?;
    canaries.sort_by_key(|(_, canary)| canary.begun);
    let now = scratch.began();
    let mut seen = None;
    for (_, canary) in &canaries {
        let age = age(now.duration_since(canary.begun));
        if !scratch.vault.lives(canary).await? {
            return Ok(Outcome::broken(format!("the store gave up an upload begun {age} ago")));
        }
        seen.get_or_insert_with(|| format!("alive after {age}"));
    }
    Ok(match seen {
        Some(seen) => Outcome::kept(seen),
        None => Outcome::untried("no earlier run has left one; retention leaves one every night"),
    })
}

impl Vault {
    /// Leaves a canary when there is none alive, and lets go of dead ones and of those that have rested long enough. For the run
    /// that reports what it finds; call it after the probe.
    pub async fn tend_canaries(&self, clock: &Clock) -> Result<(), StoreError> {
        let now = clock.now();
        let mut alive = 0;
        for (record, canary) in self.canaries().await? {
            let lives = self.lives(&canary).await?;
            if lives && now.duration_since(canary.begun) < RESTS {
                alive += 1;
                continue;
            }
            self.abort(self.canary_upload(&canary)).await?;
            for object in self.probe_versions(&record).await? {
                self.discard_probe(&object, true).await?;
            }
        }
        if alive == 0 { self.leave_canary(now).await } else { Ok(()) }
    }

    async fn leave_canary(&self, now: Timestamp) -> Result<(), StoreError> {
        let bucket = &self.buckets().probe;
        let name = uuid::Uuid::new_v4().simple().to_string();
        let key = keys::probe_canary_upload(&name);
        let creation =
            Creation { bucket, key: &key, nonce: "canary", locked_until: now + SignedDuration::from_mins(1) };
        let upload_id = self.begin_multipart(creation).await?;
        let upload = Multipart { bucket, key: &key, upload_id: &upload_id };
        self.put_part(upload, 1, bytes::Bytes::from_static(b"canary"), Crc64::of(b"canary")).await?;
        let canary = Canary { key: key.clone(), upload_id: upload_id.clone(), begun: now };
        let record = serde_json::to_vec(&canary).unwrap_or_default();
        self.write(bucket, &keys::probe_canary(&name), record.into(), "application/json").await.map(drop)
    }

    async fn canaries(&self) -> Result<Vec<(String, Canary)>, StoreError> {
        let (records, _) = self.keys(&self.buckets().probe, keys::PROBE_CANARIES, None).await?;
        let mut canaries = Vec::new();
        for record in records {
            let document = self.read_latest(&self.buckets().probe, &record).await?;
            let canary = document.and_then(|document| serde_json::from_slice(&document.bytes).ok());
            canaries.extend(canary.map(|canary| (record, canary)));
        }
        Ok(canaries)
    }

    async fn lives(&self, canary: &Canary) -> Result<bool, StoreError> {
        match self.parts(self.canary_upload(canary)).await {
            Ok(parts) => Ok(parts.iter().any(|part| part.number == 1 && part.length == 6)),
            Err(StoreError::NoSuchUpload { .. } | StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn canary_upload<'a>(&'a self, canary: &'a Canary) -> Multipart<'a> {
        Multipart { bucket: &self.buckets().probe, key: &canary.key, upload_id: &canary.upload_id }
    }
}

fn age(age: SignedDuration) -> String {
    match age.as_hours() {
        0 => format!("{} min", age.as_mins()),
        hours @ 1..48 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_unit_a_person_would_use() {
        let told = [
            (0, "0 min"),
            (59, "59 min"),
            (60, "1 h"),
            (47 * 60, "47 h"),
            (48 * 60, "2 days"),
            (90 * 24 * 60, "90 days"),
        ];
        for (minutes, words) in told {
            assert_eq!(age(SignedDuration::from_mins(minutes)), words);
        }
    }
}
