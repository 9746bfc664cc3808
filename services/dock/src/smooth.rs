//! Spreads the beginning of uploads at shift end, so that a province does not begin at once (requirements 3.10: 67 Gbit/s if
//! everybody docks within two hours). Pure: time and names are told.

use std::time::Duration;

use custos_domain::ids::DeviceId;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{identity::Station, timetable::Timetable};

/// When uploads are spread, and over how long.
#[derive(Debug, Clone)]
pub struct Smoothing {
    /// Longest delay by the hour a recorder is plugged in.
    pub windows: Timetable<Duration>,
    /// The station's time zone.
    pub zone: TimeZone,
}

impl Smoothing {
    /// How long the recorder that was plugged in at `now` waits before its first ordinary file.
    #[must_use]
    pub fn delay(&self, now: Timestamp, station: &Station, device: &DeviceId) -> Duration {
        let local = self.zone.to_datetime(now);
        let window = self.windows.at(local.time()).copied().unwrap_or_default();
        share(station, device, local.date(), window)
    }
}

/// Reads the longest delay: `30s`, `20m` or `2h`, at most four hours.
pub fn window(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text}: expected a time such as 20m, from 1s to 4h");
    let (number, seconds) = match text.char_indices().next_back() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 3600),
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(seconds) {
        Some(seconds @ 1..=14_400) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong()),
    }
}

/// A part of `window` by station, recorder and day: the same whenever it is asked, another each day, so that nobody is always
/// the last.
fn share(station: &Station, device: &DeviceId, day: Date, window: Duration) -> Duration {
    let mut hasher = blake3::Hasher::new_derive_key("custos 2026 dock start");
    for part in
        [station.tenant.as_str(), station.unit.as_str(), station.station.as_str(), device.as_str(), &day.to_string()]
    {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part.as_bytes());
    }
    let mut digits = [0; 4];
    digits.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
    window.mul_f64(f64::from(u32::from_be_bytes(digits)) / 2_f64.powi(32))
}

#[cfg(test)]
mod tests {
    use custos_domain::ids::{StationId, TenantId, UnitPath};
    use proptest::prelude::*;

    use super::*;

    fn station(number: u32) -> Station {
        Station {
            tenant: TenantId::parse("E").expect("tenant"),
            unit: UnitPath::parse("NJ/XW").expect("unit"),
            station: StationId::parse(&format!("ST{number:04}")).expect("station"),
        }
    }

    fn device(number: u32) -> DeviceId {
        DeviceId::parse(&format!("DSJ{number:05}")).expect("device")
    }

    fn smoothing() -> Smoothing {
        let windows = Timetable::parse("17:30-19=20m", window).expect("windows");
        Smoothing { windows, zone: TimeZone::get("Asia/Shanghai").expect("zone") }
    }

    #[test]
    fn windows_are_spelt_with_a_unit() {
        assert_eq!(window("20m"), Ok(Duration::from_mins(20)));
        for wrong in ["", "20", "0m", "5h", "m", "1d", "二m", "-1s"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_shift_end_is_spread() {
        let at = |text: &str| smoothing().delay(text.parse().expect("time"), &station(1), &device(1));
        assert_eq!(at("2026-11-23T12:00:00+08:00"), Duration::ZERO);
        assert_eq!(at("2026-11-23T19:00:00+08:00"), Duration::ZERO);
        assert!(at("2026-11-23T18:00:00+08:00") > Duration::ZERO);
        assert_eq!(at("2026-11-23T18:00:00+08:00"), at("2026-11-23T10:00:00Z"));
    }

    /// A hundred stations of ten recorders, all plugged in at the same second.
    #[test]
    fn a_province_never_begins_at_once() {
        let now = "2026-11-23T18:00:00+08:00".parse().expect("time");
        let mut minutes = [0_u32; 20];
        for (place, recorder) in (0..1000).map(|n| (n / 10, n)) {
            let delay = smoothing().delay(now, &station(place), &device(recorder));
            minutes[usize::try_from(delay.as_secs() / 60).expect("minute")] += 1;
        }
        assert!(minutes.iter().all(|begun| (20..=90).contains(begun)), "fifty in each minute, not {minutes:?}");
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_the_window(seconds in 1_u64..14_400, place in 0_u32..9999, recorder in 0_u32..99_999, day in 1_i8..28) {
            let (station, device, day) = (station(place), device(recorder), jiff::civil::date(2026, 11, day));
            let window = Duration::from_secs(seconds);
            let delay = share(&station, &device, day, window);
            prop_assert!(delay < window);
            prop_assert_eq!(delay, share(&station, &device, day, window), "asked twice");
        }
    }
}
