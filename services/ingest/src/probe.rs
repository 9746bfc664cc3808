//! The store is tried before it is given anything: at start-up, and by hand.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use custos_platform::{
    admin::Latch,
    service::Context,
    vault::{
        Vault,
        probe::{Finding, Report, Verdict},
    },
};

use crate::{Args, Ingest, error::IngestError};

/// Between two tries while the store is away.
const AGAIN: Duration = Duration::from_secs(2);

/// Closed until the store has shown that it keeps what it is given.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicBool);

/// How a probe by hand tells what it found.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct How {
    /// Print the report as JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// The command `probe`: one probe, told in full. Fails when the store is not fit.
pub async fn run(args: Args, context: Context, how: How) -> anyhow::Result<()> {
    let vault = Vault::new(args.store())?;
    let report = vault.probe(args.probe().store_mode, &context.clock).await?;
    let mut out = std::io::stdout().lock();
    if how.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{report}")?;
    }
    out.flush()?;
    match report.verdict() {
        Verdict::Fit => Ok(()),
        Verdict::Unfit => bail!(unfit(&report)),
        Verdict::Undecided => bail!("the store went away while it was tried; try again"),
    }
}

/// Tries the store until it tells, then opens the gate. Fails, and so ends the service, when the store is not fit; waits for one that
/// is away, however long.
pub(crate) async fn until_fit(ingest: &Arc<Ingest>, tried: Latch) -> anyhow::Result<()> {
    while !ingest.lifecycle.is_draining() {
        match ingest.vault.probe(ingest.store_mode, &ingest.clock).await {
            Ok(report) if report.verdict() == Verdict::Fit => {
                tell(&report);
                ingest.gate.0.store(true, Ordering::Release);
                tried.release();
                tidy_later(ingest);
                return Ok(());
            }
            Ok(report) if report.verdict() == Verdict::Unfit => bail!(unfit(&report)),
            Ok(report) => {
                let undecided: Vec<&str> = report.failed().map(|finding| finding.id.as_str()).collect();
                tracing::warn!(
                    undecided = undecided.join(", "),
                    "the store went away while it was tried; trying again"
                );
            }
            Err(error) => tracing::warn!(error = %error, "the store cannot be tried yet; trying again"),
        }
        ingest.lifecycle.soft().run_until_cancelled(tokio::time::sleep(AGAIN)).await;
    }
    Ok(())
}

/// The API behind the gate: while it is closed everything is told to come back.
pub(crate) fn gated(ingest: &Arc<Ingest>, routes: Router) -> Router {
    routes.layer(middleware::from_fn_with_state(Arc::clone(ingest), pass))
}

async fn pass(State(ingest): State<Arc<Ingest>>, request: Request, next: Next) -> Response {
    if ingest.gate.0.load(Ordering::Acquire) { next.run(request).await } else { IngestError::Untried.into_response() }
}

fn tell(report: &Report) {
    for Finding { id, outcome, why, .. } in report.weak() {
        let (outcome, seen) = (outcome.name(), outcome.seen());
        tracing::info!(check = id, outcome, seen, why, "not kept, which is no danger to footage");
    }
    let (checks, took_ms, mode) = (report.findings.len(), report.took_ms, report.mode);
    tracing::info!(checks, took_ms, %mode, "the store is fit to keep evidence");
}

fn unfit(report: &Report) -> String {
    format!(
        "the store is not fit to keep evidence in {} mode, nothing is taken: {}",
        report.mode,
        report.complaints().join("; ")
    )
}

/// A service that restarts often must not fill the bucket, nor start later for it.
fn tidy_later(ingest: &Arc<Ingest>) {
    let ingest = Arc::clone(ingest);
    ingest.lifecycle.clone().track(async move {
        match ingest.vault.tidy_probe(&ingest.clock).await {
            Ok(tidied) => tracing::debug!(tidied.removed, tidied.left, "tidied the probe bucket"),
            Err(error) => {
                tracing::info!(error = %error, "the probe bucket was not tidied; retention does it every night");
            }
        }
    });
}
