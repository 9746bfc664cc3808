//! A policy file as types: what stands in `deploy/policies/*.yaml`.

use jiff::civil::Date;
use serde::Deserialize;

use super::{Cite, Origin, Rule, Words};
use crate::{
    calendar::{Horizon, Period},
    ids::TenantId,
};

/// One tenant's policy file. Exists only if the checks of its file passed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// The agency.
    pub tenant: TenantId,
    /// Code of the regulation it is under: the letter its citations begin with.
    pub regulation: String,
    /// Title of the regulation.
    pub title: Words,
    /// Who issued the regulation.
    pub issuer: Words,
    /// Since when the regulation is in force; absent where its text names no date.
    #[serde(default)]
    pub in_force: Option<InForce>,
    /// Version of this file; a change is a new version.
    pub version: u32,
    /// From which day this version is applied. To everything kept, not only to what is ingested from then on: a later
    /// version never shortens, so it may only add (requirements 1.7, point 4).
    pub effective_from: Date,
    /// The version this one replaces; absent for the first.
    #[serde(default)]
    pub replaces: Option<Replaced>,
    /// The first lock, set in the call that creates the object. Ours, not the text's.
    pub floor: Floor,
    /// The farthest date a lock may have. Ours, not the text's.
    pub horizon: FarEnd,
    /// How long everything is kept.
    pub base: Base,
    /// Sentences that rules are items of.
    #[serde(default)]
    pub leads: Vec<Clause>,
    /// What is kept longer.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// How long everything is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Base {
    /// At least this long.
    AtLeast {
        /// Counted from ingest.
        period: Period,
        /// The clause.
        cite: Cite,
        /// Its words.
        text: String,
    },
    /// The text is missing: nothing is ever eligible for deletion.
    Unset {
        /// What is missing, as shown on screen.
        reason: Words,
        /// The clause whose text is missing.
        cite: Cite,
    },
}

/// The first lock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// Counted from ingest.
    pub period: Period,
    /// Always `ours`.
    pub origin: Origin,
    /// Why this length.
    pub why: Words,
}

/// The farthest date a lock may have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FarEnd {
    /// Years from ingest.
    pub years: Horizon,
    /// Always `ours`.
    pub origin: Origin,
}

/// A regulation's own first day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// The day.
    pub since: Date,
    /// The clause that names it.
    pub cite: Cite,
}

/// The version that came before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// Its number.
    pub version: u32,
    /// From which day it was applied.
    pub effective_from: Date,
}

/// A clause and its words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// The clause.
    pub cite: Cite,
    /// Its words.
    pub text: String,
}
