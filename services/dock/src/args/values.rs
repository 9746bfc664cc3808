//! Values of options as people write them.

use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;

use crate::{
    bandwidth::{self, Rate},
    smooth,
    timetable::Timetable,
};

pub(super) fn https(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    if url.scheme() == "https" && url.has_host() { Ok(url) } else { Err("expected https://HOST[:PORT]".to_owned()) }
}

pub(super) fn bandwidth_table(text: &str) -> Result<Timetable<Rate>, String> {
    Timetable::parse(text, bandwidth::rate)
}

pub(super) fn smooth_windows(text: &str) -> Result<Timetable<Duration>, String> {
    Timetable::parse(text, smooth::window)
}

pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "expected a time zone such as Asia/Shanghai".to_owned())
}

pub(super) fn parallel(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=64) => Ok(n),
        _ => Err("expected a number from 1 to 64".to_owned()),
    }
}
