use std::{future::Future, panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use futures::FutureExt as _;

use super::{Context, EXIT_CONFIG, signals::Signals};
use crate::{
    admin::{self, Health, Latch},
    clock::Clock,
    config::{CommonArgs, ConfigError},
    lifecycle::{Drained, Lifecycle},
    telemetry::{Telemetry, meter},
};

/// Sets the process up, runs `body`, and takes the process down again, flushing telemetry whatever happened.
pub(super) fn shell(
    name: &'static str,
    common: &CommonArgs,
    body: impl AsyncFnOnce(Context, Latch, &mut Signals) -> anyhow::Result<()>,
) -> ExitCode {
    // An error means someone installed a provider before us; rustls then uses that one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed_early(&anyhow!(error).context("start the async runtime")),
    };
    let code = runtime.block_on(async {
        let telemetry = match Telemetry::start(name, common) {
            Ok(telemetry) => telemetry,
            Err(error) => return failed_early(&error),
        };
        let body = run_body(name, common, &telemetry, body);
        let outcome = AssertUnwindSafe(body).catch_unwind().await.unwrap_or_else(|_panic| Err(anyhow!("panicked")));
        let code = exit_code(&outcome);
        telemetry.shutdown().await;
        code
    });
    // Abandoned blocking work must not hold the process.
    runtime.shutdown_background();
    code
}

async fn run_body(
    name: &'static str,
    common: &CommonArgs,
    telemetry: &Telemetry,
    body: impl AsyncFnOnce(Context, Latch, &mut Signals) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    tracing::info!(version = super::VERSION, "starting");
    let mut signals = Signals::install().context("catch stop signals")?;
    let lifecycle = Lifecycle::new();
    let health = Health::new(lifecycle.clone());
    // Before the port is open: whoever asks at once must not hear of a service without latches that it is ready.
    let startup = health.latch("startup");
    admin::open(common.admin_listen, health.clone(), telemetry.metrics()).await?;
    let context = Context { name, lifecycle, health, clock: Clock::system(), meter: meter() };
    body(context, startup, &mut signals).await
}

/// Runs `serve` (the start of a service), then waits for a stop, then drains.
pub(super) async fn until_stopped(
    lifecycle: &Lifecycle,
    signals: &mut Signals,
    grace: Duration,
    serve: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let started = tokio::select! {
        started = serve => started,
        () = stopped(lifecycle, signals) => Ok(()),
    };
    if started.is_ok() && !lifecycle.is_draining() {
        tracing::info!("started");
        stopped(lifecycle, signals).await;
    }
    started.and(drain(lifecycle, signals, grace).await)
}

/// Runs `work` to its end, then drains what it left behind.
pub(super) async fn to_the_end(
    lifecycle: &Lifecycle,
    signals: &mut Signals,
    grace: Duration,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let overdue = async {
        stopped(lifecycle, signals).await;
        tokio::select! {
            () = signals.next() => anyhow!("stopped before the end by a second signal"),
            () = tokio::time::sleep(grace) => anyhow!("stopped before the end: the grace period is over"),
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        why = overdue => Err(why),
    };
    outcome.and(drain(lifecycle, signals, grace).await)
}

/// Completes when a signal arrives or a part has failed.
async fn stopped(lifecycle: &Lifecycle, signals: &mut Signals) {
    tokio::select! {
        () = signals.next() => lifecycle.soft().cancel(),
        () = lifecycle.soft().cancelled() => {}
    }
}

async fn drain(lifecycle: &Lifecycle, signals: &mut Signals, grace: Duration) -> anyhow::Result<()> {
    let drained = lifecycle.drain(grace, signals.next()).await;
    tracing::info!(?drained, "drained");
    if let Some(why) = lifecycle.failure() {
        bail!("{why}");
    }
    if drained == Drained::Abandoned {
        bail!("tasks did not stop");
    }
    Ok(())
}

fn exit_code(outcome: &anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        tracing::info!("stopped");
        return ExitCode::SUCCESS;
    };
    if let Some(config) = ConfigError::behind(error) {
        tracing::error!(error = %config, "the configuration cannot work");
        return ExitCode::from(EXIT_CONFIG);
    }
    tracing::error!(error = format!("{error:#}"), "stopped because of an error");
    ExitCode::FAILURE
}

/// Complains the way clap does: there is no log yet.
fn failed_early(error: &anyhow::Error) -> ExitCode {
    let complaint = clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{error:#}\n"));
    // Nothing is left to do if not even the complaint can be written.
    let _ = complaint.print();
    if ConfigError::behind(error).is_some() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::{StreamExt as _, stream};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(50);

    fn signals(count: usize) -> Signals {
        Signals::from_stream(stream::repeat("SIGTEST").take(count).chain(stream::pending()))
    }

    #[tokio::test]
    async fn a_signal_while_connecting_drops_the_start() {
        let lifecycle = Lifecycle::new();
        let outcome = until_stopped(&lifecycle, &mut signals(1), LONG, pending()).await;
        assert!(outcome.is_ok() && lifecycle.is_draining());
    }

    #[tokio::test]
    async fn a_failing_part_stops_the_service_with_its_reason() {
        let lifecycle = Lifecycle::new();
        let part = lifecycle.clone();
        let serve = async move {
            part.spawn("bus", async { bail!("stream is gone") });
            Ok(())
        };
        let error = until_stopped(&lifecycle, &mut signals(0), LONG, serve).await.expect_err("failed");
        assert_eq!(error.to_string(), "bus: stream is gone");
        assert_eq!(exit_code(&Err(error)), ExitCode::FAILURE);
    }

    #[tokio::test]
    async fn a_failing_start_still_drains_what_it_started() {
        let lifecycle = Lifecycle::new();
        let part = lifecycle.clone();
        let serve = async move {
            let soft = part.soft().clone();
            part.spawn("early", async move {
                soft.cancelled().await;
                Ok(())
            });
            Err(ConfigError::new("--tls-cert", "empty").into())
        };
        let outcome = until_stopped(&lifecycle, &mut signals(0), LONG, serve).await;
        assert_eq!(exit_code(&outcome), ExitCode::from(EXIT_CONFIG));
    }

    #[tokio::test]
    async fn one_shot_work_decides_what_a_signal_means_until_its_time_is_up() {
        let lifecycle = Lifecycle::new();
        let soft = lifecycle.soft().clone();
        let heeds = async move {
            soft.cancelled().await;
            Ok(())
        };
        assert!(to_the_end(&lifecycle, &mut signals(1), LONG, heeds).await.is_ok());

        let error = to_the_end(&Lifecycle::new(), &mut signals(2), LONG, pending()).await.expect_err("cut");
        assert!(error.to_string().contains("second signal"));
        let error = to_the_end(&Lifecycle::new(), &mut signals(1), SHORT, pending()).await.expect_err("cut");
        assert!(error.to_string().contains("grace period"));
    }
}
