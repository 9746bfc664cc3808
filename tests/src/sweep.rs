//! The effect sweep: a docking in which one outgoing request of one service goes wrong, for every request and every way to go
//! wrong, and after each the whole history is checked against every invariant.
//!
//! `tests/sweep` runs all of it, for hours; `tests/it/sweep.rs` a bounded part in every `tests/run`.
//!
//! 1. [`Point`]: what is struck, and how. [`points`]: which points there are, and samples of them.
//! 2. [`Stage`]: a stack whose every connection runs through a proxy; plays the docking at a point, and recovers.
//! 3. `docking`: the docking itself, and a hold placed, confirmed and released.
//! 4. [`Tally`]: how many points were swept, by service and kind.

mod docking;
pub mod points;
mod stage;
mod tally;

use std::{fmt, time::Duration};

use custos_local::Part;

use crate::proxy::{Fault, Rule};

pub use stage::{Stage, Struck};
pub use tally::Tally;

/// How long a stalled request stalls: less than every time-out of the services.
const STALL: Duration = Duration::from_millis(1500);

/// Requests struck by an outage: the services' S3 client tries three times.
const OUTAGE: u64 = 4;

/// Whom a service talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Target {
    /// MinIO. Counted: requests.
    Store,
    /// nats-server. Counted: publications, acknowledgements among them.
    Bus,
    /// PostgreSQL. Counted: statements.
    Database,
    /// Ingest itself, by the dock. Counted: connections.
    Dock,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// Refused before it is passed on: 503 of the store, elsewhere a connection closed.
    Refuse,
    /// The same for this one and the next few: more than a client tries by itself before it tells its caller.
    Outage,
    /// Carried out, and the reply dropped.
    Drop,
    /// Not passed on; the connection is reset.
    Reset,
    /// Late by less than any time-out.
    Stall,
    /// The service is killed with -9 before the server hears of it.
    KillBefore,
    /// The service is killed with -9 as soon as the server has all of it.
    KillDuring,
    /// The service is killed with -9 after it was carried out, before the reply.
    KillAfter,
}

/// One request of one service, and what goes wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Whose request.
    pub service: Part,
    /// To whom.
    pub target: Target,
    /// What goes wrong.
    pub kind: Kind,
    /// With which one, counted from 1 since the docking began.
    pub k: u64,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 4] = [Self::Store, Self::Bus, Self::Database, Self::Dock];

    /// The server behind it.
    pub fn server(self) -> Part {
        match self {
            Self::Store => Part::Minio,
            Self::Bus => Part::Nats,
            Self::Database => Part::Postgres,
            Self::Dock => Part::Ingest,
        }
    }

    /// Whether `service` talks to it because of a docking. The register of stations has no part in one; what is struck there is in
    /// the tests `stations`.
    pub fn is_of(self, service: Part) -> bool {
        match self {
            _ if service == Part::Stations => false,
            Self::Store | Self::Bus => true,
            Self::Database => service.schema().is_some(),
            Self::Dock => service == Part::Ingest,
        }
    }

    /// What is counted of it: what a docking causes, not what is asked every few seconds anyway.
    pub fn counted(self, fault: Fault) -> Rule {
        let rule = Rule::new(fault);
        match self {
            // The store's clock by its Date header, readiness, the register of stations, the reconciler's walk of the sessions, and
            // the capability probe.
            Self::Store => [
                "Other",
                "prefix=readiness/",
                "custos-intake/stations/",
                "prefix=sessions/",
                "custos-probe",
                "custos-intake/probe/",
                "prefix=probe/",
                "GetBucketVersioning",
                "GetObjectLockConfiguration",
            ]
            .into_iter()
            .fold(rule, Rule::except),
            // The next message asked for, and the server's settings.
            Self::Bus => rule.except("$JS.API."),
            Self::Database => rule.on("Execute").on("Query"),
            Self::Dock => rule,
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Refuse,
        Self::Outage,
        Self::Drop,
        Self::Reset,
        Self::Stall,
        Self::KillBefore,
        Self::KillDuring,
        Self::KillAfter,
    ];

    /// Whether the service is killed.
    pub fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillDuring | Self::KillAfter)
    }

    /// What the proxy is told to do.
    pub fn fault(self) -> Fault {
        match self {
            Self::Refuse | Self::Outage => Fault::Refuse(503),
            Self::Drop => Fault::DropReply,
            Self::Reset => Fault::Reset,
            Self::Stall => Fault::Stall(STALL),
            Self::KillBefore => Fault::HalfOpen,
            Self::KillDuring => Fault::Tell,
            Self::KillAfter => Fault::HoldReply,
        }
    }

    /// How many requests in a row.
    pub fn in_a_row(self) -> u64 {
        if self == Self::Outage { OUTAGE } else { 1 }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Outage => "outage",
            Self::Drop => "drop",
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::KillBefore => "kill-before",
            Self::KillDuring => "kill-during",
            Self::KillAfter => "kill-after",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Store => "store",
            Self::Bus => "bus",
            Self::Database => "database",
            Self::Dock => "dock",
        })
    }
}

/// As `tests/sweep` takes it: `ingest:store:drop:7`.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, target, kind, k } = self;
        write!(f, "{service}:{target}:{kind}:{k}")
    }
}

impl std::str::FromStr for Point {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || anyhow::anyhow!("write a point as ingest:store:drop:7, not `{text}`");
        let words: Vec<&str> = text.split(':').collect();
        let [service, target, kind, k] = words[..] else { return Err(wrong()) };
        Ok(Self {
            service: Part::SERVICES.into_iter().find(|part| part.name() == service).ok_or_else(wrong)?,
            target: Target::ALL.into_iter().find(|of| of.to_string() == target).ok_or_else(wrong)?,
            kind: Kind::ALL.into_iter().find(|of| of.name() == kind).ok_or_else(wrong)?,
            k: k.parse().map_err(|_| wrong())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_back_as_it_was_told() {
        for target in Target::ALL {
            for kind in Kind::ALL {
                let point = Point { service: Part::LegalHold, target, kind, k: 12 };
                assert_eq!(point.to_string().parse::<Point>().expect("point"), point);
            }
        }
        for wrong in ["", "ingest:store:drop", "ingest:store:drop:x", "minio:store:drop:1", "ingest:store:drops:1"] {
            wrong.parse::<Point>().expect_err(wrong);
        }
    }
}
