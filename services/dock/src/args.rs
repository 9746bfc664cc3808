//! The command line. Every option is also an environment variable, so that a station is set up once.

mod enrol;
mod status;
mod values;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};
use custos_domain::{
    declaration::ClockOffset,
    ids::{DeviceId, OfficerId},
};
use jiff::tz::TimeZone;
use reqwest::Url;

use crate::{
    adapter::Adapters,
    bandwidth::Rate,
    clock,
    dock::{Order, Settings},
    identity::CredentialFiles,
    pair::Pair,
    plan::Told,
    renew::Renewer,
    smooth::Smoothing,
    timetable::Timetable,
    watch::Places,
};
pub use enrol::Enrol;
pub use status::Status;
use values::{bandwidth_table, https, parallel, smooth_windows, zone};

/// Hands recorders' footage in to Custos and erases only what was proven safe.
///
/// Exit codes: 0 everything is deposited (and, with --erase, erased); 1 something is still on the recorder, listed with the
/// reason; 64 wrong use; 69 ingest cannot be reached or does not serve this station.
#[derive(Debug, Parser)]
#[command(name = "custos-dock", version)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much to log to standard error, as in RUST_LOG [default: warn for push, info for watch]
    #[arg(long, global = true, env = "CUSTOS_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Where the service manager listens
    #[arg(long, global = true, env = "NOTIFY_SOCKET", hide = true)]
    pub notify_socket: Option<String>,
    /// OTLP/gRPC endpoint that takes traces, such as http://127.0.0.1:4317
    #[arg(long, global = true, env = "CUSTOS_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

/// What the dock does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Docks one recorder, mounted at FOLDER, and ends.
    Push(Push),
    /// Docks every recorder that appears at the places it looks at, until it is told to stop.
    Watch(Watch),
    /// Gets this station its certificate, for a one-time code that an administrator was given.
    Enrol(Enrol),
    /// Says what the journal knows: what was deposited, what awaits a permit, what failed.
    Status(Status),
}

/// Options of `push`.
#[derive(Debug, clap::Args)]
pub struct Push {
    /// Where the recorder is mounted.
    pub folder: PathBuf,
    #[command(flatten)]
    station: Station,
    #[command(flatten)]
    erasing: Erasing,
    #[command(flatten)]
    output: Output,
    /// The recorder's number, where neither file names nor the recorder tell
    #[arg(long, env = "CUSTOS_DOCK_DEVICE", value_name = "NUMBER")]
    device: Option<DeviceId>,
    /// The wearer's number, where neither file names nor the recorder tell
    #[arg(long, env = "CUSTOS_DOCK_OFFICER", value_name = "NUMBER")]
    officer: Option<OfficerId>,
    /// The recorder's clock minus this station's in milliseconds, measured before the recorder's clock was set
    #[arg(long, env = "CUSTOS_DOCK_CLOCK_OFFSET_MS", value_name = "MS", allow_negative_numbers = true)]
    clock_offset_ms: Option<i64>,
    /// How far that measurement may be off, in milliseconds
    #[arg(long, env = "CUSTOS_DOCK_CLOCK_UNCERTAINTY_MS", value_name = "MS", default_value_t = 1000)]
    clock_uncertainty_ms: u64,
}

/// Options of `watch`.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// The folder below which recorders get mounted, each in a folder of its own
    #[arg(long, env = "CUSTOS_DOCK_MOUNTS", value_name = "DIR", required_unless_present = "recorders")]
    mounts: Option<PathBuf>,
    /// A folder that is one recorder's mount point; as often as needed, in the environment with commas between
    #[arg(long = "recorder", env = "CUSTOS_DOCK_RECORDERS", value_name = "DIR", value_delimiter = ',')]
    recorders: Vec<PathBuf>,
    /// Spreads the beginning of uploads at shift end: HOURS=LONGEST, such as 17:30-19=20m,07-08=10m. Each recorder waits a part
    /// of that, by station, recorder and day; key files (重點文件) never wait
    #[arg(long, env = "CUSTOS_DOCK_SMOOTH", value_name = "TIMETABLE", value_parser = smooth_windows)]
    smooth: Option<Timetable<Duration>>,
    /// Seconds between two looks
    #[arg(long, env = "CUSTOS_DOCK_POLL_SECONDS", value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    poll: u64,
    #[command(flatten)]
    station: Station,
    #[command(flatten)]
    erasing: Erasing,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct Station {
    /// Ingest's address
    #[arg(long, env = "CUSTOS_INGEST_URL", value_name = "URL", value_parser = https)]
    ingest_url: Url,
    /// Certificates of the authority that signed ingest's certificate, PEM; no other is accepted
    #[arg(long, env = "CUSTOS_CA", value_name = "FILE")]
    ca: PathBuf,
    /// This station's certificate, PEM; it names tenant, unit and station [default: what `enrol` got, renewed when it is due]
    #[arg(long, env = "CUSTOS_DOCK_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// This station's Ed25519 private key, PKCS#8 PEM; it also signs declarations [default: what `enrol` made]
    #[arg(long, env = "CUSTOS_DOCK_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Address of the register of stations, where the certificate is renewed [default: where it came from]
    #[arg(long, env = "CUSTOS_STATIONS_URL", value_name = "URL", value_parser = https)]
    stations_url: Option<Url>,
    /// Whose receipts and seals to believe, JSON
    #[arg(long, env = "CUSTOS_TRUST_FILE", value_name = "FILE")]
    trust: PathBuf,
    /// Naming rules of this station's recorders, YAML, tried before the built-in ones
    #[arg(long, env = "CUSTOS_DOCK_RULES", value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Where the journal is kept
    #[arg(long, env = "CUSTOS_DOCK_STATE", value_name = "DIR")]
    state: PathBuf,
    /// How fast to send, over all recorders: HOURS=RATE, such as 08-18=20M,18-08=unlimited. 20M is MiB a second, 160Mbit
    /// megabits; hours not named are unlimited
    #[arg(long, env = "CUSTOS_DOCK_BANDWIDTH", value_name = "TIMETABLE", value_parser = bandwidth_table)]
    bandwidth: Option<Timetable<Rate>>,
    /// Time zone of the hours above, and of a recorder's clock that tells none
    #[arg(long, env = "CUSTOS_DOCK_TIME_ZONE", value_name = "ZONE", default_value = "Asia/Shanghai", value_parser = zone)]
    time_zone: TimeZone,
    /// Program that prints a recorder's time (RFC 3339); called with the recorder's folder before anything is handed in
    #[arg(long, env = "CUSTOS_DOCK_CLOCK_COMMAND", value_name = "PROGRAM")]
    clock_command: Option<PathBuf>,
    /// Program that sets a recorder's clock; called with the folder and the time, after the clock was measured and every file
    /// of the recorder is handed in
    #[arg(long, env = "CUSTOS_DOCK_SET_CLOCK_COMMAND", value_name = "PROGRAM")]
    set_clock_command: Option<PathBuf>,
    /// Files read or sent at once, over all recorders
    #[arg(long, env = "CUSTOS_DOCK_PARALLEL", value_name = "N", default_value_t = 4, value_parser = parallel)]
    parallel: usize,
    /// Seconds to go on with a file without any progress before it is left for the next docking
    #[arg(long, env = "CUSTOS_DOCK_PATIENCE_SECONDS", value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
}

#[derive(Debug, clap::Args)]
struct Erasing {
    /// Erase from the recorder what ingest permits. Without this nothing on a recorder is ever changed
    #[arg(long, env = "CUSTOS_DOCK_ERASE")]
    erase: bool,
    /// Seconds to wait for erase permits after everything is handed in
    #[arg(long, env = "CUSTOS_DOCK_PERMIT_WAIT_SECONDS", value_name = "SECONDS", default_value_t = 900)]
    permit_wait: u64,
}

/// What is shown, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// One JSON object a file on standard output instead of the table
    #[arg(long)]
    pub json: bool,
    /// No progress and no table; what was left is still told on standard error
    #[arg(long)]
    pub quiet: bool,
}

impl Push {
    /// How this station is set up.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.station.settings()
    }

    /// What keeps its certificate good.
    #[must_use]
    pub fn renewer(&self) -> Renewer {
        self.station.renewer()
    }

    /// What is wanted of the docking.
    #[must_use]
    pub fn order(&self) -> Order {
        let uncertainty_ms = self.clock_uncertainty_ms;
        Order {
            told: Told { device: self.device.clone(), officer: self.officer.clone() },
            offset: self.clock_offset_ms.map(|offset_ms| ClockOffset { offset_ms, uncertainty_ms }),
            // A person stands there and waits.
            smoothing: None,
            erase: self.erasing.wait(),
        }
    }

    /// What is shown.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.output
    }
}

impl Watch {
    /// How this station is set up.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.station.settings()
    }

    /// What keeps its certificate good.
    #[must_use]
    pub fn renewer(&self) -> Renewer {
        self.station.renewer()
    }

    /// What is wanted of each docking. What is said of one recorder cannot be said of all, so nothing is.
    #[must_use]
    pub fn order(&self) -> Order {
        let smoothing = |windows| Smoothing { windows, zone: self.station.time_zone.clone() };
        Order { smoothing: self.smooth.clone().map(smoothing), erase: self.erasing.wait(), ..Order::default() }
    }

    /// Where recorders appear.
    #[must_use]
    pub fn places(&self) -> Places {
        let recorders = self.recorders.iter().filter(|path| !path.as_os_str().is_empty()).cloned().collect();
        Places { mounts: self.mounts.clone(), recorders }
    }

    /// Time between two looks.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_secs(self.poll)
    }

    /// What is shown.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.output
    }
}

impl Station {
    fn settings(&self) -> Settings {
        let pair = Pair::of(&self.state).path();
        let of = |given: &Option<PathBuf>| given.clone().unwrap_or_else(|| pair.clone());
        let (ca, cert, key) = (self.ca.clone(), of(&self.cert), of(&self.key));
        Settings {
            ingest: self.ingest_url.clone(),
            credentials: CredentialFiles { ca, cert, key },
            trust: self.trust.clone(),
            rules: self.rules.clone(),
            state: self.state.clone(),
            bandwidth: self.bandwidth.clone(),
            adapters: Adapters {
                read: self.clock_command.clone(),
                set: self.set_clock_command.clone(),
                zone: self.time_zone.clone(),
            },
            zone: self.time_zone.clone(),
            parallel: self.parallel,
            patience: Duration::from_secs(self.patience),
            now: clock::system,
        }
    }

    /// Files the operator names are the operator's to renew.
    fn renewer(&self) -> Renewer {
        let (pair, own) = (Pair::of(&self.state), self.cert.as_ref());
        let ours = own.is_none_or(|cert| *cert == pair.path());
        Renewer::new(ours.then_some(pair), self.stations_url.clone(), self.ca.clone(), clock::system)
    }
}

impl Erasing {
    fn wait(&self) -> Option<Duration> {
        self.erase.then(|| Duration::from_secs(self.permit_wait))
    }
}

#[cfg(test)]
mod tests;
