//! The reaper: uploads that nobody finishes are given up, what they left is dropped, and sessions that ended are forgotten, so that
//! neither the store nor the intake bucket grows for ever.
//!
//! Walks sessions, never a store's list of multiparts (MinIO's takes an exact key only). Each step may stop anywhere and is done again
//! by the next walk:
//!
//! 1. **Give up**: the session becomes lost, if nothing changed it since it was read. A dock that comes back is told so and begins
//!    anew by itself.
//! 2. **Clear**: stated as a fact first; then the store's multipart upload, the tails and the outboard go, and the session says so.
//! 3. **Forget**: long after an upload ended, its claim and its session go. The same declaration again is answered by the manifest.

use std::{sync::Arc, time::Duration};

use custos_domain::{
    calendar,
    fact::{Act, Fact, Subject},
    keys,
};
use custos_platform::vault::{StoreError, versions::ListedKey};
use jiff::{Timestamp, ToSpan, civil::Date};
use tokio::sync::Mutex;

use crate::{
    Ingest,
    error::IngestError,
    landed::Landed,
    metrics,
    progress::multipart,
    reconcile,
    session::{Held, Session, Stage},
};

/// Pages of sessions in one round; the next goes on there.
const PAGES: usize = 200;
/// A lost upload is left alone for this long: a Complete of another replica may still be on its way.
const LINGER: Duration = Duration::from_hours(1);

/// When what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// An upload is given up when nothing has come for it for this long.
    pub abandon_after: Duration,
    /// A session is forgotten this long after its upload ended.
    pub forget_after: Duration,
}

/// Walks the sessions of all days, the newest first. Takes no input and may run at any time, also twice at once.
#[derive(Debug)]
pub struct Reaper {
    terms: Terms,
    place: Mutex<Option<Place>>,
}

impl Reaper {
    /// A reaper that begins with today.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self { terms, place: Mutex::default() }
    }

    /// One round: goes on where the last one stopped.
    pub async fn round(&self, ingest: &Arc<Ingest>) -> Result<(), IngestError> {
        let mut place = self.place.lock().await;
        for _ in 0..PAGES {
            if place.is_none() {
                *place = Place::newest(ingest).await?;
            }
            let Some(here) = place.clone() else { break };
            let (intake, day) = (&ingest.vault.buckets().intake, keys::sessions_of_day(here.day));
            let (listed, next) = ingest.vault.keys_with_times(intake, &day, here.token.clone()).await?;
            for session in &listed {
                // One bad session must not stop the round for the others.
                if let Err(error) = self.look(ingest, session).await {
                    tracing::warn!(key = session.key, error = %error, "could not reap a session; next round");
                }
            }
            *place = here.next(next);
            if place.is_none() {
                metrics::round_ended("reaper", ingest.clock.now());
                break;
            }
        }
        Ok(())
    }

    async fn look(&self, ingest: &Arc<Ingest>, listed: &ListedKey) -> Result<(), IngestError> {
        let Some(touched) = listed.modified else { return Ok(()) };
        let idle = Duration::try_from(ingest.clock.now().duration_since(touched)).unwrap_or_default();
        if idle < self.terms.linger() {
            return Ok(());
        }
        let Some(held) = ingest.sessions.load_key(&listed.key).await?.filter(|held| held.is_listed(listed)) else {
            return Ok(());
        };
        match decide(&held.session, idle, self.terms) {
            Step::Keep => Ok(()),
            Step::Abandon => abandon(ingest, &held, touched, idle).await,
            Step::Clear => clear(ingest, &held, touched).await,
            Step::Forget => forget(ingest, &held.session).await,
        }
    }
}

impl Terms {
    fn linger(self) -> Duration {
        LINGER.min(self.abandon_after)
    }
}

/// Where the walk stands.
#[derive(Debug, Clone)]
struct Place {
    day: Date,
    oldest: Date,
    token: Option<String>,
}

impl Place {
    /// Today; none when there are no sessions at all.
    async fn newest(ingest: &Ingest) -> Result<Option<Self>, StoreError> {
        // Keys come in order of their days: the first is the oldest.
        let (first, _) = ingest.vault.keys(&ingest.vault.buckets().intake, keys::SESSIONS, None).await?;
        let Some(oldest) = first.iter().find_map(|key| keys::day_of_session(key)) else { return Ok(None) };
        let today = calendar::day(ingest.clock.now());
        Ok(Some(Self { day: today.max(oldest), oldest, token: None }))
    }

    /// The next page of the day, or the day before; none behind the oldest.
    fn next(self, token: Option<String>) -> Option<Self> {
        if token.is_some() {
            return Some(Self { token, ..self });
        }
        let day = self.day.checked_sub(1.day()).ok().filter(|day| *day >= self.oldest)?;
        Some(Self { day, token, ..self })
    }
}

/// What is to become of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Keep,
    Abandon,
    Clear,
    Forget,
}

/// Decides by what the session says and how long nothing has changed it. Pure.
fn decide(session: &Session, idle: Duration, terms: Terms) -> Step {
    match &session.stage {
        Stage::Declared | Stage::Receiving if idle >= terms.abandon_after => Step::Abandon,
        Stage::Lost { .. } if !session.cleared && idle >= terms.linger() => Step::Clear,
        Stage::Lost { .. } if session.cleared && idle >= terms.forget_after => Step::Forget,
        Stage::Committed { .. } if idle >= terms.forget_after => Step::Forget,
        _ => Step::Keep,
    }
}

async fn abandon(ingest: &Arc<Ingest>, held: &Held, touched: Timestamp, idle: Duration) -> Result<(), IngestError> {
    let session = &held.session;
    if session.stage == Stage::Receiving && reconcile::whole(ingest, session).await? {
        // Nothing is missing but the commit: whatever kept it, these bytes are not to be dropped.
        ingest.commits.commit(ingest, session.clone(), Landed::default()).await?;
        metrics::reaped("finished");
        return Ok(());
    }
    let stage = Stage::Lost { reason: format!("nothing came for it for {}", in_words(idle)) };
    let given_up = Session { stage, touched: Some(touched), ..session.clone() };
    let held = match ingest.sessions.replace(held, given_up).await {
        // Somebody came at the last moment.
        Err(StoreError::Precondition { .. }) => return Ok(()),
        other => other?,
    };
    ingest.quotas.settle(&session.upload);
    metrics::reaped("abandoned");
    clear(ingest, &held, touched).await
}

/// Drops what a lost upload left in the store, with a record.
async fn clear(ingest: &Ingest, held: &Held, touched: Timestamp) -> Result<(), IngestError> {
    let session = &held.session;
    let Stage::Lost { reason } = &session.stage else { return Ok(()) };
    tracing::info!(upload = %session.upload, reason, "dropping what is left of an upload that became no item");
    ingest.state(record(ingest, session, session.touched.unwrap_or(touched), reason)).await?;
    if let Some(upload_id) = &session.multipart {
        ingest.vault.abort(multipart(&ingest.vault, session, upload_id)).await?;
    }
    ingest.drop_leftovers(&session.upload).await?;
    metrics::reaped("cleared");
    match ingest.sessions.replace(held, Session { cleared: true, ..session.clone() }).await {
        // Somebody asked for it meanwhile; the next walk finds nothing left to drop and says so again.
        Err(StoreError::Precondition { .. }) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

fn record(ingest: &Ingest, session: &Session, touched: Timestamp, reason: &str) -> Fact {
    let act = Act::UploadAbandoned {
        device: session.basis.item().device,
        file_name: session.basis.file_name().to_owned(),
        length: session.length(),
        touched,
        reason: reason.to_owned(),
    };
    let fact = ingest.fact(session.tenant().clone(), Subject::Upload { upload: session.upload.clone() }, act, "");
    Fact { unit: Some(session.basis.origin().unit.clone()), trace: session.trace.clone(), ..fact }
}

async fn forget(ingest: &Ingest, session: &Session) -> Result<(), IngestError> {
    if let Stage::Committed { manifest, .. } = &session.stage
        && ingest.vault.first_version(&manifest.bucket, &manifest.key).await?.is_none()
    {
        // Without it nothing would answer the same declaration.
        tracing::error!(upload = %session.upload, key = manifest.key, "a receipted manifest is gone; keeping its session");
        return Ok(());
    }
    ingest.drop_leftovers(&session.upload).await?;
    ingest.sessions.forget(session).await?;
    metrics::reaped("forgotten");
    Ok(())
}

fn in_words(idle: Duration) -> String {
    match idle.as_secs() {
        seconds @ ..172_800 => format!("{seconds} seconds"),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
