//! Telling ingest how a docking ended, also when the station itself was cut off in the middle of it.

use std::{collections::HashMap, future::Future, time::Duration};

use custos_domain::ids::DeviceId;
use tokio::time::{Instant, sleep};

use crate::{
    client::Closing,
    dock::Dock,
    journal::{Begun, Entry, Stage},
    report::{Report, left_file},
    retry::pause,
    session::{Session, forgiven},
    trouble::Trouble,
};

/// Longest wait for ingest at the end; the journal remembers what could not be told.
const CLOSING: Duration = Duration::from_secs(15);

/// Tells ingest how the docking of `report` ended.
pub(crate) async fn close(dock: &Dock, session: &Session, device: &DeviceId, report: &mut Report) {
    let closing = Closing {
        device: device.clone(),
        deposited: report.deposited(),
        arrived: report.arrived(),
        left: report.left(),
        erased: report.erased(),
    };
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
    let of_name: HashMap<&str, &Entry> = mine().map(|entry| (entry.name.as_str(), entry)).collect();
    let of_name = |name: &String| of_name.get(name.as_str()).copied();
    let came = |name: &&String| of_name(name).is_some_and(|entry| entry.stage.receipted().is_some());
    let arrived = begun.files.iter().filter(came).cloned().collect();
    let left = begun.files.iter().filter(|name| !came(name)).map(|name| {
        let entry = of_name(name);
        let reason = entry.and_then(|entry| entry.trouble.as_deref());
        left_file(name, reason.unwrap_or("the station stopped in the middle of the docking"))
    });
    let erased = mine().filter(|entry| matches!(entry.stage, Stage::Erased { .. })).count();
    let erased = u32::try_from(erased).unwrap_or(u32::MAX);
    Closing { device: begun.device.clone(), deposited, arrived, left: left.collect(), erased }
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
        let pause = pause(troubles, &trouble, rand::random());
        if begin.elapsed() + pause >= patience {
            return Err(trouble);
        }
        tracing::warn!(%trouble, ?pause, "trying again");
        sleep(pause).await;
        troubles += 1;
    }
}

#[cfg(test)]
mod tests {
    use custos_domain::ids::DockingId;
    use jiff::Timestamp;

    use super::*;

    fn entry(docking: &str, name: &str, trouble: Option<&str>) -> Entry {
        Entry {
            device: DeviceId::parse("DSJ00012").expect("device"),
            name: name.to_owned(),
            length: 1,
            probe: String::new(),
            docking: DockingId::parse(docking).expect("docking"),
            changed_at: Timestamp::UNIX_EPOCH,
            stage: Stage::Seen,
            trouble: trouble.map(str::to_owned),
        }
    }

    #[test]
    fn a_docking_that_was_cut_off_is_told_from_the_journal() {
        let begun = Begun {
            docking: DockingId::parse("01-a").expect("docking"),
            device: DeviceId::parse("DSJ00012").expect("device"),
            at: Timestamp::UNIX_EPOCH,
            clock: None,
            files: ["a.mp4", "b.mp4", "c.mp4"].map(str::to_owned).to_vec(),
        };
        let entries = [
            entry("01-a", "a.mp4", Some("MiB 3 reads differently each time")),
            entry("01-b", "b.mp4", Some("of another")),
        ];
        let closing = from_journal(&begun, &entries);
        let reasons: Vec<_> = closing.left.iter().map(|left| (left.name.as_str(), left.reason.as_str())).collect();
        let stopped = "the station stopped in the middle of the docking";
        let expected = [("a.mp4", "MiB 3 reads differently each time"), ("b.mp4", stopped), ("c.mp4", stopped)];
        assert_eq!((reasons.as_slice(), closing.deposited.len(), closing.erased), (expected.as_slice(), 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_until_patience_ends_and_a_refusal_is_not() {
        let (begin, mut tries) = (Instant::now(), 0);
        let unreachable = persist::<(), _>(Duration::from_secs(15), || {
            tries += 1;
            async { Err(Trouble::Unreachable("cut".into())) }
        });
        assert!(unreachable.await.is_err());
        assert!(tries > 3 && begin.elapsed() < Duration::from_secs(15), "{tries} in {:?}", begin.elapsed());

        let mut tries = 0;
        let refused = persist::<(), _>(Duration::from_secs(15), || {
            tries += 1;
            async { Err(Trouble::Refused("no".into())) }
        });
        assert!(refused.await.is_err());
        assert_eq!(tries, 1);
    }
}
