//! Settings that depend on the hour of the day, such as `08-18=20M,18-08=unlimited`. Pure: the hour is told.

use jiff::civil::Time;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// What holds at which time of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable<T> {
    spans: Vec<Span<T>>,
}

/// From a minute of the day, itself included, to another, itself excluded; over midnight where it ends before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span<T> {
    from: u16,
    to: u16,
    value: T,
}

impl<T> Timetable<T> {
    /// Reads `FROM-TO=VALUE` with commas between, times as `HH` or `HH:MM`, 24 for midnight at the end; a `VALUE` alone holds
    /// all day. No minute may have two values; one may have none.
    pub fn parse(text: &str, value: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        let mut spans: Vec<Span<T>> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let span = match part.split_once('=') {
                None => Span { from: 0, to: DAY, value: value(part)? },
                Some((hours, text)) => {
                    let (from, to) = hours.split_once('-').ok_or_else(|| wrong(part))?;
                    let (from, to) = (minute(from).ok_or_else(|| wrong(part))?, minute(to).ok_or_else(|| wrong(part))?);
                    if from == to || from == DAY {
                        return Err(format!("{part}: the time must begin before 24 and not end where it begins"));
                    }
                    Span { from, to, value: value(text.trim())? }
                }
            };
            if spans.iter().any(|other| (0..DAY).any(|minute| other.holds(minute) && span.holds(minute))) {
                return Err(format!("{part}: part of this time has a value already"));
            }
            spans.push(span);
        }
        Ok(Self { spans })
    }

    /// What holds at `time`.
    #[must_use]
    pub fn at(&self, time: Time) -> Option<&T> {
        let minute = u16::try_from(i16::from(time.hour()) * 60 + i16::from(time.minute())).unwrap_or(0);
        self.spans.iter().find(|span| span.holds(minute)).map(|span| &span.value)
    }
}

impl<T> Span<T> {
    fn holds(&self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
    let number = |digits: &str| {
        let digits = (1..=2).contains(&digits.len()).then_some(digits)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then_some(digits)?.parse::<u16>().ok()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

fn wrong(part: &str) -> String {
    format!("{part}: expected FROM-TO=VALUE with times as HH or HH:MM, such as 08-18=20M")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letters(text: &str) -> Result<Timetable<String>, String> {
        Timetable::parse(text, |value| Ok(value.to_owned()))
    }

    fn at(table: &Timetable<String>, hour: i8, minute: i8) -> Option<&str> {
        table.at(Time::constant(hour, minute, 59, 0)).map(String::as_str)
    }

    #[test]
    fn hours_go_over_midnight_and_may_have_gaps() {
        let table = letters("08-18=a, 22:30-06=b").expect("table");
        for (hour, minute, value) in
            [(7, 59, None), (8, 0, Some("a")), (17, 59, Some("a")), (18, 0, None), (22, 29, None), (22, 30, Some("b"))]
        {
            assert_eq!(at(&table, hour, minute), value, "{hour}:{minute}");
        }
        assert_eq!((at(&table, 0, 0), at(&table, 5, 59), at(&table, 6, 0)), (Some("b"), Some("b"), None));
        assert_eq!(at(&letters("x").expect("table"), 23, 59), Some("x"), "a value alone holds all day");
        assert_eq!(at(&letters("00-24=x").expect("table"), 23, 59), Some("x"));
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for wrong in
            ["08=a", "8-25=a", "08-08=a", "24-08=a", "08:60-09=a", "-8=a", "08-18=a,17-19=b", "a,08-09=b", "+8-9=a"]
        {
            assert!(letters(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        /// Any cut of the day into pieces is read back minute by minute.
        #[test]
        fn every_minute_has_the_value_it_was_given(mut cuts in proptest::collection::btree_set(0_u16..DAY, 2..9)) {
            let first = cuts.pop_first().expect("cut");
            let mut cuts: Vec<u16> = std::iter::once(first).chain(cuts).collect();
            cuts.push(cuts[0]);
            let spell = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let parts: Vec<String> =
                cuts.windows(2).enumerate().map(|(n, ends)| format!("{}-{}={n}", spell(ends[0]), spell(ends[1]))).collect();
            let table = letters(&parts.join(",")).expect("table");
            for minute in 0..DAY {
                let expected = cuts[..cuts.len() - 1].iter().rposition(|cut| *cut <= minute).unwrap_or(cuts.len() - 2);
                let (hour, minute) = (i8::try_from(minute / 60).expect("hour"), i8::try_from(minute % 60).expect("minute"));
                let expected = expected.to_string();
                prop_assert_eq!(at(&table, hour, minute), Some(expected.as_str()));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9:=,a-]{0,20}") {
            let _ = letters(&text);
        }
    }
}
