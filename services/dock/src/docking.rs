//! One docking: list, tell ingest, deposit, erase if asked to, tell ingest how it ended.

use std::{collections::HashSet, convert::Infallible, path::Path, sync::Arc, time::Duration};

use custos_domain::{
    declaration::ClockOffset,
    fact::DeviceFile,
    ids::{DeviceId, DockingId, IdError},
    recorder::{RecorderInfo, Rules},
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

use crate::{
    client::Opening,
    closing::{self, persist},
    deposit::{Deposit, deposit},
    dock::{Dock, DockError, Order, Standing},
    halt::Halt,
    journal::{Begun, Entry, FileKey, Stage},
    left::Left,
    permits,
    plan::{self, Job, Plan, Stay},
    progress::{View, Whole},
    read::{self, Source},
    report::{Line, MOST_LISTED, Outcome, Report},
    scan::{self, Found, Scan, is_gone},
    session::{Session, forgiven},
};

/// Longest wait for ingest before anything is handed in: a person stands there and wants to know. An ingest that is just being
/// replaced, and tries its store first, comes back within it.
const OPENING: Duration = Duration::from_secs(45);

/// How often it is looked whether the recorder is still there.
const LOOK: Duration = Duration::from_secs(3);
/// From here on a person is told that the recorder's clock is wrong.
const WRONG_CLOCK_MS: i64 = 30_000;
const JOURNAL_FAILS: &str = "the journal could not be written (is the station's disk full?): what was handed in is safe, but would be read again";

/// See [`Dock::dock`].
pub(crate) async fn dock(
    dock: &Dock,
    folder: &Path,
    order: &Order,
    view: &View,
    stop: &CancellationToken,
) -> Result<Report, DockError> {
    let Standing { credentials, trust, rules, ingest } = dock.standing()?;
    let (scan, mut plan) = look(folder, rules, order).await?;
    let Some(device) = plan.device.clone() else {
        return Ok(report(None, &plan, Vec::new(), scan.files));
    };
    let delay = order.smoothing.as_ref().map(|s| s.delay((dock.settings.now)(), &credentials.station, &device));
    let delay = delay.unwrap_or_default();
    let session = Session {
        docking: docking_id((dock.settings.now)())?,
        root: scan.root.clone(),
        ingest,
        credentials: Arc::new(credentials),
        trust: Arc::new(trust),
        journal: dock.journal.clone(),
        offset: measured(dock, folder, order, &mut plan).await,
        patience: dock.settings.patience,
        now: dock.settings.now,
        halt: Halt::after(stop),
        slots: dock.slots.clone(),
        throttle: dock.throttle.clone(),
        begin: Instant::now() + delay,
        single: dock.single.clone(),
    };
    closing::close_cut(dock, &session).await;
    open(&session, &device, &plan).instrument(info_span!("dock.docking.open", docking = %session.docking)).await?;
    let whole =
        view.docking(device.as_str(), plan.jobs.len(), plan.jobs.iter().map(|job| job.found.snapshot.length).sum());
    plan.remarks.iter().for_each(|remark| whole.say(&format!("please note: {remark}")));
    say_delay(&session, delay, &plan, &whole);
    let outcomes = tokio::select! {
        outcomes = deposit_all(dock, &session, &plan.jobs, &whole) => outcomes,
        never = unplugged(&session) => match never {},
    };
    let mut lines: Vec<Line> =
        plan.jobs.iter().zip(&outcomes).map(|(job, outcome)| Line::of_job(&session.docking, job, outcome)).collect();
    if let Some(wait) = order.erase {
        erase_all(&session, &plan.jobs, &outcomes, wait, &whole, &mut lines).await;
    }
    let fails = session.journal.is_failing().then(|| JOURNAL_FAILS.to_owned());
    for remark in set_clock(dock, &session, folder, &outcomes).await.into_iter().chain(fails) {
        whole.say(&format!("please note: {remark}"));
        plan.remarks.push(remark);
    }
    let remaining = remaining(scan.files, &plan.jobs, &lines);
    let mut report = report(Some(&session.docking), &plan, lines, remaining);
    closing::close(dock, &session, &device, &mut report).await;
    whole.end();
    Ok(report)
}

/// The recorder's clock against the station's: as the operator measured it, else as the adapter does, before anything sets it.
async fn measured(dock: &Dock, folder: &Path, order: &Order, plan: &mut Plan) -> Option<ClockOffset> {
    let measured = match order.offset {
        Some(offset) => Ok(Some(offset)),
        None => dock.settings.adapters.measure(folder, dock.settings.now).await,
    };
    let offset = measured.unwrap_or_else(|error| {
        plan.remarks.push(format!("the recorder's clock was not measured: {error}"));
        None
    });
    if let Some(ClockOffset { offset_ms, uncertainty_ms }) =
        offset.filter(|clock| clock.offset_ms.abs() > WRONG_CLOCK_MS)
    {
        let seconds = offset_ms / 1000;
        plan.remarks.push(format!("the recorder's clock is wrong by {seconds:+} s (measured to {uncertainty_ms} ms)"));
    }
    offset
}

/// Sets the recorder's clock, once every file of it is handed in: until then a power cut would leave files whose clock nobody
/// could measure any more. Answers what a person should know.
async fn set_clock(
    dock: &Dock,
    session: &Session,
    folder: &Path,
    outcomes: &[Result<Deposit, Left>],
) -> Option<String> {
    if dock.settings.adapters.set.is_none() || session.halt.why().is_some() {
        return None;
    }
    let why = if session.offset.is_none() {
        "it was not measured first".to_owned()
    } else if outcomes.iter().any(Result::is_err) {
        "files made by it are still to be handed in; dock again".to_owned()
    } else {
        match dock.settings.adapters.set(folder, session.now).await {
            Ok(_) => {
                tracing::info!(before = ?session.offset, "the recorder's clock was set");
                return None;
            }
            Err(error) => error.to_string(),
        }
    };
    Some(format!("the recorder's clock was not set: {why}"))
}

/// Ends the docking when the recorder goes away while nothing of it is being read: waiting for its turn, or for ingest.
async fn unplugged(session: &Session) -> Infallible {
    loop {
        sleep(LOOK).await;
        let root = session.root.clone();
        if tokio::task::spawn_blocking(move || is_gone(&root)).await.unwrap_or(false) {
            session.halt.unplugged();
            return std::future::pending().await;
        }
    }
}

fn say_delay(session: &Session, delay: Duration, plan: &Plan, whole: &Whole) {
    if !delay.is_zero() && plan.jobs.iter().any(|job| !job.key_file) {
        let begins =
            (session.now)().checked_add(SignedDuration::try_from(delay).unwrap_or_default()).map(|at| at.to_string());
        tracing::info!(?delay, "shift end: ordinary files begin later");
        let begins = begins.unwrap_or_default();
        whole.say(&format!("shift end: ordinary files begin in {} s, at {begins}; key files go now", delay.as_secs()));
    }
}

/// Lists the recorder and decides what to do.
async fn look(folder: &Path, rules: Rules, order: &Order) -> Result<(Scan, Plan), DockError> {
    let (folder, told) = (folder.to_owned(), order.told.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let scan = scan::scan(&folder)?;
        let info = own_description(&scan, &rules);
        let plan = plan::plan(&scan, &rules, &told, &info);
        Ok((scan, plan))
    });
    looking.await?
}

/// What the recorder says of itself in its top folder.
fn own_description(scan: &Scan, rules: &Rules) -> RecorderInfo {
    let own =
        |found: &&Found| found.relative.components().count() == 1 && rules.is_info_file(plan::slashed(&found.relative));
    let Some(found) = scan.files.iter().find(own) else {
        return RecorderInfo::default();
    };
    let source = Source { path: scan.root.join(&found.relative), snapshot: found.snapshot };
    match read::head(&source) {
        Ok(text) => rules.recorder_info(text),
        Err(error) => RecorderInfo { problems: vec![error.to_string()], ..RecorderInfo::default() },
    }
}

/// Time first, so that a station's dockings sort by time; the rest is chance.
fn docking_id(now: Timestamp) -> Result<DockingId, IdError> {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    DockingId::parse(&uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid().to_string())
}

/// Tells ingest, and remembers that the end must be told as well.
async fn open(session: &Session, device: &DeviceId, plan: &Plan) -> Result<(), DockError> {
    let listed = plan.jobs.iter().map(|job| (&job.name, job.found.snapshot.length));
    let staying = plan.stay.iter().filter(|stay| !matches!(stay.left, Left::Unlisted(_)));
    let staying = staying.map(|stay| (&stay.name, stay.snapshot.length));
    let mut files: Vec<DeviceFile> =
        listed.chain(staying).map(|(name, length)| DeviceFile { name: name.clone(), length }).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if files.len() > MOST_LISTED {
        tracing::warn!(
            files = files.len(),
            listed = MOST_LISTED,
            "more files than a docking can list; all are handed in"
        );
        files.truncate(MOST_LISTED);
    }
    let names = files.iter().map(|file| file.name.clone()).collect();
    let opening = Opening {
        docking: session.docking.clone(),
        device: device.clone(),
        officer: plan.officer.clone(),
        files,
        clock: session.offset,
        counters: plan.counters.clone(),
    };
    let opened = tokio::select! {
        opened = persist(session.patience.min(OPENING), || session.ingest.open_docking(&opening)) => opened,
        () = session.halt.token().cancelled() => return Err(DockError::Stopped),
    };
    opened.map_err(DockError::Opening)?;
    let (docking, device_of, at) = (session.docking.clone(), device.clone(), (session.now)());
    let begun = Begun { docking, device: device_of, at, clock: session.offset, files: names };
    forgiven(session.journal.docking_begun(begun).await);
    let stays = plan.stay.iter().map(|stay| stay_entry(session, device, stay)).collect();
    forgiven(session.journal.put_all(stays).await);
    Ok(())
}

fn stay_entry(session: &Session, device: &DeviceId, stay: &Stay) -> (FileKey, Entry) {
    let key = FileKey { device: device.clone(), name: stay.name.clone(), snapshot: stay.snapshot };
    let entry = Entry { trouble: Some(stay.left.to_string()), ..session.entry(&key, "", Stage::Seen) };
    (key, entry)
}

/// Outcomes in the order of `jobs`; begun in that order, a few at a time.
async fn deposit_all(dock: &Dock, session: &Session, jobs: &[Job], whole: &Whole) -> Vec<Result<Deposit, Left>> {
    let begun =
        stream::iter(0..jobs.len()).map(|place| async move { (place, deposit(session, &jobs[place], whole).await) });
    let mut ended: Vec<_> = begun.buffer_unordered(dock.settings.parallel.max(1)).collect().await;
    ended.sort_by_key(|(place, _)| *place);
    ended.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn erase_all(
    session: &Session,
    jobs: &[Job],
    outcomes: &[Result<Deposit, Left>],
    wait: Duration,
    whole: &Whole,
    lines: &mut [Line],
) {
    let of_deposits = |(index, (job, outcome))| Some((index, (job, Result::as_ref(outcome).ok()?)));
    let (places, deposits): (Vec<usize>, Vec<(&Job, &Deposit)>) =
        jobs.iter().zip(outcomes).enumerate().filter_map(of_deposits).unzip();
    let erased = permits::erase_all(session, &deposits, wait, whole).await;
    for (place, outcome) in places.into_iter().zip(&erased) {
        lines[place].set_erased(outcome);
    }
}

/// What was listed and not erased.
fn remaining(files: Vec<Found>, jobs: &[Job], lines: &[Line]) -> Vec<Found> {
    let erased = jobs.iter().zip(lines).filter(|(_, line)| line.result == Outcome::Erased);
    let erased: HashSet<&Path> = erased.map(|(job, _)| job.found.relative.as_path()).collect();
    files.into_iter().filter(|found| !erased.contains(found.relative.as_path())).collect()
}

fn report(docking: Option<&DockingId>, plan: &Plan, lines: Vec<Line>, remaining: Vec<Found>) -> Report {
    let staying = plan.stay.iter().map(|stay| Line::of_stay(docking, plan.device.as_ref(), stay));
    Report {
        docking: docking.cloned(),
        device: plan.device.clone(),
        lines: lines.into_iter().chain(staying).collect(),
        ignored: plan.ignored.clone(),
        remarks: plan.remarks.clone(),
        remaining,
    }
}
