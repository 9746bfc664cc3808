//! Telling ingest how a docking ended, also when the station itself was cut off in the middle of it.

use std::{future::Future, time::Duration};

use custos_domain::ids::DeviceId;
use tokio::time::{Instant, sleep};

use crate::{
    client::Closing,
    dock::Dock,
    journal::{Begun, Entry, Stage},
    report::{Report, left_file},
    retry::backoff,
    session::{Session, forgiven},
    trouble::Trouble,
};

/// Longest wait for ingest at the end; the journal remembers what could not be told.
const CLOSING: Duration = Duration::from_secs(15);

/// Tells ingest how the docking of `report` ended.
pub(crate) async fn close(dock: &Dock, session: &Session, device: &DeviceId, report: &mut Report) {
    let closing =
        Closing { device: device.clone(), deposited: report.deposited(), left: report.left(), erased: report.erased() };
    match persist(session.patience.min(CLOSING), || session.ingest.close_docking(&session.docking, &closing)).await {
        Ok(()) => forgiven(session.journal.docking_closed(&session.docking).await),
        Err(trouble) => {
            report
                .remarks
                .push(format!("ingest was not told how this docking ended ({trouble}); it will be at the next one"));
            let open = forgiven(session.journal.dockings_open().await);
            let own = open.into_iter().filter(|begun| begun.docking == session.docking);
            dock.cut.lock().await.extend(own);
        }
    }
}

/// Tells ingest how dockings ended that this station could not close when they did: a power cut, or ingest out of reach.
pub(crate) async fn close_cut(dock: &Dock, session: &Session) {
    let mut cut = dock.cut.lock().await;
    if cut.is_empty() {
        return;
    }
    let entries = forgiven(session.journal.entries().await);
    let mut still = Vec::new();
    for begun in cut.drain(..) {
        match session.ingest.close_docking(&begun.docking, &from_journal(&begun, &entries)).await {
            Ok(()) => forgiven(session.journal.docking_closed(&begun.docking).await),
            Err(trouble) if trouble.is_passing() => still.push(begun),
            Err(trouble) => {
                tracing::warn!(docking = %begun.docking, %trouble, "a docking that was cut off cannot be closed");
                forgiven(session.journal.docking_closed(&begun.docking).await);
            }
        }
    }
    *cut = still;
}

/// How a docking ended, by what the journal knows of its files.
fn from_journal(begun: &Begun, entries: &[Entry]) -> Closing {
    let mine = || entries.iter().filter(|entry| entry.docking == begun.docking);
    let mut deposited: Vec<_> = mine().filter_map(|entry| entry.stage.code()).collect();
    deposited.sort();
    deposited.dedup();
    let left = begun.files.iter().filter_map(|name| {
        let entry = mine().find(|entry| entry.name == *name);
        if entry.is_some_and(|entry| entry.stage.receipted().is_some()) {
            return None;
        }
        let reason = entry.and_then(|entry| entry.trouble.as_deref());
        Some(left_file(name, reason.unwrap_or("the station stopped in the middle of the docking")))
    });
    let erased = mine().filter(|entry| matches!(entry.stage, Stage::Erased { .. })).count();
    let erased = u32::try_from(erased).unwrap_or(u32::MAX);
    Closing { device: begun.device.clone(), deposited, left: left.collect(), erased }
}

/// Tries until it works, fails for good, or `patience` is over.
pub(crate) async fn persist<T, F>(patience: Duration, mut attempt: impl FnMut() -> F) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, Trouble>>,
{
    let begin = Instant::now();
    let mut troubles = 0;
    loop {
        let trouble = match attempt().await {
            Err(trouble) if trouble.is_passing() => trouble,
            other => return other,
        };
        let asked = match &trouble {
            Trouble::Busy { after: Some(after), .. } => *after,
            _ => Duration::ZERO,
        };
        let pause = backoff(troubles, rand::random()).max(asked);
        if begin.elapsed() + pause >= patience {
            return Err(trouble);
        }
        tracing::warn!(%trouble, ?pause, "trying again");
        sleep(pause).await;
        troubles += 1;
    }
}
