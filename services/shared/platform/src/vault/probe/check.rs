//! What a check is, and what can come of it.

use std::fmt;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::scratch::Scratch;
use crate::vault::StoreError;

/// What is asked of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum StoreMode {
    /// An original is locked by the call that creates it (INV-2).
    #[default]
    Strict,
    /// For a store that drops lock headers on multipart creation: the lock is set and read back after Complete, before manifest and
    /// receipt. Until then the bucket's default retention is what locks, so the store must have one.
    Repair,
}

/// How far the store is to be trusted.
#[derive(Debug, Clone, clap::Args)]
pub struct ProbeArgs {
    /// What the store must be capable of. `repair` is for a store that drops lock headers on multipart creation; the originals
    /// bucket must then have a default retention in COMPLIANCE mode.
    #[arg(long, env = "CUSTOS_STORE_MODE", value_enum, default_value_t)]
    pub store_mode: StoreMode,
}

/// One thing a store is tried for.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its stable name: in the table, in metrics, in incidents.
    pub id: &'static str,
    /// What is tried, and what must come of it.
    pub tried: &'static str,
    /// Whether the store may fail it.
    pub weight: Weight,
    /// Why: the invariant that rests on it, or what makes a failure harmless.
    pub why: &'static str,
    /// What an administrator can do about a failure.
    pub remedy: &'static str,
    pub(super) trial: Trial,
}

/// Tries it.
pub(super) type Trial = for<'s> fn(&'s Scratch) -> BoxFuture<'s, Result<Outcome, StoreError>>;

/// Whether a store may fail a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// No footage is taken by a store that fails it.
    Mandatory,
    /// Mandatory in strict mode; what repair mode makes up for.
    Strict,
    /// Mandatory in repair mode, which rests on it.
    Repair,
    /// Good to know: something else makes a failure harmless.
    Advisory,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The store does what is asked.
    Kept {
        /// What was seen.
        seen: String,
    },
    /// The store does something else.
    Broken {
        /// What was seen instead.
        seen: String,
    },
    /// It could not be tried, so nothing is known.
    Untried {
        /// Why.
        seen: String,
        /// Whether the store was only away, so that another try may tell.
        passing: bool,
    },
}

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's name.
    pub id: String,
    /// What was tried.
    pub tried: String,
    /// Whether the store may not fail it, in the mode it was probed for.
    pub mandatory: bool,
    /// Why.
    pub why: String,
    /// What an administrator can do about a failure.
    pub remedy: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Check {
    /// Tries it.
    pub(super) async fn find(&self, mode: StoreMode, scratch: &Scratch) -> Finding {
        let outcome = match (self.trial)(scratch).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Untried { seen: error.to_string(), passing: !error.is_permanent() },
        };
        Finding {
            id: self.id.to_owned(),
            tried: self.tried.to_owned(),
            mandatory: self.weight.is_mandatory(mode),
            why: self.why.to_owned(),
            remedy: self.remedy.to_owned(),
            outcome,
        }
    }
}

impl Weight {
    /// Whether a store that is run in this mode may not fail it.
    #[must_use]
    pub fn is_mandatory(self, mode: StoreMode) -> bool {
        match self {
            Self::Mandatory => true,
            Self::Strict => mode == StoreMode::Strict,
            Self::Repair => mode == StoreMode::Repair,
            Self::Advisory => false,
        }
    }
}

impl Outcome {
    pub(super) fn kept(seen: impl Into<String>) -> Self {
        Self::Kept { seen: seen.into() }
    }

    pub(super) fn broken(seen: impl Into<String>) -> Self {
        Self::Broken { seen: seen.into() }
    }

    pub(super) fn untried(seen: impl Into<String>) -> Self {
        Self::Untried { seen: seen.into(), passing: false }
    }

    /// Kept when `holds`.
    pub(super) fn when(holds: bool, seen: impl Into<String>) -> Self {
        if holds { Self::kept(seen) } else { Self::broken(seen) }
    }

    /// Whether the store does what is asked.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept { .. })
    }

    /// What was seen, or why nothing was.
    #[must_use]
    pub fn seen(&self) -> &str {
        match self {
            Self::Kept { seen } | Self::Broken { seen } | Self::Untried { seen, .. } => seen,
        }
    }

    /// Its stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kept { .. } => "kept",
            Self::Broken { .. } => "broken",
            Self::Untried { .. } => "untried",
        }
    }
}

impl fmt::Display for StoreMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Repair => "repair",
        })
    }
}
