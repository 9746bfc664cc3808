//! Runs commits: one at a time for each upload, and to their end whoever asked for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use custos_domain::ids::UploadId;
use tokio::sync::watch;
use tracing::Instrument;

use crate::{Ingest, commit::commit, deposit::Deposit, error::IngestError, landed::Landed, session::Session};

/// How a commit ended, for all who wait for it.
type Outcome = Option<Result<Arc<Deposit>, Arc<IngestError>>>;

/// Runs commits, one at a time for each upload, detached from the requests that asked for them.
#[derive(Debug, Default)]
pub struct Committer {
    running: Mutex<HashMap<UploadId, watch::Receiver<Outcome>>>,
}

impl Committer {
    /// Commits an upload whose bytes are all there, and waits for the end.
    ///
    /// A request that goes away does not stop it: MinIO destroys an upload whose Complete is cut (tried), so this runs as a
    /// task of the process, which drains it at shutdown.
    pub async fn commit(
        &self,
        ingest: &Arc<Ingest>,
        session: Session,
        landed: Landed,
    ) -> Result<Arc<Deposit>, IngestError> {
        let upload = session.upload.clone();
        let mut outcome = {
            let mut running = self.lock();
            if let Some(outcome) = running.get(&upload) {
                outcome.clone()
            } else {
                let (tell, outcome) = watch::channel(None);
                running.insert(upload.clone(), outcome.clone());
                let span = tracing::Span::current();
                ingest.lifecycle.track(Self::run(Arc::clone(ingest), session, landed, tell).instrument(span));
                outcome
            }
        };
        let ended = outcome.wait_for(Option::is_some).await.map(|o| o.clone());
        match ended {
            Ok(Some(Ok(deposit))) => Ok(deposit),
            Ok(Some(Err(error))) => Err(IngestError::Commit(error)),
            _ => Err(IngestError::Finishing),
        }
    }

    async fn run(ingest: Arc<Ingest>, session: Session, landed: Landed, tell: watch::Sender<Outcome>) {
        let upload = session.upload.clone();
        // Also when it panics: an upload that is marked as running for ever could never be finished.
        let running = Running { ingest: &ingest, upload: &upload };
        let result = Box::pin(commit(&ingest, session, landed)).await.map(Arc::new);
        if let Ok(deposit) = &result {
            ingest.sessions.recall().deposited(&upload, Arc::clone(deposit));
        }
        drop(running);
        if let Err(error) = &result {
            tracing::warn!(%upload, error = %error, "commit did not finish");
        }
        let _ = tell.send(Some(result.map_err(Arc::new)));
    }

    /// Whether this process is committing the upload right now.
    pub fn is_running(&self, upload: &UploadId) -> bool {
        self.lock().contains_key(upload)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, watch::Receiver<Outcome>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A commit that runs; no longer when dropped.
struct Running<'a> {
    ingest: &'a Ingest,
    upload: &'a UploadId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.ingest.commits.lock().remove(self.upload);
    }
}
