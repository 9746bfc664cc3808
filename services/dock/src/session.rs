//! What all work of one docking shares.

use std::{path::PathBuf, sync::Arc, time::Duration};

use custos_domain::{declaration::ClockOffset, ids::DockingId};
use tokio::time::Instant;

use crate::{
    bandwidth::Throttle,
    client::Ingest,
    clock::Clock,
    halt::Halt,
    identity::Credentials,
    journal::{Entry, FileKey, Journal, JournalError, Stage},
    plan::Job,
    read::Source,
    single::Single,
    slots::Slots,
    trust::Trust,
};

/// One docking under way.
#[derive(Debug, Clone)]
pub struct Session {
    /// The docking.
    pub docking: DockingId,
    /// The recorder's folder, without symbolic links in its path.
    pub root: PathBuf,
    /// How to reach ingest.
    pub ingest: Ingest,
    /// Who this station is.
    pub credentials: Arc<Credentials>,
    /// Whose signatures count.
    pub trust: Arc<Trust>,
    /// What was done before.
    pub journal: Journal,
    /// The recorder's clock against ours, when it was measured.
    pub offset: Option<ClockOffset>,
    /// How long to go on without progress.
    pub patience: Duration,
    /// The station's clock.
    pub now: Clock,
    /// Ends this docking early.
    pub halt: Halt,
    /// How many files are read or sent at once, over all dockings of this process.
    pub slots: Slots,
    /// How fast, over all dockings of this process; none is as fast as it goes.
    pub throttle: Option<Arc<Throttle>>,
    /// When the first ordinary file may begin; key files never wait.
    pub begin: Instant,
    /// Never two uploads of the same bytes at once.
    pub single: Single,
}

impl Session {
    /// The file of a job.
    #[must_use]
    pub fn source(&self, job: &Job) -> Source {
        Source { path: self.root.join(&job.found.relative), snapshot: job.found.snapshot }
    }

    /// The journal's entry for a file as it stands now.
    #[must_use]
    pub fn entry(&self, key: &FileKey, probe: &str, stage: Stage) -> Entry {
        Entry {
            device: key.device.clone(),
            name: key.name.clone(),
            length: key.snapshot.length,
            probe: probe.to_owned(),
            docking: self.docking.clone(),
            changed_at: (self.now)(),
            stage,
            trouble: None,
        }
    }

    /// Remembers how far a file came. A full disk must not keep footage on a recorder, so a failing journal is only said.
    pub async fn remember(&self, key: &FileKey, probe: &str, stage: Stage) {
        forgiven(self.journal.put(key, self.entry(key, probe, stage)).await);
    }
}

/// What the journal answered; nothing where it failed, which it says itself, once.
pub fn forgiven<T: Default>(outcome: Result<T, JournalError>) -> T {
    outcome.unwrap_or_else(|error| {
        tracing::debug!(%error, "going on without the journal");
        T::default()
    })
}

impl Job {
    /// The journal's key of this file.
    #[must_use]
    pub fn key(&self) -> FileKey {
        FileKey { device: self.device.clone(), name: self.name.clone(), snapshot: self.found.snapshot }
    }
}
