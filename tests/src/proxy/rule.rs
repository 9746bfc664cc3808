//! What is to happen, and when.

use std::{fmt, time::Duration};

use super::Kind;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the service to the server.
    Request,
    /// From the server to the service.
    Answer,
}

/// What goes wrong. Positions count the bytes of one S3 body, of everything from a NATS or PostgreSQL message on (of the first
/// byte after it, in answers), or of a whole connection, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// S3: answered with this status, not passed on. Elsewhere: not passed on, and the connection closed.
    Refuse(u16),
    /// Not passed on; the client gets a TCP reset.
    Reset,
    /// Passed on and carried out; the answer is thrown away and the connection closed.
    DropReply,
    /// Not passed on; the client's connection stays open and nobody ever answers, as when the server's machine has vanished.
    HalfOpen,
    /// Passed on and carried out; the answer never comes, and the connection stays open.
    HoldReply,
    /// Passed on so much later.
    Stall(Duration),
    /// Passed on at once; the answer is passed on so much later than it came.
    StallReply(Duration),
    /// The connection is closed before this byte.
    Cut(Side, u64),
    /// One bit of this byte is flipped.
    Flip(Side, u64),
    /// A pause, and then so many bytes, again and again: slow-loris, or a very bad line.
    Drip(Side, usize, Duration),
    /// S3: the request loses this header.
    Strip(String),
    /// S3: the answer says something else than the store did.
    Rewrite(Rewrite),
    /// Nothing goes wrong: it tells that the request was passed on ([`super::Planned::fired`]), as the moment for `kill -9`.
    Tell,
}

/// How an answer of the store is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewrite {
    /// A listing leaves out the entries that contain this text.
    Omit(String),
    /// A listing shows the entries that contain this text twice.
    Repeat(String),
    /// A listing shows no entry at all, and says that there is no more.
    EmptyPage,
    /// 404, whatever the store said.
    NotFound,
}

/// A fault and the requests it strikes: by default every one.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) fault: Fault,
    pub(super) operations: Vec<String>,
    pub(super) key: Option<String>,
    pub(super) except: Vec<String>,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Rule {
    /// Strikes everything.
    pub fn new(fault: Fault) -> Self {
        Self { fault, operations: Vec::new(), key: None, except: Vec::new(), from: 1, to: u64::MAX }
    }

    /// Only operations of this name; said again, of either name.
    #[must_use]
    pub fn on(mut self, operation: &str) -> Self {
        self.operations.push(operation.to_owned());
        self
    }

    /// Only what has this text in its key: `bucket/key`, subject or statement.
    #[must_use]
    pub fn key(mut self, part: &str) -> Self {
        self.key = Some(part.to_owned());
        self
    }

    /// But not what has this text in its key, or is called so; said again, nor that.
    #[must_use]
    pub fn except(mut self, part: &str) -> Self {
        self.except.push(part.to_owned());
        self
    }

    /// Only the n-th that fits, counted from 1 since the rule was planned.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        self.between(n, n)
    }

    /// Only the first so many that fit.
    #[must_use]
    pub fn first(self, count: u64) -> Self {
        self.between(1, count)
    }

    /// Only from the n-th on that fits.
    #[must_use]
    pub fn from(self, n: u64) -> Self {
        self.between(n, u64::MAX)
    }

    /// Only from the n-th to the m-th that fits, both included.
    #[must_use]
    pub fn between(mut self, n: u64, m: u64) -> Self {
        (self.from, self.to) = (n, m);
        self
    }

    /// Whether it is about this request, whichever it is by number.
    pub fn fits(&self, operation: &str, key: &str) -> bool {
        (self.operations.is_empty() || self.operations.iter().any(|name| name == operation))
            && self.key.as_ref().is_none_or(|part| key.contains(part))
            && !self.except.iter().any(|part| part == operation || key.contains(part))
    }
}

impl Fault {
    /// Whether the protocol has a place for it.
    pub(super) fn fits(&self, kind: Kind) -> bool {
        kind == Kind::S3 || !matches!(self, Self::Strip(_) | Self::Rewrite(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(status) => write!(f, "refused with {status}"),
            Self::Reset => write!(f, "reset"),
            Self::DropReply => write!(f, "reply dropped"),
            Self::HalfOpen => write!(f, "half open"),
            Self::HoldReply => write!(f, "reply held back"),
            Self::Stall(by) => write!(f, "stalled {by:?}"),
            Self::StallReply(by) => write!(f, "reply stalled {by:?}"),
            Self::Cut(side, at) => write!(f, "{side:?} cut at {at}"),
            Self::Flip(side, at) => write!(f, "{side:?} flipped at {at}"),
            Self::Drip(side, bytes, pause) => write!(f, "{side:?} dripped, {bytes} bytes each {pause:?}"),
            Self::Strip(header) => write!(f, "header {header} stripped"),
            Self::Rewrite(how) => write!(f, "answer rewritten: {how:?}"),
            Self::Tell => write!(f, "told"),
        }
    }
}
