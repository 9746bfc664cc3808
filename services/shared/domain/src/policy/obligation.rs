//! What must be kept, how long and why: the obligations that stand on one item, and which of them is the longest.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Cite, OpenReason, Origin, Words};
use crate::calendar::{Period, eligible_from, last_day_kept};

/// 保存義務: what one rule asks for one item. Longest applicable wins (requirements 1.7, point 4): see [`combine`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Obligation {
    /// Keep to a date: a dated lock.
    Dated {
        /// From when on a deletion may be proposed; the lock's retain-until. Whole seconds.
        until: Timestamp,
        /// The last day kept, in Asia/Shanghai.
        last_day_kept: Date,
        /// The period counted from ingest.
        period: Period,
        /// The clause.
        cite: Cite,
        /// Its words.
        text: String,
        /// Whose rule.
        origin: Origin,
    },
    /// Keep with no end date: a hold that only a person ends.
    Open {
        /// Why there is no date.
        reason: OpenReason,
        /// The clause.
        cite: Cite,
        /// Its words.
        text: String,
        /// Whose rule.
        origin: Origin,
    },
    /// Nobody knows yet how long: a hold, and no deletion, until the policy says.
    Unset {
        /// What is missing, as shown on screen.
        reason: Words,
        /// The clause whose text is missing.
        cite: Cite,
    },
    /// Keep for good: a hold at once, and a lock to the horizon when a leader has confirmed.
    Permanent {
        /// The clause.
        cite: Cite,
        /// Its words.
        text: String,
        /// Whose rule.
        origin: Origin,
    },
}

impl Obligation {
    /// The obligation to keep what was ingested at `ingest` for `period`.
    #[must_use]
    pub fn dated(ingest: Timestamp, period: Period, cite: Cite, text: String, origin: Origin) -> Self {
        let (until, last_day_kept) = (eligible_from(ingest, period), last_day_kept(ingest, period));
        Self::Dated { until, last_day_kept, period, cite, text, origin }
    }

    /// The clause it rests on.
    #[must_use]
    pub fn cite(&self) -> &Cite {
        match self {
            Self::Dated { cite, .. }
            | Self::Open { cite, .. }
            | Self::Unset { cite, .. }
            | Self::Permanent { cite, .. } => cite,
        }
    }

    /// The lock it asks for; none where it asks for a hold.
    #[must_use]
    pub fn lock_until(&self) -> Option<Timestamp> {
        if let Self::Dated { until, .. } = self { Some(*until) } else { None }
    }

    /// Whether it asks for a hold, and so rules out any deletion while it stands.
    #[must_use]
    pub fn is_hold(&self) -> bool {
        self.lock_until().is_none()
    }

    /// The longer of two: permanent, then unset (it may turn out permanent), then open, then the later date. Ties go by
    /// the clause, so that every replica gives the same answer.
    #[must_use]
    pub fn strongest(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(&self) -> (u8, Option<Timestamp>, &Cite) {
        let class = match self {
            Self::Dated { .. } => 0,
            Self::Open { .. } => 1,
            Self::Unset { .. } => 2,
            Self::Permanent { .. } => 3,
        };
        (class, self.lock_until(), self.cite())
    }
}

/// What the obligations on one item come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// All of them, the strongest first.
    pub because: Vec<Obligation>,
    /// The latest date any of them asks for; a lock is set even where a hold stands as well.
    pub lock_until: Option<Timestamp>,
    /// Whether any of them asks for a hold.
    pub hold: bool,
}

/// Joins obligations: the latest lock and every hold. Order and repetition do not matter.
#[must_use]
pub fn combine(obligations: impl IntoIterator<Item = Obligation>) -> Kept {
    let mut because: Vec<Obligation> = obligations.into_iter().collect();
    because.sort_by(|a, b| b.rank().cmp(&a.rank()));
    because.dedup();
    Kept {
        lock_until: because.iter().filter_map(Obligation::lock_until).max(),
        hold: because.iter().any(Obligation::is_hold),
        because,
    }
}

impl Kept {
    /// The obligation that decides.
    #[must_use]
    pub fn strongest(&self) -> Option<&Obligation> {
        self.because.first()
    }

    /// From when on a deletion may be proposed: never while a hold stands, nor where nothing is known.
    #[must_use]
    pub fn eligible_from(&self) -> Option<Timestamp> {
        if self.hold { None } else { self.lock_until }
    }
}
