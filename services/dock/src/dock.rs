//! A station: what it is set up with, what it remembers, and the one thing it does, docking a recorder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use custos_domain::{
    declaration::ClockOffset,
    ids::IdError,
    recorder::{RuleError, Rules},
};
use jiff::tz::TimeZone;
use reqwest::Url;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    adapter::Adapters,
    bandwidth::{Rate, Throttle},
    client::Ingest,
    clock::Clock,
    docking,
    exit::Exit,
    identity::{CredentialError, CredentialFiles, Credentials},
    journal::{Begun, Journal, JournalError},
    plan::Told,
    progress::View,
    report::Report,
    scan::FolderError,
    session::forgiven,
    single::Single,
    slots::Slots,
    smooth::Smoothing,
    timetable::Timetable,
    trouble::Trouble,
    trust::{Trust, TrustError},
};

/// What a station is set up with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Ingest's address, `https://…`.
    pub ingest: Url,
    /// Certificate, key and the authority to accept.
    pub credentials: CredentialFiles,
    /// The trust file.
    pub trust: PathBuf,
    /// The station's own naming rules, tried before the built-in ones.
    pub rules: Option<PathBuf>,
    /// Where the journal is kept.
    pub state: PathBuf,
    /// How many files are read or sent at once, over all recorders.
    pub parallel: usize,
    /// How fast files are sent by the hour, over all recorders; none is as fast as it goes.
    pub bandwidth: Option<Timetable<Rate>>,
    /// The time zone of hours, recorders and people.
    pub zone: TimeZone,
    /// Programs that read and set a recorder's clock.
    pub adapters: Adapters,
    /// How long one file is tried without progress.
    pub patience: Duration,
    /// The station's clock.
    pub now: Clock,
}

/// What is wanted of one docking.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// What the operator says of the recorder.
    pub told: Told,
    /// The recorder's clock against the station's, measured before it was set (D-7).
    pub offset: Option<ClockOffset>,
    /// Whether and how its beginning is spread at shift end.
    pub smoothing: Option<Smoothing>,
    /// Whether to erase what is permitted, and how long to wait for permits. Without it nothing on a recorder is changed.
    pub erase: Option<Duration>,
}

/// Why a docking did not take place at all.
#[derive(Debug, thiserror::Error)]
pub enum DockError {
    /// Certificate, key or authority.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The trust file.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The station's own naming rules cannot be read.
    #[error("cannot read the naming rules in {path}")]
    RulesFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The naming rules are not rules.
    #[error("the naming rules cannot be used")]
    Rules(#[from] RuleError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The recorder's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The TLS library takes neither certificate nor authority.
    #[error("certificate, key or authority cannot be used for TLS")]
    Tls(#[source] reqwest::Error),
    /// Ingest did not take the docking.
    #[error("nothing was handed in: {0}")]
    Opening(Trouble),
    /// Called off before it began.
    #[error("stopped before anything was handed in")]
    Stopped,
    /// No docking id. Cannot happen; told all the same.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A thread of this program failed.
    #[error("this dock failed")]
    Internal(#[from] tokio::task::JoinError),
}

impl DockError {
    /// The exit code this deserves.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Opening(_) | Self::Journal(JournalError::InUse(_)) => Exit::Unavailable,
            Self::Stopped | Self::Id(_) | Self::Internal(_) => Exit::Left,
            _ => Exit::Usage,
        }
    }
}

/// A station at work. One for each state folder.
#[derive(Debug)]
pub struct Dock {
    /// What it is set up with.
    pub(crate) settings: Settings,
    /// What it remembers.
    pub(crate) journal: Journal,
    /// Dockings ingest was not told the end of.
    pub(crate) cut: Mutex<Vec<Begun>>,
    /// Limits files under way over all recorders.
    pub(crate) slots: Slots,
    /// Limits the rate over all recorders.
    pub(crate) throttle: Option<Arc<Throttle>>,
    /// Never two uploads of the same bytes.
    pub(crate) single: Single,
}

/// Who we are and whom we believe, read anew for each docking: certificates and keys are renewed while a station runs.
pub(crate) struct Standing {
    pub(crate) credentials: Credentials,
    pub(crate) trust: Trust,
    pub(crate) rules: Rules,
    pub(crate) ingest: Ingest,
}

impl Dock {
    /// Opens the journal and checks every file the settings name, so that a wrong one is told before a recorder is touched.
    pub async fn open(settings: Settings) -> Result<Self, DockError> {
        let state = settings.state.clone();
        let journal = tokio::task::spawn_blocking(move || Journal::open(&state)).await??;
        // A full disk must not keep footage on recorders: what was opened can be read, and forgetting can wait.
        forgiven(journal.prune((settings.now)()).await);
        let cut = Mutex::new(journal.dockings_open().await?);
        let slots = Slots::new(settings.parallel);
        let throttle =
            settings.bandwidth.clone().map(|table| Throttle::new(table, settings.zone.clone(), settings.now));
        let throttle = throttle.map(Arc::new);
        let dock = Self { settings, journal, cut, slots, throttle, single: Single::default() };
        dock.standing()?;
        Ok(dock)
    }

    /// Docks the recorder mounted at `folder`, until everything is handed in that can be, or `stop` is cancelled.
    pub async fn dock(
        &self,
        folder: &Path,
        order: &Order,
        view: &View,
        stop: &CancellationToken,
    ) -> Result<Report, DockError> {
        docking::dock(self, folder, order, view, stop).await
    }

    pub(crate) fn standing(&self) -> Result<Standing, DockError> {
        let settings = &self.settings;
        let credentials = Credentials::load(&settings.credentials, (settings.now)())?;
        let trust = Trust::load(&settings.trust)?;
        let mut rules = Rules::built_in()?;
        if let Some(path) = &settings.rules {
            let own =
                std::fs::read_to_string(path).map_err(|source| DockError::RulesFile { path: path.clone(), source })?;
            rules = rules.with(&own)?;
        }
        let ingest = Ingest::new(&settings.ingest, &credentials).map_err(DockError::Tls)?;
        Ok(Standing { credentials, trust, rules, ingest })
    }
}
