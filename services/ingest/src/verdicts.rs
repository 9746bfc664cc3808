//! Looking up, giving up and clearing sessions; the verdicts on uploads that become no item.

use std::time::Duration;

use bytes::Bytes;
use custos_domain::{
    fact::{Act, IncidentClass, Subject},
    ids::{FactId, UploadId},
    keys,
    manifest::StoredObject,
};
use futures::{StreamExt, TryStreamExt};

use custos_platform::vault::StoreError;

use crate::{
    Ingest,
    error::IngestError,
    expected::Expected,
    progress::{self, Progress},
    session::{Held, Session, Stage},
    station::Station,
};

/// Leftovers discarded at once.
const AT_ONCE: usize = 16;
/// Longer than MinIO takes from dropping an upload's parts to showing the object (milliseconds, tried).
const SECOND_LOOK: Duration = Duration::from_secs(3);

impl Ingest {
    /// The session of an upload, when it is this station's.
    pub(crate) async fn session_of(&self, station: &Station, upload: &UploadId) -> Result<Held, IngestError> {
        let held = self.sessions.load(upload).await?.filter(|held| station.owns(&held.session));
        held.ok_or(IngestError::Unknown)
    }

    /// The same as this process last saw it, where what is done with it notices that it is old.
    pub(crate) async fn last_seen_of(&self, station: &Station, upload: &UploadId) -> Result<Held, IngestError> {
        match self.sessions.recall().session(upload).filter(|held| station.owns(&held.session)) {
            Some(held) => Ok(held),
            // Another replica may have let this station in since.
            None => self.session_of(station, upload).await,
        }
    }

    /// An upload that neither the store's list nor its key shows may be one that is being completed this very moment, and a list may
    /// be wrong for a moment: looks again before saying so.
    pub(crate) async fn lose_for_sure(&self, session: &Session, expected: &Expected) -> IngestError {
        if self.commits.is_running(&session.upload) {
            return IngestError::Finishing;
        }
        tokio::time::sleep(SECOND_LOOK).await;
        match progress::of(&self.vault, session, expected).await {
            Ok(Progress::Lost) => self.lose(session, "the store no longer knows its bytes").await,
            Ok(Progress::Receiving(received)) if received.is_short(session) => {
                self.lose(session, "the store no longer tells of bytes it had acknowledged").await
            }
            Ok(_) => IngestError::Finishing,
            Err(error) => error.into(),
        }
    }

    /// Marks an upload as lost, aloud. A lost upload is never "complete"; the dock begins another by itself.
    pub(crate) async fn lose(&self, session: &Session, reason: &str) -> IngestError {
        tracing::error!(upload = %session.upload, reason, "upload lost; the dock will begin another");
        crate::metrics::lost();
        self.end(session, reason).await
    }

    /// Marks an upload as given up by its station.
    pub(crate) async fn give_up(&self, session: &Session) -> IngestError {
        tracing::info!(upload = %session.upload, "upload given up by its station");
        crate::metrics::given_up();
        self.end(session, "its station gave it up").await
    }

    async fn end(&self, session: &Session, reason: &str) -> IngestError {
        self.quotas.settle(&session.upload);
        let lost = Stage::Lost { reason: reason.to_owned() };
        let marked = self.sessions.update(&session.upload, |session| {
            // A commit that got through meanwhile stands.
            if !matches!(session.stage, Stage::Committed { .. }) {
                session.stage = lost.clone();
            }
        });
        match marked.await {
            Ok(_) => IngestError::Lost(reason.to_owned()),
            Err(error) => error.into(),
        }
    }

    /// The store does not hold what was sent: says so in a locked document, states it, and gives the upload up.
    pub(crate) async fn reject(
        &self,
        session: &Session,
        original: &StoredObject,
        reason: &str,
    ) -> Result<IngestError, IngestError> {
        let (cause, subject) = self.write_down(session, Some(original), reason).await?;
        let incident = Act::IncidentOpened { class: IncidentClass::StoreFault, detail: reason.to_owned() };
        let mut incident = self.fact(session.tenant().clone(), subject, incident, "store_fault");
        incident.cause = Some(cause);
        self.state(incident).await?;
        self.lose(session, reason).await;
        Ok(IngestError::Rejected(reason.to_owned()))
    }

    /// What came is not what its client announced: says so in a locked document, states it, and gives the upload up. Nothing is
    /// wrong with the store, so no incident is opened.
    pub(crate) async fn refuse(
        &self,
        session: &Session,
        original: Option<&StoredObject>,
        reason: &str,
    ) -> Result<IngestError, IngestError> {
        self.write_down(session, original, reason).await?;
        self.lose(session, reason).await;
        Ok(IngestError::Digest(reason.to_owned()))
    }

    /// Makes a rejection durable: a locked document and a fact. Answers the fact and what it is about.
    async fn write_down(
        &self,
        session: &Session,
        original: Option<&StoredObject>,
        reason: &str,
    ) -> Result<(FactId, Subject), IngestError> {
        let document =
            serde_json::json!({ "upload": session.upload, "reason": reason, "original": original, "session": session });
        let key = keys::rejected(&session.upload, session.begun);
        let until = self.floor(session.tenant(), self.trusted_now()?)?;
        let bytes = Bytes::from(document.to_string());
        self.vault.create_locked(&self.vault.buckets().originals, &key, bytes, "application/json", until).await?;
        let subject = Subject::Upload { upload: session.upload.clone() };
        let rejected = Act::DepositRejected { reason: reason.to_owned(), original: original.cloned() };
        let cause = self.state(self.fact(session.tenant().clone(), subject.clone(), rejected, "")).await?;
        crate::metrics::rejected();
        Ok((cause, subject))
    }

    /// Clears what an upload left in the intake bucket once its manifest stands. What stays behind is only litter.
    pub(crate) async fn discard_leftovers(&self, upload: &UploadId) {
        let _ = self.drop_leftovers(upload).await;
    }

    /// The same, and nothing stays behind.
    pub(crate) async fn drop_leftovers(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.vault.discard_intake(&keys::intake_outboard(upload)).await?;
        let intake = &self.vault.buckets().intake;
        for prefix in [keys::tails(upload), keys::growing(upload)] {
            // Page by page from the start: what was listed is gone then.
            loop {
                let (found, next) = self.vault.keys(intake, &prefix, None).await?;
                let discards = found.into_iter().map(|key| {
                    let vault = self.vault.clone();
                    async move { vault.discard_intake(&key).await }
                });
                futures::stream::iter(discards).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}
