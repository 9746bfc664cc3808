use jiff::{ToSpan, civil::date, tz::TimeZoneDatabase};
use proptest::prelude::*;

use super::*;

fn period(text: &str) -> Period {
    Period::parse(text).expect(text)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// Any instant from 2000 to 2199, to the nanosecond.
fn instants() -> impl Strategy<Value = Timestamp> {
    (946_684_800_i64..7_258_118_400, 0..1_000_000_000_i32)
        .prop_map(|(second, nanos)| Timestamp::new(second, nanos).expect("instant"))
}

fn periods() -> impl Strategy<Value = Period> {
    (0_u16..40, 0_u16..40, 0_u16..400)
        .prop_filter("empty", |counts| *counts != (0, 0, 0))
        .prop_map(|(years, months, days)| Period { years, months, days })
}

/// Requirements 1.8: the examples there are the days from which a deletion may be proposed.
#[test]
fn the_examples_of_the_second_reading() {
    let cases = [
        ("P3M", "2024-11-30T09:00+08", date(2025, 3, 1), "2025-03-02T00:00+08"),
        ("P6M", "2023-08-29T09:00+08", date(2024, 2, 29), "2024-03-01T00:00+08"),
        ("P1Y", "2024-02-29T09:00+08", date(2025, 3, 1), "2025-03-02T00:00+08"),
    ];
    for (length, ingest, last, from) in cases {
        assert_eq!(last_day_kept(at(ingest), period(length)), last, "{ingest} + {length}");
        assert_eq!(eligible_from(at(ingest), period(length)), at(from), "{ingest} + {length}");
    }
}

#[test]
fn the_day_is_the_day_in_china() {
    assert_eq!(last_day_kept(at("2026-03-31T15:59:59.999Z"), period("P1M")), date(2026, 5, 1));
    assert_eq!(last_day_kept(at("2026-03-31T16:00:00Z"), period("P1M")), date(2026, 5, 1));
    assert_eq!(last_day_kept(at("2026-03-30T15:59:59Z"), period("P1M")), date(2026, 4, 30));
    assert_eq!(eligible_from(at("2026-11-23T00:00Z"), period("P30D")), at("2026-12-24T00:00+08"));
}

#[test]
fn months_are_counted_before_days() {
    assert_eq!(last_day_kept(at("2026-01-31T00:00+08"), period("P1M1D")), date(2026, 3, 2));
    assert_eq!(last_day_kept(at("2026-01-31T00:00+08"), period("P1Y1M")), date(2027, 3, 1));
}

#[test]
fn a_period_is_read_strictly() {
    for text in ["P3M", "P6M", "P1Y", "P30D", "P180D", "P1Y6M", "P100Y", "P1200M", "P2Y3M4D"] {
        assert_eq!(period(text).to_string(), text);
    }
    for text in [
        "", "P", "3M", "p3M", "P3m", "P03M", "P0D", "P+3M", "P-3M", "P3", "P3M1Y", "P3M ", "P1W", "PT1H", "P٣M",
        "P1.5Y",
    ] {
        assert!(matches!(Period::parse(text), Err(PeriodError::Malformed(_))), "{text:?}");
    }
    for text in ["P101Y", "P1201M", "P100Y1M", "P38000D", "P65535M"] {
        assert!(matches!(Period::parse(text), Err(PeriodError::TooLong(_))), "{text:?}");
    }
    assert!(matches!(Period::parse("P65536D"), Err(PeriodError::Malformed(_))));
    assert!(Period::parse(&format!("P{}D", "9".repeat(4096))).is_err());
}

#[test]
fn a_period_in_words() {
    assert_eq!((period("P3M").in_english(), period("P3M").in_chinese()), ("3 months".into(), "3個月".into()));
    assert_eq!(period("P1Y6M1D").in_english(), "1 year 6 months 1 day");
    assert_eq!(period("P1Y6M1D").in_chinese(), "1年6個月1日");
}

#[test]
fn fitting_within_holds_for_every_day_of_the_calendar() {
    for (short, long, fits) in [
        ("P30D", "P1M", false),
        ("P28D", "P1M", true),
        ("P29D", "P1M", false),
        ("P30D", "P3M", true),
        ("P90D", "P3M", false),
        ("P180D", "P6M", true),
        ("P12M", "P1Y", true),
        ("P365D", "P1Y", true),
        ("P366D", "P1Y", false),
        ("P1461D", "P4Y", false),
    ] {
        assert_eq!(period(short).fits_within(period(long)), fits, "{short} within {long}");
    }
}

/// What the constant offset rests on.
#[test]
fn shanghai_has_no_other_offset() {
    let zone = TimeZoneDatabase::bundled().get("Asia/Shanghai").expect("bundled zone");
    assert!(
        zone.following(at("1990-01-01T00:00Z")).next().is_some(),
        "the database knows the summer times before 1992"
    );
    assert!(zone.following(at("1992-01-01T00:00Z")).next().is_none());
    assert_eq!(zone.to_offset(at("2026-11-23T00:00Z")), SHANGHAI);
}

#[test]
fn a_horizon_is_bounded_and_bounds() {
    let ingest = at("2026-11-23T12:00+08");
    assert_eq!(Horizon::default().end(ingest), at("2126-11-24T00:00+08"));
    for years in [0, 101, u16::MAX] {
        assert!(Horizon::of_years(years).is_err(), "{years}");
    }
    let ten = Horizon::of_years(10).expect("ten years");
    let (end, after) = (at("2036-11-24T00:00+08"), at("2036-11-24T00:00:01+08"));
    assert_eq!((ten.check(ingest, end), ten.clamp(ingest, end)), (Ok(end), end));
    assert!(ten.check(ingest, after).is_err());
    assert_eq!(ten.clamp(ingest, after), end);
    assert_eq!(ten.clamp(ingest, Timestamp::MAX), end);
}

proptest! {
    #[test]
    fn never_earlier_than_naive_addition(ingest in instants(), period in periods()) {
        let day = SHANGHAI.to_datetime(ingest).date();
        let naive = day + period.total_months().months() + i32::from(period.days).days();
        prop_assert!(last_day_kept(ingest, period) >= naive);
        prop_assert!(last_day_kept(ingest, period) <= naive.tomorrow().expect("day"));
        prop_assert!(eligible_from(ingest, period) > ingest);
    }

    #[test]
    fn monotone_in_ingest_time(a in instants(), b in instants(), step in 0_i64..200_000, period in periods()) {
        let (early, late) = (a.min(b), a.max(b));
        prop_assert!(eligible_from(early, period) <= eligible_from(late, period));
        prop_assert!(eligible_from(a, period) <= eligible_from(a + step.seconds(), period));
    }

    #[test]
    fn monotone_in_the_period(ingest in instants(), p in periods(), years in 0_u16..3, months in 0_u16..20, days in 0_u16..40) {
        let longer = Period { years: p.years + years, months: p.months + months, days: p.days + days };
        prop_assert!(eligible_from(ingest, p) <= eligible_from(ingest, longer));
    }

    #[test]
    fn eligible_at_midnight_in_china_in_whole_seconds(ingest in instants(), period in periods()) {
        let from = eligible_from(ingest, period);
        prop_assert_eq!(from.subsec_nanosecond(), 0);
        let local = SHANGHAI.to_datetime(from);
        prop_assert_eq!(local.time(), Time::midnight());
        prop_assert_eq!(local.date().yesterday().expect("day"), last_day_kept(ingest, period));
    }

    #[test]
    fn the_ends_of_time_do_not_panic(second in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(), period in periods()) {
        let ingest = Timestamp::from_second(second).expect("instant");
        prop_assert!(eligible_from(ingest, period) >= ingest);
    }

    #[test]
    fn what_fits_within_never_outlasts(ingest in instants(), months in 1_u16..60, off in -3_i32..40) {
        let by_months = Period { years: 0, months, days: 0 };
        let by_days = Period { years: 0, months: 0, days: u16::try_from(i32::from(months) * 30 + off).expect("days") };
        let (m, d) = (eligible_from(ingest, by_months), eligible_from(ingest, by_days));
        prop_assert!(m <= d || !by_months.fits_within(by_days));
        prop_assert!(d <= m || !by_days.fits_within(by_months));
    }

    #[test]
    fn periods_round_trip(period in periods()) {
        prop_assert_eq!(Period::parse(&period.to_string()), Ok(period));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "P?[0-9YMD]{0,12}|.{0,20}") {
        if let Ok(period) = Period::parse(&text) {
            prop_assert_eq!(period.to_string(), text);
        }
    }
}
