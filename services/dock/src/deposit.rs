//! One file from the recorder to a verified receipt, going on where an earlier docking stopped.

use std::sync::Arc;

use custos_domain::{dsse::Envelope, outboard::Outboard, receipt::Receipt};
use tokio::time::sleep_until;
use tracing::{Instrument, info_span};

use crate::{
    declare::{declare, declared, sign, still_stands},
    journal::{Entry, FileKey, Stage},
    left::Left,
    plan::Job,
    progress::{Item, Whole},
    read::{self, ReadError},
    scan::is_gone,
    session::{Session, forgiven},
    slots::Rank,
    telemetry,
    upload::{Receipted, Upload},
    verify,
};

/// A file that ingest has stored and locked, by a receipt that was verified here.
#[derive(Debug, Clone)]
pub struct Deposit {
    /// Its key in the journal.
    pub key: FileKey,
    /// See [`crate::read::probe`].
    pub probe: String,
    /// Our signed declaration.
    pub declaration: Envelope,
    /// Upload and receipt.
    pub receipted: Receipted,
    /// Deposited in an earlier docking.
    pub again: bool,
    /// The `traceparent` of this item's trace.
    pub trace: Option<String>,
}

impl Deposit {
    /// What ingest's receipt says.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipted.receipt
    }
}

/// Deposits one file within the limits of the session; the whole item is one trace.
pub async fn deposit(session: &Session, job: &Job, whole: &Whole) -> Result<Deposit, Left> {
    let span = info_span!(parent: None, "dock.item.deposit", file = job.name, device = %job.device, bytes = job.found.snapshot.length,
        kind = %job.kind, code = tracing::field::Empty, otel.status_code = tracing::field::Empty);
    let work = async {
        let outcome = tokio::select! {
            biased;
            () = session.halt.token().cancelled() => Err(session.halt.why().unwrap_or(Left::Stopped)),
            outcome = attempt(session, job, whole) => outcome,
        };
        let here = tracing::Span::current();
        match outcome {
            Ok(deposit) => {
                let code = &deposit.receipt().code;
                here.record("code", tracing::field::display(code));
                tracing::info!(%code, again = deposit.again, "deposited");
                Ok(deposit)
            }
            Err(left) => {
                here.record("otel.status_code", "ERROR");
                Err(failed(session, job, left).await)
            }
        }
    };
    telemetry::item_trace(span, None, work).await
}

async fn attempt(session: &Session, job: &Job, whole: &Whole) -> Result<Deposit, Left> {
    if !job.key_file {
        sleep_until(session.begin).await;
    }
    // None comes only with the end of the process; then the halt has been called.
    let _slot = session.slots.enter(Rank::of(job.key_file, job.began())).await.ok_or(Left::Stopped)?;
    let view = whole.item(&job.name, job.found.snapshot.length);
    let outcome = go_on(session, job, &view).await;
    view.end(&match &outcome {
        Ok(deposit) if deposit.again => "deposited before".to_owned(),
        Ok(deposit) => format!("deposited as {}", deposit.receipt().code),
        Err(left) => format!("left: {left}"),
    });
    outcome
}

/// Continues from what the journal remembers of this file.
async fn go_on(session: &Session, job: &Job, view: &Item) -> Result<Deposit, Left> {
    let key = job.key();
    let source = session.source(job);
    let probe = off_thread(move || read::probe(&source)).await?;
    let entry = forgiven(session.journal.entry(&key).await);
    let stage = match entry {
        Some(entry) if entry.probe == probe => entry.stage,
        // New, or another file under the same name, size and time: what is remembered is not about this one.
        _ => Stage::Seen,
    };
    let stage = stage.found_again();
    session.remember(&key, &probe, stage.clone()).await;
    if let Some(deposit) = deposited_before(session, &key, &probe, &stage) {
        return Ok(deposit);
    }
    let before = read_before(session, job, &key, &stage).await;
    let upload = stage.upload().filter(|_| before.is_some()).cloned();
    let (declaration, outboard) = match before {
        Some(before) => before,
        None => read_now(session, job, &key, &probe, view).await?,
    };
    let declared = declared(&declaration.peek().map_err(internal)?);
    let _alone = session.single.enter(declared.root).await;
    let upload = Upload {
        session,
        source: session.source(job),
        key: &key,
        probe: &probe,
        declaration: &declaration,
        declared: &declared,
        outboard,
        view,
        upload,
    };
    let receipted = upload.run().instrument(info_span!("dock.item.upload")).await?;
    let stage = Stage::Receipted {
        declaration: declaration.clone(),
        upload: receipted.upload.clone(),
        receipt: receipted.envelope.clone(),
    };
    session.remember(&key, &probe, stage).await;
    forgiven(session.journal.drop_outboard(&key).await);
    Ok(Deposit { key, probe, declaration, receipted, again: false, trace: telemetry::traceparent() })
}

/// A receipt in the journal counts when it verifies as it would from the wire.
fn deposited_before(session: &Session, key: &FileKey, probe: &str, stage: &Stage) -> Option<Deposit> {
    let (declaration, upload, envelope) = stage.receipted()?;
    let declared = declared(&declaration.peek().ok()?);
    match verify::receipt(envelope, &session.trust, &declared) {
        Ok(receipt) if receipt.length == key.snapshot.length => {
            let receipted = Receipted { upload: upload.clone(), envelope: envelope.clone(), receipt };
            let (key, probe, declaration) = (key.clone(), probe.to_owned(), declaration.clone());
            Some(Deposit { key, probe, declaration, receipted, again: true, trace: telemetry::traceparent() })
        }
        Ok(_) => None,
        Err(distrust) => {
            tracing::warn!(file = key.name, %distrust, "the receipt in the journal is not believed: handing the file in again");
            None
        }
    }
}

/// What an earlier reading of this file found, when it can still be relied on.
async fn read_before(session: &Session, job: &Job, key: &FileKey, stage: &Stage) -> Option<(Envelope, Arc<Outboard>)> {
    let declaration = stage.declaration()?;
    let outboard = forgiven(session.journal.outboard(key).await)?;
    still_stands(session, job, declaration, &outboard)?;
    Some((declaration.clone(), Arc::new(outboard)))
}

/// Reads the file once, states what it is, and remembers both.
async fn read_now(
    session: &Session,
    job: &Job,
    key: &FileKey,
    probe: &str,
    view: &Item,
) -> Result<(Envelope, Arc<Outboard>), Left> {
    view.stage("reading");
    let (source, shown, stop) = (session.source(job), view.clone(), session.halt.token().clone());
    let work = off_thread(move || read::outboard(&source, |bytes| shown.read(bytes), &stop));
    let outboard = work.instrument(info_span!("dock.item.read")).await?;
    let declaration = declare(session, job, &outboard).and_then(|d| sign(session, &d)).map_err(internal)?;
    let entry = session.entry(key, probe, Stage::Hashed { declaration: declaration.clone() });
    forgiven(session.journal.put_hashed(key, entry, outboard.encode()).await);
    Ok((declaration, Arc::new(outboard)))
}

/// Remembers why a file stays, and finds out whether the whole recorder is gone.
async fn failed(session: &Session, job: &Job, left: Left) -> Left {
    if matches!(left, Left::Stopped | Left::Unplugged) {
        return left;
    }
    let root = session.root.clone();
    let reading = matches!(left, Left::Unreadable { .. } | Left::Changed | Left::Unstable { .. });
    if reading && tokio::task::spawn_blocking(move || is_gone(&root)).await.unwrap_or(false) {
        session.halt.unplugged();
        return Left::Unplugged;
    }
    tracing::info!(reason = %left, "left on the recorder");
    let key = job.key();
    let before = forgiven(session.journal.entry(&key).await);
    let (probe, stage) = match before {
        Some(Entry { probe, stage, .. }) if !left.discredits_reading() => (probe, stage),
        _ => (String::new(), Stage::Seen),
    };
    if stage == Stage::Seen {
        forgiven(session.journal.drop_outboard(&key).await);
    }
    let entry = Entry { trouble: Some(left.to_string()), ..session.entry(&key, &probe, stage) };
    forgiven(session.journal.put(&key, entry).await);
    left
}

/// Reading waits for a medium, so it is never done on an async thread.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Left> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(internal)??)
}

fn internal(error: impl std::fmt::Display) -> Left {
    Left::Internal(error.to_string())
}
