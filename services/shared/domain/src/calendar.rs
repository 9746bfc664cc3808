//! Retention arithmetic: calendar periods counted by the day in China, always to the later date (requirements 1.8).
//!
//! Anchored on the platform's ingest time, never on a recorder's clock (requirements 1.7, point 6). Where the calendar of
//! the library ends (the year 9999) results stay at its end: later is safe, earlier never is.

use std::fmt;

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{self, Offset},
};
use serde::{Deserialize, Serialize};

/// Asia/Shanghai: +08:00 without summer time since 1991.
///
/// A constant, so that no two replicas with different time-zone databases can compute different lock dates; a test holds it
/// against the bundled database.
pub const SHANGHAI: Offset = tz::offset(8);

/// The last day, in Asia/Shanghai, on which footage ingested at `ingest` must still be kept.
///
/// The corresponding day of the later month; where that day does not exist, the first day of the month after.
#[must_use]
pub fn last_day_kept(ingest: Timestamp, period: Period) -> Date {
    let day = SHANGHAI.to_datetime(ingest).date();
    let shifted = day.saturating_add(Span::new().months(period.total_months()));
    let corresponding = if shifted.day() == day.day() { shifted } else { shifted.tomorrow().unwrap_or(Date::MAX) };
    corresponding.saturating_add(Span::new().days(period.days))
}

/// From when on a deletion may be proposed: 00:00 in Asia/Shanghai of the day after [`last_day_kept`], in whole seconds.
///
/// This is also the retain-until of the store's lock.
#[must_use]
pub fn eligible_from(ingest: Timestamp, period: Period) -> Timestamp {
    last_day_kept(ingest, period).tomorrow().map_or(last_second(), start_of_day)
}

/// Date and time on a wall clock in Asia/Shanghai.
#[must_use]
pub fn shanghai(at: Timestamp) -> DateTime {
    SHANGHAI.to_datetime(at)
}

/// The calendar day in Asia/Shanghai.
#[must_use]
pub fn day(at: Timestamp) -> Date {
    shanghai(at).date()
}

/// A calendar period of years, months and days, written as in ISO 8601: `P3M`, `P1Y`, `P30D`, `P1Y6M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    years: u16,
    months: u16,
    days: u16,
}

impl Period {
    /// Reads `P[nY][nM][nD]`: capital letters, no leading zeros, no zero counts, at least one count, at most
    /// [`Horizon::MAX_YEARS`] years in all.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let malformed = || PeriodError::Malformed(text.escape_debug().take(32).collect());
        let mut rest = text.strip_prefix('P').ok_or_else(malformed)?;
        let mut counts = [0_u16; 3];
        for (count, unit) in counts.iter_mut().zip(['Y', 'M', 'D']) {
            if let Some((digits, after)) = rest.split_once(unit) {
                *count = positive(digits).ok_or_else(malformed)?;
                rest = after;
            }
        }
        let [years, months, days] = counts;
        let period = Self { years, months, days };
        if !rest.is_empty() || counts == [0; 3] {
            return Err(malformed());
        }
        if period.total_months() + i32::from(days) / 31 > i32::from(Horizon::MAX_YEARS) * 12 {
            return Err(PeriodError::TooLong(period.to_string()));
        }
        Ok(period)
    }

    /// A period of whole years; the one way to a period that needs no text.
    #[must_use]
    fn of_years(years: u16) -> Self {
        Self { years, months: 0, days: 0 }
    }

    /// Whether this period never outlasts `other`, from whatever day both are counted.
    #[must_use]
    pub fn fits_within(self, other: Self) -> bool {
        let clearly =
            self.total_months() * 31 + 1 + i32::from(self.days) <= other.total_months() * 28 + i32::from(other.days);
        clearly || days_of_every_kind().all(|ingest| last_day_kept(ingest, self) <= last_day_kept(ingest, other))
    }

    /// In English words: `1 year 6 months`.
    #[must_use]
    pub fn in_english(self) -> String {
        let plural = |count: u16| if count == 1 { "" } else { "s" };
        self.joined(" ", |count, unit| {
            let name = ["year", "month", "day"][unit];
            format!("{count} {name}{}", plural(count))
        })
    }

    /// In Chinese words: `1年6個月`.
    #[must_use]
    pub fn in_chinese(self) -> String {
        self.joined("", |count, unit| format!("{count}{}", ["年", "個月", "日"][unit]))
    }

    fn total_months(self) -> i32 {
        i32::from(self.years) * 12 + i32::from(self.months)
    }

    fn joined(self, separator: &str, word: impl Fn(u16, usize) -> String) -> String {
        let counts = [self.years, self.months, self.days].into_iter().enumerate();
        let words: Vec<String> =
            counts.filter(|&(_, count)| count > 0).map(|(unit, count)| word(count, unit)).collect();
        words.join(separator)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.joined("", |count, unit| format!("{count}{}", ["Y", "M", "D"][unit])))
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;
    fn try_from(text: String) -> Result<Self, PeriodError> {
        Self::parse(&text)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> String {
        period.to_string()
    }
}

/// Why a text is not a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Not of the form `P[nY][nM][nD]`.
    #[error("`{0}` is not a period: expected years, months and days such as P3M, P1Y or P30D")]
    Malformed(String),
    /// Longer than any lock may be.
    #[error("{0} is longer than {max} years, the most a lock may last", max = Horizon::MAX_YEARS)]
    TooLong(String),
}

/// How far ahead a lock may reach, in years from ingest. Ours, not the text's: a COMPLIANCE lock cannot be taken back, so
/// "permanent" is locked to the horizon and held beyond it (requirements 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Horizon(u16);

impl Horizon {
    /// The farthest horizon there is, and the default.
    pub const MAX_YEARS: u16 = 100;

    /// A horizon of 1 to [`Self::MAX_YEARS`] years.
    pub fn of_years(years: u16) -> Result<Self, HorizonError> {
        if (1..=Self::MAX_YEARS).contains(&years) { Ok(Self(years)) } else { Err(HorizonError(years)) }
    }

    /// The horizon as a period.
    #[must_use]
    pub fn period(self) -> Period {
        Period::of_years(self.0)
    }

    /// The last date a lock on footage ingested at `ingest` may have; the date that stands for "permanent".
    #[must_use]
    pub fn end(self, ingest: Timestamp) -> Timestamp {
        eligible_from(ingest, self.period())
    }

    /// Lets `until` pass if it lies within the horizon.
    pub fn check(self, ingest: Timestamp, until: Timestamp) -> Result<Timestamp, BeyondHorizon> {
        let end = self.end(ingest);
        if until <= end { Ok(until) } else { Err(BeyondHorizon { until, end, years: self.0 }) }
    }

    /// `until`, or the end of the horizon if that comes first. What is cut off needs a hold.
    #[must_use]
    pub fn clamp(self, ingest: Timestamp, until: Timestamp) -> Timestamp {
        until.min(self.end(ingest))
    }
}

impl Default for Horizon {
    fn default() -> Self {
        Self(Self::MAX_YEARS)
    }
}

impl TryFrom<u16> for Horizon {
    type Error = HorizonError;
    fn try_from(years: u16) -> Result<Self, HorizonError> {
        Self::of_years(years)
    }
}

impl From<Horizon> for u16 {
    fn from(horizon: Horizon) -> u16 {
        horizon.0
    }
}

/// A horizon outside the range that may be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a horizon of {0} years is not allowed: choose 1 to {max} years", max = Horizon::MAX_YEARS)]
pub struct HorizonError(u16);

/// A lock date that could never be taken back, and is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{until} is beyond the horizon of {years} years, which ends {end}; use an earlier date and a hold")]
pub struct BeyondHorizon {
    until: Timestamp,
    end: Timestamp,
    years: u16,
}

/// A count as it stands in a period: one to five digits, not starting with zero.
fn positive(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}

fn start_of_day(day: Date) -> Timestamp {
    SHANGHAI.to_timestamp(DateTime::from_parts(day, Time::midnight())).unwrap_or_else(|_| last_second())
}

fn last_second() -> Timestamp {
    Timestamp::from_second(Timestamp::MAX.as_second()).unwrap_or(Timestamp::MAX)
}

/// Ingest days that show every month length: eight years around 2100, with and without leap days.
fn days_of_every_kind() -> impl Iterator<Item = Timestamp> {
    let first = start_of_day(Date::constant(2096, 1, 1)).as_second();
    (0..8 * 366).filter_map(move |day| Timestamp::from_second(first + day * 86_400).ok())
}

#[cfg(test)]
mod tests;
