//! Create-only writes to a locked bucket, one after the other and in a race.

use std::collections::BTreeMap;

use bytes::Bytes;
use custos_domain::{digest::Crc64, manifest::StoredObject};
use futures::future::join_all;

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::vault::StoreError;

/// Races of each kind. SeaweedFS 4.48 lets several of four writers through in two of five races (tried).
const RACES: usize = 6;
/// Writers in a race.
const WRITERS: usize = 6;

pub(super) const CHECKS: [Check; 4] = [
    Check {
        id: "creation.put",
        tried: "PutObject with If-None-Match over an existing key: refused, and one version is there",
        weight: Weight::Mandatory,
        why: "INV-1: the manifest's create-only write is the commit point",
        remedy: "use a store that honours If-None-Match in versioned buckets",
        trial: |scratch| Box::pin(put(scratch)),
    },
    Check {
        id: "creation.put-race",
        tried: "several writers at once, PutObject with If-None-Match: one wins, and one version is there",
        weight: Weight::Mandatory,
        why: "INV-1: two docks may bring the same recording at the same moment",
        remedy: "use a store whose conditional PutObject is atomic",
        trial: |scratch| Box::pin(put_race(scratch)),
    },
    Check {
        id: "creation.complete",
        tried: "Complete with If-None-Match over an existing key: refused, and one version is there",
        weight: Weight::Advisory,
        why: "an original is found by its nonce and named by its manifest: a second version of it is locked and harmless",
        remedy: "nothing; the walks report keys with several versions",
        trial: |scratch| Box::pin(complete(scratch)),
    },
    Check {
        id: "creation.complete-race",
        tried: "several uploads of one key completed at once with If-None-Match: one wins, and one version is there",
        weight: Weight::Advisory,
        why: "the manifest names one version, the oldest counts, and the others are locked and harmless (ADR 3)",
        remedy: "nothing; the walks report keys with several versions",
        trial: |scratch| Box::pin(complete_race(scratch)),
    },
];

async fn put(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("create-put").await?;
    let second = Bytes::from_static(b"second");
    let crc = Crc64::of(&second);
    let answer = scratch.vault.put_original(scratch.creation(&object.key, until), second, crc).await;
    judge(scratch, &object.key, answer.map(drop)).await
}

async fn complete(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (object, until) = scratch.locked("create-complete").await?;
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&object.key, until)).await?;
    let answer = scratch.finish(&object.key, &upload_id, Bytes::from_static(b"second")).await.map(drop);
    let outcome = judge(scratch, &object.key, answer.map(drop)).await;
    scratch.vault.abort(scratch.upload(&object.key, &upload_id)).await?;
    outcome
}

async fn judge(scratch: &Scratch, key: &str, second: Result<(), StoreError>) -> Result<Outcome, StoreError> {
    let versions = scratch.versions(key).await?.len();
    match second {
        Err(StoreError::Precondition { .. }) if versions == 1 => Ok(Outcome::kept("refused, one version")),
        Err(error) if !error.is_permanent() => Err(error),
        Err(error) => Ok(Outcome::when(versions == 1, format!("{error}; {versions} versions"))),
        Ok(()) => Ok(Outcome::broken(format!("the second write was accepted; {versions} versions"))),
    }
}

async fn put_race(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let mut races = Races::default();
    for race in 0..RACES {
        let (key, until) = (scratch.key(&format!("put-race/{race}")), scratch.soon());
        let writers = (0..WRITERS).map(async |writer| {
            let bytes = Bytes::from(format!("writer {writer}"));
            let crc = Crc64::of(&bytes);
            scratch.vault.put_original(scratch.creation(&key, until), bytes, crc).await
        });
        races.ran(&join_all(writers).await, scratch.versions(&key).await?.len());
    }
    races.judge()
}

async fn complete_race(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let mut races = Races::default();
    for race in 0..RACES {
        let (key, until) = (scratch.key(&format!("complete-race/{race}")), scratch.soon());
        let ready = join_all((0..WRITERS).map(async |_| {
            let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, until)).await?;
            let part = scratch.part(scratch.upload(&key, &upload_id), 1, b"the same bytes").await?;
            Ok::<_, StoreError>((upload_id, part))
        }));
        let ready = ready.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let crc = Crc64::of(b"the same bytes");
        let answers = join_all(ready.iter().map(async |(upload_id, part)| {
            scratch.vault.complete(scratch.upload(&key, upload_id), std::slice::from_ref(part), crc).await
        }));
        let answers = answers.await;
        races.ran(&answers, scratch.versions(&key).await?.len());
        let lost = ready.iter().zip(&answers).filter(|(_, answer)| answer.is_err());
        let aborted = lost.map(async |((upload_id, _), _)| scratch.vault.abort(scratch.upload(&key, upload_id)).await);
        join_all(aborted).await.into_iter().collect::<Result<(), _>>()?;
    }
    races.judge()
}

/// What came of the races of one kind.
#[derive(Default)]
struct Races {
    /// How many races left so many versions.
    versions: BTreeMap<usize, usize>,
    /// Races in which more than one writer was told that it had created the object.
    told: usize,
}

impl Races {
    fn ran(&mut self, answers: &[Result<StoredObject, StoreError>], versions: usize) {
        *self.versions.entry(versions).or_default() += 1;
        self.told += usize::from(answers.iter().filter(|answer| answer.is_ok()).count() > 1);
    }

    fn judge(self) -> Result<Outcome, StoreError> {
        let several: usize = self.versions.range(2..).map(|(_, races)| races).sum();
        let most = self.versions.keys().next_back().copied().unwrap_or_default();
        if several > 0 || self.told > 0 {
            let told = self.told;
            let seen = format!(
                "{several} of {RACES} races left several versions, {most} at most; in {told} several writers were told yes"
            );
            return Ok(Outcome::broken(seen));
        }
        if self.versions.contains_key(&0) {
            let detail = "a race ended without any version".to_owned();
            return Err(StoreError::Unavailable { operation: "probe", detail });
        }
        Ok(Outcome::kept(format!("one winner in each of {RACES} races of {WRITERS}")))
    }
}
