//! The program around the library: reads the command line, shows what happens, ends with the right code.

use std::{
    error::Error,
    ffi::OsString,
    io::{IsTerminal as _, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Args, Command, Enrol, Output, Push, Status, Watch},
    clock,
    dock::{Dock, DockError},
    enrol,
    exit::Exit,
    journal::Journal,
    progress::View,
    report::{Outcome, Report},
    status, sys,
    telemetry::{Recording, Telemetry},
    watch::{self, Tell},
};

/// How long a reading that cannot be interrupted may keep the program alive after everything else has ended.
const LAST_READ: Duration = Duration::from_secs(2);

/// Runs `custos-dock` with these arguments, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version come this way too, and are no errors.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    if let Command::Status(status) = &args.command {
        return tell_status(status);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error, Exit::Left),
    };
    let exit = runtime.block_on(work(args));
    runtime.shutdown_timeout(LAST_READ);
    exit
}

async fn work(args: Args) -> Exit {
    // Without a terminal a person reads the lines of `push`, and whoever runs `watch` its log.
    let (output, plain, default) = match &args.command {
        Command::Push(push) => (push.output(), View::Lines, "warn"),
        Command::Watch(watch) => (watch.output(), View::Quiet, "info"),
        Command::Enrol(enrol) => return run_enrol(enrol).await,
        Command::Status(_) => return Exit::Done,
    };
    let view = if output.quiet { View::Quiet } else { View::bars().unwrap_or(plain) };
    let filter = args.log.unwrap_or_else(|| default.to_owned());
    let recording = Recording { filter, otlp: args.otlp_endpoint };
    let telemetry = match Telemetry::start(&recording, view.multi()) {
        Ok(telemetry) => telemetry,
        Err(error) => return complain(error.as_ref(), Exit::Usage),
    };
    let stop = CancellationToken::new();
    let exit = tokio::select! {
        exit = command(args.command, args.notify_socket, view, &stop) => exit,
        () = second_signal(stop.clone()) => Exit::Left,
    };
    // Sending the last spans waits for the network.
    let _ = tokio::task::spawn_blocking(|| telemetry.finish()).await;
    exit
}

async fn command(command: Command, socket: Option<String>, view: View, stop: &CancellationToken) -> Exit {
    let outcome = match command {
        Command::Push(push) => run_push(&push, &view, stop).await,
        Command::Watch(watch) => run_watch(&watch, socket.as_deref(), view, stop).await,
        Command::Enrol(enrol) => Ok(run_enrol(&enrol).await),
        Command::Status(status) => Ok(tell_status(&status)),
    };
    outcome.unwrap_or_else(|error| complain(&error, error.exit()))
}

async fn run_enrol(args: &Enrol) -> Exit {
    let typed = || {
        if std::io::stdin().is_terminal() {
            let _ = write!(std::io::stderr().lock(), "one-time code: ");
        }
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line.trim().to_owned())
    };
    let order = match args.order(typed) {
        Ok(order) => order,
        Err(error) => return complain(&error, Exit::Usage),
    };
    match enrol::enrol(&order, clock::system()).await {
        Ok(held) => print(&enrol::told(&held, &order.state)),
        Err(error) => return complain(&error, error.exit()),
    }
    Exit::Done
}

async fn run_push(push: &Push, view: &View, stop: &CancellationToken) -> Result<Exit, DockError> {
    push.renewer().once().await;
    let dock = Dock::open(push.settings()).await?;
    let report = dock.dock(&push.folder, &push.order(), view, stop).await?;
    show(&report, push.output());
    Ok(report.exit())
}

async fn run_watch(
    watch: &Watch,
    socket: Option<&str>,
    view: View,
    stop: &CancellationToken,
) -> Result<Exit, DockError> {
    let renewer = watch.renewer();
    renewer.once().await;
    let dock = Arc::new(Dock::open(watch.settings()).await?);
    manager(socket, "READY=1");
    let looked = |dockings| manager(socket, &format!("WATCHDOG=1\nSTATUS=docking {dockings} recorders"));
    let ended = |folder: &Path, outcome: &Result<Report, DockError>| match outcome {
        Ok(report) => {
            tracing::info!(folder = ?folder, outcome = report.summary(), "docking ended");
            report.remarks.iter().for_each(|remark| tracing::warn!(folder = ?folder, remark, "please note"));
            show(report, watch.output());
        }
        Err(error) => tracing::error!(folder = ?folder, error = chain(error), "docking failed"),
    };
    let tell = Tell { ended: &ended, looked: &looked };
    let places = watch.places();
    let watched = watch::watch(dock, &places, watch.poll(), watch.order(), view, stop, tell);
    tokio::pin!(watched);
    tokio::select! {
        ended = watched.as_mut() => ended?,
        // Ends only when there is nothing to renew, or with everything else.
        () = renewer.keep(stop) => watched.await?,
    }
    Ok(Exit::Done)
}

/// Tells the service manager, where one listens.
fn manager(socket: Option<&str>, state: &str) {
    if let Some(Err(error)) = socket.map(|socket| sys::notify(socket, state)) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

fn tell_status(status: &Status) -> Exit {
    let (entries, open) = match Journal::read_beside(&status.state) {
        Ok(known) => known,
        Err(error) => return complain(&error, Exit::Usage),
    };
    let text = if status.json { status::json(&entries) } else { Ok(status::text(&entries, &open, &status.time_zone)) };
    match text {
        Ok(text) => print(&text),
        Err(error) => return complain(&error, Exit::Left),
    }
    Exit::Done
}

/// Shows how a docking ended, as asked.
fn show(report: &Report, output: &Output) {
    if output.json {
        match report.json() {
            Ok(lines) => print(&lines),
            Err(error) => drop(complain(&error, Exit::Left)),
        }
    } else if !output.quiet {
        print(&report.table());
    }
    if output.quiet {
        let troubled = report.lines.iter().filter(|line| line.result == Outcome::Left || line.to_be_erased);
        for line in troubled {
            let _ = writeln!(std::io::stderr().lock(), "{}: {}", line.name, line.reason.as_deref().unwrap_or_default());
        }
    }
}

/// To standard output. A reader that went away is no reason to fail: the docking is done.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn complain(error: &(dyn Error + 'static), exit: Exit) -> Exit {
    let _ = writeln!(std::io::stderr().lock(), "custos-dock: {}", chain(error));
    exit
}

/// An error with its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    text
}

/// The first signal asks everything to end properly; completes at the second.
async fn second_signal(stop: CancellationToken) {
    sys::stop_signal().await;
    tracing::warn!("stopping: closing the docking; signal once more to leave at once");
    stop.cancel();
    sys::stop_signal().await;
}
