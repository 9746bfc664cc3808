//! What no policy file may say. The checks run while a file is read, so a [`Policy`] that exists has passed them.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Base, Cite, Duty, Origin, Policy};
use crate::calendar::Period;

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let policy = Self::deserialize(deserializer)?;
        policy.check().map_err(D::Error::custom)?;
        Ok(policy)
    }
}

impl Policy {
    /// What no file may say, each with the field to mend.
    fn check(&self) -> Result<(), Flaw> {
        if self.regulation.len() != 1 || !self.regulation.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Flaw::Regulation(self.regulation.clone()));
        }
        self.check_dates()?;
        self.check_periods()?;
        self.check_texts()?;
        self.check_rules()
    }

    fn check_dates(&self) -> Result<(), Flaw> {
        if let Some(in_force) = &self.in_force
            && self.effective_from < in_force.since
        {
            return Err(Flaw::BeforeInForce { effective_from: self.effective_from, since: in_force.since });
        }
        let order = self
            .replaces
            .as_ref()
            .is_none_or(|old| old.version < self.version && old.effective_from < self.effective_from);
        let first = self.replaces.is_some() || self.version == 1;
        if order && first { Ok(()) } else { Err(Flaw::VersionOrder(self.version)) }
    }

    fn check_periods(&self) -> Result<(), Flaw> {
        let horizon = self.horizon.years.period();
        let dated = self.rules.iter().filter_map(|rule| match rule.obligation {
            Duty::Dated(period) => Some((rule.cite.to_string(), period)),
            Duty::Open(_) | Duty::Permanent => None,
        });
        let base = match &self.base {
            Base::AtLeast { period, .. } => Some(("base".to_owned(), *period)),
            Base::Unset { .. } => None,
        };
        for (field, period) in base.iter().cloned().chain(dated).chain([("floor".to_owned(), self.floor.period)]) {
            if !period.fits_within(horizon) {
                return Err(Flaw::BeyondHorizon { field, period, horizon });
            }
        }
        match base {
            Some((_, base)) if !self.floor.period.fits_within(base) => {
                Err(Flaw::FloorTooLong { floor: self.floor.period, base })
            }
            _ => Ok(()),
        }
    }

    fn check_texts(&self) -> Result<(), Flaw> {
        if self.floor.origin != Origin::Ours || self.horizon.origin != Origin::Ours {
            return Err(Flaw::NotTheText);
        }
        let base = match &self.base {
            Base::AtLeast { cite, text, .. } => (cite, text.as_str()),
            Base::Unset { cite, reason } => (cite, reason.en.as_str()),
        };
        let leads = self.leads.iter().map(|lead| (&lead.cite, lead.text.as_str()));
        let rules =
            self.rules.iter().filter(|rule| rule.origin == Origin::Text).map(|rule| (&rule.cite, rule.text.as_str()));
        for (cite, text) in leads.chain(rules).chain([base]) {
            if cite.regulation() != self.regulation {
                return Err(Flaw::OtherRegulation { cite: cite.clone(), regulation: self.regulation.clone() });
            }
            if text.trim().is_empty() {
                return Err(Flaw::NoText(cite.clone()));
            }
        }
        Ok(())
    }

    fn check_rules(&self) -> Result<(), Flaw> {
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.triggers.is_empty() {
                return Err(Flaw::NoTrigger(rule.cite.clone()));
            }
            if self.rules[..index].iter().any(|earlier| earlier.cite == rule.cite) {
                return Err(Flaw::TwiceCited(rule.cite.clone()));
            }
            if let Some(under) = &rule.under
                && !self.leads.iter().any(|lead| lead.cite == *under)
            {
                return Err(Flaw::NoLead { cite: rule.cite.clone(), under: under.clone() });
            }
        }
        Ok(())
    }
}

/// Why a policy file is refused, with the field to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("regulation: `{0}` is not a code; write one capital letter")]
    Regulation(String),
    #[error("effective_from: {effective_from} is before the regulation is in force, {since}")]
    BeforeInForce { effective_from: Date, since: Date },
    #[error(
        "version: {0} must be 1, or replace an earlier version (replaces.version) with an earlier date (replaces.effective_from)"
    )]
    VersionOrder(u32),
    #[error("{field}: the period {period} is longer than the horizon, {horizon}; shorten it")]
    BeyondHorizon { field: String, period: Period, horizon: Period },
    #[error("floor.period: {floor} can be longer than base.at_least.period, {base}; shorten the floor")]
    FloorTooLong { floor: Period, base: Period },
    #[error("floor.origin and horizon.origin must be `ours`: no regulation asks for them")]
    NotTheText,
    #[error("{cite}: not an article of regulation {regulation}; mark the rule `origin: ours` or correct the cite")]
    OtherRegulation { cite: Cite, regulation: String },
    #[error("{0}: the text is empty; quote the article")]
    NoText(Cite),
    #[error("rules: {0} names no trigger")]
    NoTrigger(Cite),
    #[error("rules: {0} stands there twice; join the triggers in one rule")]
    TwiceCited(Cite),
    #[error("rules: {cite} is under {under}, which is not among the leads")]
    NoLead { cite: Cite, under: Cite },
}
