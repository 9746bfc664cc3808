//! How much of the station's line the dock may take at which hour: one token bucket for all recorders together.

use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{clock::Clock, timetable::Timetable};

/// What may go at once after a pause, as time at the full rate.
const BURST: Duration = Duration::from_millis(250);
/// Slowest rate, bytes a second: below it sixty-four uploads in turn could each stand still for a minute, and ingest takes a
/// minute of silence for the end of a sender.
const SLOWEST: u64 = 128 << 10;

/// Bytes a second; none is as fast as it goes.
pub type Rate = Option<u64>;

/// Reads a rate: bytes a second with `K`, `M` or `G` of 1024, bits a second with `Kbit`, `Mbit` or `Gbit` of 1000, or
/// `unlimited`.
pub fn rate(text: &str) -> Result<Rate, String> {
    if text == "unlimited" {
        return Ok(None);
    }
    let wrong = || format!("{text}: expected a rate such as 20M (MiB a second), 160Mbit (a second) or unlimited");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let (times, parts) = match unit {
        "K" => (1 << 10, 1),
        "M" => (1 << 20, 1),
        "G" => (1 << 30, 1),
        "Kbit" => (1_000, 8),
        "Mbit" => (1_000_000, 8),
        "Gbit" => (1_000_000_000, 8),
        _ => return Err(wrong()),
    };
    match number.checked_mul(times).map(|bytes| bytes / parts) {
        Some(bytes @ SLOWEST..) => Ok(Some(bytes)),
        Some(_) => Err(format!("{text}: slower than {} KiB a second uploads would break off", SLOWEST >> 10)),
        None => Err(wrong()),
    }
}

/// A token bucket without a clock of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    /// When everything let through so far would have gone at its rate.
    free: Duration,
}

impl Bucket {
    /// Takes `bytes` at `rate`; answers how long they have to wait. `now` counts from any fixed moment and never goes back.
    pub fn take(&mut self, now: Duration, bytes: u64, rate: Rate) -> Duration {
        let Some(rate) = rate else {
            self.free = now;
            return Duration::ZERO;
        };
        let begin = self.free.max(now.saturating_sub(BURST));
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
        self.free = begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        begin.saturating_sub(now)
    }
}

/// The limit of one station, shared by all its uploads.
#[derive(Debug)]
pub struct Throttle {
    timetable: Timetable<Rate>,
    zone: TimeZone,
    now: Clock,
    begun: Instant,
    bucket: Mutex<Bucket>,
}

impl Throttle {
    /// A limit by this timetable in this time zone.
    #[must_use]
    pub fn new(timetable: Timetable<Rate>, zone: TimeZone, now: Clock) -> Self {
        Self { timetable, zone, now, begun: Instant::now(), bucket: Mutex::default() }
    }

    /// Waits until `bytes` may go. Who waits longest goes first.
    pub async fn pass(&self, bytes: u64) {
        // Held while waiting: the lock is what keeps the order.
        let mut bucket = self.bucket.lock().await;
        let hour = self.zone.to_datetime((self.now)()).time();
        let rate = self.timetable.at(hour).copied().flatten();
        let pause = bucket.take(self.begun.elapsed(), bytes, rate);
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const FRAME: u64 = 64 << 10;

    #[test]
    fn rates_are_spelt_in_bytes_or_bits() {
        assert_eq!(rate("20M"), Ok(Some(20 << 20)));
        assert_eq!(rate("160Mbit"), Ok(Some(20_000_000)));
        assert_eq!(rate("unlimited"), Ok(None));
        for wrong in ["", "20", "M", "20m", "1K", "0M", "-5M", "99999999999G", "20MB/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        /// However bytes come, no stretch of time carries more than its rate, one burst and one frame.
        #[test]
        fn no_stretch_of_time_carries_more_than_its_rate(
            rate in SLOWEST..(200 << 20),
            takes in proptest::collection::vec((0_u64..2_000, 1..=FRAME), 1..80),
        ) {
            let (mut bucket, mut now, mut gone) = (Bucket::default(), Duration::ZERO, Vec::new());
            for (later, bytes) in takes {
                now += Duration::from_millis(later);
                now += bucket.take(now, bytes, Some(rate));
                gone.push((now, bytes));
            }
            for (from, (begin, _)) in gone.iter().enumerate() {
                let mut sum = 0;
                for (end, bytes) in &gone[from..] {
                    sum += bytes;
                    let stretch = end.saturating_sub(*begin);
                    prop_assert!(sum <= carried(stretch + BURST, rate) + FRAME + 1, "{sum} in {stretch:?} at {rate}");
                }
            }
        }

        /// A line that is never idle is used to the full.
        #[test]
        fn a_busy_line_is_used_to_the_full(rate in SLOWEST..(200 << 20), frames in 10_u32..400) {
            let begin = Duration::from_secs(9);
            let (mut bucket, mut now) = (Bucket::default(), begin);
            for _ in 0..frames {
                now += bucket.take(now, FRAME, Some(rate));
            }
            let bytes = u64::from(frames) * FRAME;
            let taken = now.saturating_sub(begin);
            prop_assert!(bytes <= carried(taken + BURST, rate) + FRAME + 1);
            // Each frame may wait a nanosecond too long.
            prop_assert!(carried(taken, rate) <= bytes + carried(Duration::from_nanos(frames.into()), rate) + 1);
        }
    }

    fn carried(time: Duration, rate: u64) -> u64 {
        u64::try_from(time.as_nanos() * u128::from(rate) / 1_000_000_000).expect("bytes")
    }

    #[test]
    fn without_a_limit_nothing_waits_and_nothing_is_owed_later() {
        let mut bucket = Bucket::default();
        for _ in 0..100 {
            assert_eq!(bucket.take(Duration::from_secs(1), FRAME, None), Duration::ZERO);
        }
        assert_eq!(bucket.take(Duration::from_secs(1), FRAME, Some(SLOWEST)), Duration::ZERO);
    }

    fn at_noon() -> Timestamp {
        "2026-11-23T04:00:00Z".parse().expect("time")
    }

    #[tokio::test(start_paused = true)]
    async fn all_uploads_share_one_rate_by_the_local_hour() {
        let zone = TimeZone::get("Asia/Shanghai").expect("zone");
        let throttle = |text| Throttle::new(Timetable::parse(text, rate).expect("table"), zone.clone(), at_noon);
        let carry = async |throttle: &Throttle| {
            let begin = Instant::now();
            let upload = async || {
                for _ in 0..40 {
                    throttle.pass(FRAME).await;
                }
            };
            tokio::join!(upload(), upload(), upload(), upload());
            begin.elapsed()
        };
        // 10 MiB at 1 MiB a second; noon in China is 04 in London.
        let limited = carry(&throttle("11-13=1M,13-11=unlimited")).await;
        assert!((9.5..10.5).contains(&limited.as_secs_f64()), "{limited:?}");
        assert_eq!(carry(&throttle("03-05=1M")).await, Duration::ZERO);
    }
}
