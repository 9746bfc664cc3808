//! What an upload's session rests on: create-only and compare-and-set, tried where sessions lie, in the unlocked intake bucket.

use bytes::Bytes;
use futures::future::join_all;

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::vault::StoreError;

const RACES: usize = 4;
const WRITERS: usize = 6;
const ANOTHER_STORE: &str = "use a store that honours If-Match and If-None-Match on PutObject";

pub(super) const CHECKS: [Check; 4] = [
    Check {
        id: "sessions.create-only",
        tried: "PutObject with If-None-Match over an existing key: refused",
        weight: Weight::Mandatory,
        why: "a second docking of the same file must meet the first one's session",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(create_only(scratch)),
    },
    Check {
        id: "sessions.create-race",
        tried: "several writers at once, PutObject with If-None-Match: one wins",
        weight: Weight::Mandatory,
        why: "the same recording may come from two docks at once",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(create_race(scratch)),
    },
    Check {
        id: "sessions.compare-and-set",
        tried: "PutObject with the ETag of an older state: refused, and the newer state stays",
        weight: Weight::Mandatory,
        why: "INV-8: the newest request of an upload wins, on whichever replica",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(compare_and_set(scratch)),
    },
    Check {
        id: "sessions.compare-and-set-race",
        tried: "several writers at once with the same ETag: one wins, and its state stays",
        weight: Weight::Mandatory,
        why: "INV-8: two replicas may change one session at the same moment",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(compare_and_set_race(scratch)),
    },
];

async fn create_only(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.intake_key("create");
    let (vault, bucket) = (&scratch.vault, &scratch.vault.buckets().intake);
    vault.create(bucket, &key, Bytes::from_static(b"first")).await?;
    let second = vault.create(bucket, &key, Bytes::from_static(b"second")).await;
    let outcome = refused(second);
    vault.discard_intake(&key).await?;
    outcome
}

async fn create_race(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (vault, bucket) = (&scratch.vault, &scratch.vault.buckets().intake);
    let mut winners = Vec::new();
    for race in 0..RACES {
        let key = scratch.intake_key(&format!("create-race-{race}"));
        let writers = (0..WRITERS).map(|writer| vault.create(bucket, &key, Bytes::from(format!("writer {writer}"))));
        winners.push(join_all(writers).await.iter().filter(|answer| answer.is_ok()).count());
        vault.discard_intake(&key).await?;
    }
    judge(&winners)
}

async fn compare_and_set(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.intake_key("compare");
    let (vault, bucket) = (&scratch.vault, &scratch.vault.buckets().intake);
    let old = vault.create(bucket, &key, Bytes::from_static(b"first")).await?;
    vault.replace(bucket, &key, Bytes::from_static(b"second"), &old).await?;
    let late = vault.replace(bucket, &key, Bytes::from_static(b"third"), &old).await;
    let stands = vault.read_latest(bucket, &key).await?;
    vault.discard_intake(&key).await?;
    match stands {
        Some(document) if document.bytes.as_ref() == b"second" => refused(late),
        _ => Ok(Outcome::broken("the newer state was replaced by a writer who had seen only the older one")),
    }
}

async fn compare_and_set_race(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.intake_key("compare-race");
    let (vault, bucket) = (&scratch.vault, &scratch.vault.buckets().intake);
    let mut etag = vault.create(bucket, &key, Bytes::from_static(b"first")).await?;
    let mut winners = Vec::new();
    for race in 0..RACES {
        let state = |writer: usize| Bytes::from(format!("race {race}, writer {writer}"));
        let answers = join_all((0..WRITERS).map(|writer| vault.replace(bucket, &key, state(writer), &etag))).await;
        let won: Vec<usize> = (0..WRITERS).filter(|writer| answers[*writer].is_ok()).collect();
        let Some(stands) = vault.read_latest(bucket, &key).await? else {
            return Ok(Outcome::broken("the object is gone"));
        };
        if let [winner] = won.as_slice()
            && stands.bytes != state(*winner)
        {
            return Ok(Outcome::broken("one writer was told yes, and another one's state stands"));
        }
        winners.push(won.len());
        etag = stands.etag;
    }
    vault.discard_intake(&key).await?;
    judge(&winners)
}

fn refused(second: Result<String, StoreError>) -> Result<Outcome, StoreError> {
    match second {
        Err(StoreError::Precondition { .. }) => Ok(Outcome::kept("refused")),
        Err(error) if !error.is_permanent() => Err(error),
        Err(error) => Ok(Outcome::broken(format!("refused in an unknown way: {error}"))),
        Ok(_) => Ok(Outcome::broken("accepted")),
    }
}

fn judge(winners: &[usize]) -> Result<Outcome, StoreError> {
    if let Some(most) = winners.iter().max().filter(|most| **most > 1) {
        return Ok(Outcome::broken(format!("{most} of {WRITERS} writers were told yes in one race")));
    }
    if winners.contains(&0) {
        let detail = "a race ended without anybody being told yes".to_owned();
        return Err(StoreError::Unavailable { operation: "probe", detail });
    }
    Ok(Outcome::kept(format!("one winner in each of {RACES} races of {WRITERS}")))
}
