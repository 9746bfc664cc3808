//! What a crash left half done is finished: uploads whose bytes are all there get their manifest, without the dock.
//!
//! Walks sessions, never the store's list of multiparts: that is not to be trusted (MinIO takes an exact key only).

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use custos_domain::{calendar, ids::UploadId, keys};
use jiff::ToSpan;
use tokio::sync::Mutex;

use crate::{
    Ingest,
    error::IngestError,
    landed::Landed,
    metrics,
    progress::{self, Progress},
    session::{Session, Stage},
};

/// Days of sessions looked at in every round, today included.
const RECENT: i64 = 3;
/// Days for which an upload may rest; one of the older ones is looked at in each round, all in turn.
const RESTS: i64 = 90;

/// Finishes half-finished commits. Takes no input and may run at any time, also twice at once.
#[derive(Debug, Default)]
pub struct Reconciler {
    /// Sessions that need no further look: committed or lost.
    ended: Mutex<HashSet<UploadId>>,
    rounds: AtomicI64,
}

impl Reconciler {
    /// One round. Answers how many commits it finished.
    pub async fn round(&self, ingest: &Arc<Ingest>) -> Result<usize, IngestError> {
        let today = calendar::day(ingest.clock.now());
        let mut ended = self.ended.lock().await;
        let (mut seen, mut finished) = (HashSet::new(), 0);
        let older = RECENT + self.rounds.fetch_add(1, Ordering::Relaxed) % (RESTS - RECENT);
        for days in (0..RECENT).chain([older]) {
            let day = today.checked_sub(days.days()).unwrap_or(today);
            let mut after = None;
            loop {
                let bucket = &ingest.vault.buckets().intake;
                let (found, next) = ingest.vault.keys(bucket, &keys::sessions_of_day(day), after).await?;
                for key in found {
                    let Some(upload) = keys::upload_of(&key) else { continue };
                    if !ended.contains(&upload) {
                        match look_at(ingest, &key).await {
                            Ok(Found::UnderWay) => continue,
                            Ok(Found::Finished) => finished += 1,
                            Ok(Found::Ended) => {}
                            // One bad session must not stop the round for the others.
                            Err(error) => {
                                tracing::warn!(key, error = %error, "could not look at a session; next round");
                                continue;
                            }
                        }
                    }
                    seen.insert(upload);
                }
                if next.is_none() {
                    break;
                }
                after = next;
            }
        }
        *ended = seen;
        let now = ingest.clock.now();
        let age = ingest.quotas.oldest().map(|begun| now.duration_since(begun));
        metrics::oldest_unfinished(age.and_then(|age| age.try_into().ok()).unwrap_or_default());
        metrics::round_ended("sessions", now);
        Ok(finished)
    }
}

enum Found {
    UnderWay,
    Finished,
    Ended,
}

async fn look_at(ingest: &Arc<Ingest>, key: &str) -> Result<Found, IngestError> {
    let Some(held) = ingest.sessions.load_key(key).await? else { return Ok(Found::Ended) };
    match &held.session.stage {
        Stage::Committed { .. } | Stage::Lost { .. } => {
            ingest.quotas.settle(&held.session.upload);
            return Ok(Found::Ended);
        }
        Stage::Declared | Stage::Receiving => ingest.quotas.learn(&held.session),
    }
    match &held.session.stage {
        Stage::Receiving if whole(ingest, &held.session).await? => {
            let deposit = ingest.commits.commit(ingest, held.session.clone(), Landed::default()).await?;
            tracing::info!(item = %deposit.manifest.code, "finished a deposit that a crash had cut short");
            metrics::reconciled("commit");
            Ok(Found::Finished)
        }
        _ => Ok(Found::UnderWay),
    }
}

/// Whether the store has all bytes of a session, as parts or as the original.
pub(crate) async fn whole(ingest: &Ingest, session: &Session) -> Result<bool, IngestError> {
    let expected = match ingest.expected(session).await {
        Ok(expected) => expected,
        Err(IngestError::OutboardRequired) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(match progress::of(&ingest.vault, session, &expected).await? {
        Progress::Stored(_) => true,
        Progress::Receiving(received) => received.contiguous == expected.parts(),
        Progress::Lost => false,
    })
}
