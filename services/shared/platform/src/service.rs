//! The shell every service runs in: options, runtime, telemetry, admin port, signals, draining, exit code.
//!
//! A service's whole `main`:
//!
//! ```no_run
//! # #[derive(clap::Parser)] struct Args { #[command(flatten)] common: custos_platform::config::CommonArgs }
//! # impl AsRef<custos_platform::config::CommonArgs> for Args {
//! #     fn as_ref(&self) -> &custos_platform::config::CommonArgs { &self.common }
//! # }
//! # async fn serve(_: Args, _: custos_platform::service::Context) -> anyhow::Result<()> { Ok(()) }
//! fn main() -> std::process::ExitCode {
//!     custos_platform::service::run("custos-ingest", serve)
//! }
//! ```

mod run;
mod signals;

use std::{ffi::OsString, future::Future, process::ExitCode};

use clap::{Command, Parser};
use opentelemetry::metrics::Meter;

use crate::{admin::Health, clock::Clock, config::CommonArgs, lifecycle::Lifecycle};

/// Version of Custos; every crate of the workspace has the same.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Exit code for a configuration that cannot work (`EX_USAGE` of sysexits.h): restarting will not help.
pub const EXIT_CONFIG: u8 = 64;

/// What the shell hands to a service.
#[derive(Debug, Clone)]
pub struct Context {
    /// The service's name, such as `custos-ingest`.
    pub name: &'static str,
    /// Where the service's parts run, and how they learn of a stop.
    pub lifecycle: Lifecycle,
    /// What readiness is made of.
    pub health: Health,
    /// The time.
    pub clock: Clock,
    /// Where instruments come from.
    pub meter: Meter,
}

/// Runs a service until it is told to stop or one of its parts fails.
///
/// `serve` connects, starts its parts with [`Lifecycle::spawn`] and returns; the service is unready until then. A stop
/// signal while it still connects drops it. An error ends the process with a failing exit code, a
/// [`ConfigError`](crate::config::ConfigError) with [`EXIT_CONFIG`].
pub fn run<A, F, Fut>(name: &'static str, serve: F) -> ExitCode
where
    A: Parser + AsRef<CommonArgs>,
    F: FnOnce(A, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    match parse(name) {
        Ok(args) => start(name, args, serve),
        Err(code) => code,
    }
}

/// Parses the command line and the environment. On failure, and for `--help`, prints and gives the exit code.
///
/// For services with subcommands: `match` on the result and call [`start`] or [`run_once`].
pub fn parse<A: Parser>(name: &'static str) -> Result<A, ExitCode> {
    parse_from(name, std::env::args_os()).map_err(|error| {
        // Nothing is left to do if not even the complaint can be written.
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::SUCCESS }
    })
}

/// [`run`] with options that are already parsed.
pub fn start<A, F, Fut>(name: &'static str, args: A, serve: F) -> ExitCode
where
    A: AsRef<CommonArgs>,
    F: FnOnce(A, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let common = args.as_ref().clone();
    run::shell(name, &common, async |context, startup, signals| {
        let lifecycle = context.lifecycle.clone();
        let serve = async { serve(args, context).await.inspect(|()| startup.release()) };
        run::until_stopped(&lifecycle, signals, common.grace_period, serve).await
    })
}

/// Runs `work` to its end and exits; for one-shot subcommands such as a rebuild.
///
/// A signal cancels [`Lifecycle::soft`], which `work` may watch to stop at a good place and say whether that is a
/// success. It is dropped after the grace period or at a second signal, which is a failure.
pub fn run_once<A, F, Fut>(name: &'static str, args: A, work: F) -> ExitCode
where
    A: AsRef<CommonArgs>,
    F: FnOnce(A, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let common = args.as_ref().clone();
    run::shell(name, &common, async |context, _startup, signals| {
        let lifecycle = context.lifecycle.clone();
        run::to_the_end(&lifecycle, signals, common.grace_period, work(args, context)).await
    })
}

fn parse_from<A: Parser>(name: &'static str, words: impl IntoIterator<Item = OsString>) -> Result<A, clap::Error> {
    let matches = command::<A>(name).try_get_matches_from(words)?;
    A::from_arg_matches(&matches).map_err(|error| error.format(&mut command::<A>(name)))
}

fn command<A: Parser>(name: &'static str) -> Command {
    A::command().name(name).bin_name(name).version(VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        common: CommonArgs,
        #[command(subcommand)]
        command: Option<Sub>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Sub {
        Rebuild,
    }

    fn parse(words: &[&str]) -> Result<Args, clap::Error> {
        parse_from("custos-test", words.iter().map(OsString::from))
    }

    #[test]
    fn bad_options_complain_in_the_services_name() {
        let error = parse(&["whatever"]).expect_err("incomplete");
        assert!(error.use_stderr());
        let text = error.to_string();
        assert!(text.contains("--admin-listen") && text.contains("Usage: custos-test"), "{text}");
    }

    #[test]
    fn version_and_subcommands_work() {
        let version = parse(&["custos-test", "--version"]).expect_err("printed");
        assert!(!version.use_stderr());
        assert_eq!(version.to_string(), format!("custos-test {VERSION}\n"));
        let args = parse(&["custos-test", "--admin-listen", "127.0.0.1:0", "rebuild"]).expect("args");
        assert!(matches!(args.command, Some(Sub::Rebuild)));
        assert_eq!(args.common.admin_listen.port(), 0);
    }
}
