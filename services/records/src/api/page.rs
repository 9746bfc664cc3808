//! What lists have in common: limits, times, and the opaque place where the next page begins.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use custos_domain::calendar::SHANGHAI;
use custos_platform::http::Problem;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::catalogue::lists::Place;

/// Rows of a page when nothing is said.
const USUAL: usize = 50;
/// Most rows of a page.
const MOST: usize = 200;

/// Rows of a page.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request(format!("limit: choose 1 to {MOST}")))
}

/// The first moment of a filter: a time with its offset, or the beginning of a day in China.
pub(super) fn from(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| moment("from", text, false)).transpose()
}

/// The moment a filter ends before: a time with its offset, or the end of a day in China.
pub(super) fn to(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| moment("to", text, true)).transpose()
}

fn moment(name: &str, text: &str, end: bool) -> Result<Timestamp, Problem> {
    // A `+` that was not escaped arrives as a space.
    if let Ok(time) = text.replace(' ', "+").parse::<Timestamp>() {
        return Ok(time);
    }
    let day = (text.len() == "2026-11-23".len()).then(|| text.parse::<Date>().ok()).flatten();
    let day = if end { day.and_then(|day| day.tomorrow().ok()) } else { day };
    day.and_then(|day| SHANGHAI.to_timestamp(day.at(0, 0, 0, 0)).ok()).ok_or_else(|| {
        Problem::bad_request(format!(
            "{name}: write a day such as 2026-11-23, or a time such as 2026-11-23T09:15:00+08:00"
        ))
    })
}

/// Where the next page begins, as it is given out. `list` tells lists and orders apart.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    list: String,
    at: i64,
    name: String,
}

/// A place as text.
pub(super) fn token(list: &str, place: &Place) -> String {
    let token = Token { list: list.to_owned(), at: place.at.as_microsecond(), name: place.name.clone() };
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

/// The place a text names.
pub(super) fn place(list: &str, text: Option<&str>) -> Result<Option<Place>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let token =
        decoded.and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok()).filter(|token| token.list == list);
    let place =
        token.and_then(|Token { at, name, .. }| Some(Place { at: Timestamp::from_microsecond(at).ok()?, name }));
    let wrong =
        || Problem::bad_request("after: pass the `next` of an earlier page of this list and order, as it was given");
    place.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_chinese_and_include_their_last() {
        let time = |text: &str| text.parse::<Timestamp>().expect("time");
        assert_eq!(from(Some("2026-11-23")).expect("day"), Some(time("2026-11-22T16:00:00Z")));
        assert_eq!(to(Some("2026-11-23")).expect("day"), Some(time("2026-11-23T16:00:00Z")));
        assert_eq!(to(Some("2026-11-23T09:15:00 08:00")).expect("time"), Some(time("2026-11-23T01:15:00Z")));
        for text in ["", "yesterday", "2026-13-01", "2026-11-23T09:15:00", "9999-12-31"] {
            assert!(to(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_comes_back_and_only_to_its_own_list() {
        let there = Place { at: Timestamp::from_microsecond(1_795_000_000_000_001).expect("time"), name: "E-1".into() };
        let text = token("items/started", &there);
        assert_eq!(place("items/started", Some(&text)).expect("place"), Some(there));
        assert!(place("items/ingested", Some(&text)).is_err());
        assert!(place("items/started", Some("nonsense")).is_err());
    }

    #[test]
    fn a_page_has_bounds() {
        assert_eq!(limit(None).expect("usual"), USUAL);
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err());
    }
}
