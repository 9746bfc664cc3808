//! The daemon: docks every recorder that appears at a place it looks at, and again when something on it changes.
//!
//! It polls. Mounts come from udev units, udisks or by hand, and a network of notifications would have to be doubted and
//! checked by polling anyway.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    dock::{Dock, DockError, Order},
    progress::View,
    report::Report,
    scan::{self, FolderError, Found},
    trouble::Trouble,
};

/// First pause before a recorder is docked again because ingest or a permit was not ready; doubles each time.
const FIRST_AGAIN: Duration = Duration::from_secs(30);
/// Longest such pause.
const LAST_AGAIN: Duration = Duration::from_hours(1);

/// Where recorders appear.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// A folder below which each recorder is mounted in a folder of its own.
    pub mounts: Option<PathBuf>,
    /// Folders that are one recorder's mount point each; one that is missing or empty has no recorder.
    pub recorders: Vec<PathBuf>,
}

/// What is known of one folder where recorders appear.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// Appeared or changed; docked once it looks the same twice, for mounting and copying take a moment.
    Settling(Vec<Found>),
    /// A docking is under way, after so many that left something to try again.
    Docking { tries: u32 },
    /// Docked; what it then held, and when to try again if something was not ready.
    Docked { files: Vec<Found>, again: Option<Instant>, tries: u32 },
}

/// One finished docking: folder, what it held when the docking began, outcome.
type Ended = (PathBuf, Vec<Found>, Result<Report, DockError>);

/// Who is told what happens.
pub struct Tell<'a> {
    /// A docking ended.
    pub ended: &'a dyn Fn(&Path, &Result<Report, DockError>),
    /// Every place was looked at once more, and so many dockings are under way: the daemon is alive.
    pub looked: &'a dyn Fn(usize),
}

/// Runs until `stop`; then every docking under way is closed with what is left.
pub async fn watch(
    dock: Arc<Dock>,
    places: &Places,
    poll: Duration,
    order: Order,
    view: View,
    stop: &CancellationToken,
    tell: Tell<'_>,
) -> Result<(), DockError> {
    if let Some(mounts) = &places.mounts {
        mounts.read_dir().map_err(|source| FolderError::Unreadable { path: mounts.clone(), source })?;
    }
    let mut watched = Watched { dock, order, view, stop: stop.clone(), known: HashMap::new(), running: JoinSet::new() };
    let mut ticks = interval(poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {
                watched.look(places).await?;
                (tell.looked)(watched.running.len());
            }
            Some(ended) = watched.running.join_next() => watched.ended(ended?, &tell),
        }
    }
    tracing::info!(dockings = watched.running.len(), "stopping: closing what is under way");
    while let Some(ended) = watched.running.join_next().await {
        watched.ended(ended?, &tell);
    }
    Ok(())
}

struct Watched {
    dock: Arc<Dock>,
    order: Order,
    view: View,
    stop: CancellationToken,
    known: HashMap<PathBuf, Known>,
    running: JoinSet<Ended>,
}

impl Watched {
    async fn look(&mut self, places: &Places) -> Result<(), DockError> {
        let places = places.clone();
        let docking = |(path, known): (&PathBuf, &Known)| matches!(known, Known::Docking { .. }).then(|| path.clone());
        let busy: HashSet<PathBuf> = self.known.iter().filter_map(docking).collect();
        let seen: HashMap<PathBuf, Vec<Found>> = tokio::task::spawn_blocking(move || recorders(&places, &busy)).await?;
        // An unplugged recorder is forgotten: plugged in again, it is a new docking.
        self.known.retain(|path, known| matches!(known, Known::Docking { .. }) || seen.contains_key(path));
        for (path, files) in seen {
            let (known, dock) = decide(self.known.remove(&path), files, Instant::now());
            self.known.insert(path.clone(), known);
            if let Some(files) = dock {
                self.begin(path, files);
            }
        }
        Ok(())
    }

    fn begin(&mut self, path: PathBuf, files: Vec<Found>) {
        tracing::info!(folder = ?path, files = files.len(), "docking");
        let (dock, order, view, stop) = (self.dock.clone(), self.order.clone(), self.view.clone(), self.stop.clone());
        self.running.spawn(async move {
            let outcome = dock.dock(&path, &order, &view, &stop).await;
            (path, files, outcome)
        });
    }

    fn ended(&mut self, (path, files, outcome): Ended, tell: &Tell<'_>) {
        (tell.ended)(&path, &outcome);
        let tries = match self.known.remove(&path) {
            Some(Known::Docking { tries }) => tries,
            _ => 0,
        };
        if let Some(known) = after(tries, files, &outcome, Instant::now(), rand::random()) {
            self.known.insert(path, known);
        }
    }
}

/// What to remember of a folder that holds `seen`, and what to dock now.
fn decide(known: Option<Known>, seen: Vec<Found>, now: Instant) -> (Known, Option<Vec<Found>>) {
    match known {
        Some(Known::Settling(before)) if before == seen => (Known::Docking { tries: 0 }, Some(seen)),
        Some(Known::Docked { files, again: Some(again), tries }) if files == seen && again <= now => {
            (Known::Docking { tries }, Some(seen))
        }
        Some(Known::Docked { files, again, tries }) if files == seen => (Known::Docked { files, again, tries }, None),
        Some(docking @ Known::Docking { .. }) => (docking, None),
        _ => (Known::Settling(seen), None),
    }
}

/// What to remember after a docking that began with `files`; nothing, where the recorder was unplugged. The next try comes
/// later and later, not before ingest wants it, and spread by `jitter` (0 to 1) over half as long again: what stopped one
/// recorder stopped all others at the same moment.
fn after(
    tries: u32,
    files: Vec<Found>,
    outcome: &Result<Report, DockError>,
    now: Instant,
    jitter: f64,
) -> Option<Known> {
    let asked = match outcome {
        Err(DockError::Opening(Trouble::Busy { after: Some(after), .. })) => (*after).min(LAST_AGAIN),
        _ => Duration::ZERO,
    };
    let pause = FIRST_AGAIN.saturating_mul(1 << tries.min(10)).min(LAST_AGAIN).max(asked);
    let later = now + pause + (pause / 2).mul_f64(jitter.clamp(0.0, 1.0));
    match outcome {
        Ok(report) if report.unplugged() => None,
        Ok(report) => {
            let again = report.worth_trying_again().then_some(later);
            Some(Known::Docked { files: report.remaining.clone(), again, tries: tries + 1 })
        }
        Err(DockError::Folder(_)) => None,
        // A certificate may be renewed and ingest may come back while this runs.
        Err(_) => Some(Known::Docked { files, again: Some(later), tries: tries + 1 }),
    }
}

/// Every folder that holds anything, with its files; those in `busy` are left alone. Blocking.
fn recorders(places: &Places, busy: &HashSet<PathBuf>) -> HashMap<PathBuf, Vec<Found>> {
    let listed = places.recorders.iter().filter(|path| path.is_dir()).cloned();
    let candidates = listed.chain(places.mounts.iter().flat_map(|mounts| below(mounts)));
    let candidates: HashSet<PathBuf> = candidates.filter(|path| !busy.contains(path)).collect();
    candidates
        .into_iter()
        .filter_map(|path| Some((files_of(&path)?, path)))
        .map(|(files, path)| (path, files))
        .collect()
}

fn below(mounts: &Path) -> Vec<PathBuf> {
    let entries = match mounts.read_dir() {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(folder = ?mounts, %error, "cannot list the folder of mounts");
            return Vec::new();
        }
    };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let visible = folders.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    visible.map(|entry| entry.path()).collect()
}

fn files_of(folder: &Path) -> Option<Vec<Found>> {
    match scan::scan(folder) {
        Ok(scan) => Some(scan.files),
        // A mount point waiting for its recorder.
        Err(FolderError::Empty(_)) => None,
        Err(error) => {
            tracing::warn!(%error, "a folder cannot be docked");
            None
        }
    }
}

#[cfg(test)]
mod tests;
