//! How long an item is kept: what was asked for, what still stands of it, and what that comes to.

use custos_domain::{
    fact::Act,
    hold::Permanence,
    ids::FactId,
    policy::{Obligation, OpenReason, combine},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Known, holds::HoldRecord};

/// An obligation that was stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// What is asked for, and by which article.
    #[schema(value_type = Object)]
    pub obligation: Obligation,
    /// The policy file's version that asked.
    pub policy_version: u32,
    /// When it was first stated.
    #[schema(value_type = String)]
    pub stated_at: Timestamp,
    /// The fact.
    #[schema(value_type = String)]
    pub fact: FactId,
    /// Whether two people ended every hold that stood for it.
    pub ended: bool,
}

/// How long an item is kept, in one word; the strongest that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Locked, and no period known: not stated yet, or every reason was ended.
    Pending,
    /// To a date.
    Dated,
    /// 與案卷保存期限相同: until a person enters the case file's period.
    CaseFile,
    /// 長期: until people end it.
    LongTerm,
    /// Nobody knows how long yet.
    Unset,
    /// 永久.
    Permanent,
}

impl Class {
    /// Its stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Dated => "dated",
            Self::CaseFile => "case_file",
            Self::LongTerm => "long_term",
            Self::Unset => "unset",
            Self::Permanent => "permanent",
        }
    }

    fn of(obligation: &Obligation) -> Self {
        match obligation {
            Obligation::Dated { .. } => Self::Dated,
            Obligation::Open { reason: OpenReason::CaseFile, .. } => Self::CaseFile,
            Obligation::Open { reason: OpenReason::LongTerm, .. } => Self::LongTerm,
            Obligation::Unset { .. } => Self::Unset,
            Obligation::Permanent { .. } => Self::Permanent,
        }
    }

    fn of_hold(hold: &HoldRecord) -> Self {
        match hold.permanence {
            Permanence::Open => Self::LongTerm,
            Permanence::Permanent => Self::Permanent,
        }
    }
}

/// Every obligation that was stated, once, the strongest first.
pub(super) fn obligations(facts: &[Known]) -> Vec<Standing> {
    let holds = super::holds::fold(facts);
    let mut stated: Vec<Standing> = Vec::new();
    for known in facts {
        let Act::LockExtended { obligation, policy_version, .. } = &known.fact.act else { continue };
        if stated.iter().any(|before| before.obligation == *obligation) {
            continue;
        }
        stated.push(Standing {
            obligation: obligation.clone(),
            policy_version: *policy_version,
            stated_at: known.fact.at,
            fact: known.fact.id.clone(),
            ended: ended(obligation, &holds),
        });
    }
    let order = combine(stated.iter().map(|standing| standing.obligation.clone())).because;
    stated.sort_by_key(|standing| order.iter().position(|obligation| *obligation == standing.obligation));
    stated
}

/// Open, unset and permanent obligations have no date: they end when people release every hold that stood for them, and not
/// before there was one (requirements 1.8).
fn ended(obligation: &Obligation, holds: &[HoldRecord]) -> bool {
    let mut for_it =
        holds.iter().filter(|hold| hold.reason.as_ref().is_some_and(|r| r.cite == *obligation.cite())).peekable();
    obligation.is_hold() && for_it.peek().is_some() && for_it.all(|hold| !hold.stands())
}

/// The latest date ever read back: locks only grow (INV-3).
pub(super) fn locked_until(first: Timestamp, facts: &[Known]) -> Timestamp {
    let extended = facts.iter().filter_map(|known| match known.fact.act {
        Act::LockExtended { until, .. } => Some(until),
        _ => None,
    });
    extended.fold(first, Timestamp::max)
}

/// The strongest of what stands.
pub(super) fn class(obligations: &[Standing], holds: &[HoldRecord]) -> Class {
    let asked = obligations.iter().filter(|standing| !standing.ended).map(|standing| Class::of(&standing.obligation));
    let held = holds.iter().filter(|hold| hold.stands()).map(Class::of_hold);
    asked.chain(held).max().unwrap_or(Class::Pending)
}

/// From when on a deletion may be proposed: never while anything asks for a hold, nor where no date was ever asked for.
pub(super) fn eligible_from(
    locked_until: Timestamp,
    held: bool,
    obligations: &[Standing],
    holds: &[HoldRecord],
) -> Option<Timestamp> {
    let dated = obligations.iter().filter_map(|standing| standing.obligation.lock_until()).max()?;
    let free = !held && class(obligations, holds) == Class::Dated;
    free.then(|| dated.max(locked_until))
}
