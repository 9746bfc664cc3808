//! What lists have in common: limits, spans of time, and the opaque place where the next page begins.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use custos_domain::calendar::SHANGHAI;
use custos_platform::http::{Problem, auth::Person};
use http::Uri;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    Records, RecordsError,
    catalogue::lists::{Page, Place},
};

/// Rows of a page when nothing is said.
const USUAL: usize = 50;
/// Most rows of a page.
const MOST: usize = 200;

/// A page of a list, as it was asked for.
pub(super) struct Paging {
    list: String,
    /// Rows, at most.
    pub(super) limit: usize,
    after: Option<Place>,
}

impl Paging {
    /// The page after the place `after` names in `list`, a name that tells lists and orders apart.
    pub(super) fn of(list: impl Into<String>, limit: Option<usize>, after: Option<&str>) -> Result<Self, Problem> {
        let list = list.into();
        let after = after.map(|text| place(&list, text)).transpose()?;
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::unprocessable(format!("limit: choose 1 to {MOST}")));
        }
        Ok(Self { list, limit, after })
    }

    /// Where the page begins.
    pub(super) fn after(&self) -> Option<&Place> {
        self.after.as_ref()
    }

    /// Where the next page begins, as it is given out.
    pub(super) fn next(&self, next: Option<Place>) -> Option<String> {
        next.map(|place| token(&self.list, &place))
    }

    /// The rows of a search and its next page, once it is written down who asked for what.
    pub(super) async fn answer<T>(
        &self,
        records: &Records,
        person: &Person,
        asked: &Uri,
        found: sqlx::Result<Page<T>>,
    ) -> Result<(Vec<T>, Option<String>), Problem> {
        let Page { rows, next } = found.map_err(RecordsError::from)?;
        let (list, query) = (asked.path().trim_start_matches("/v1/"), asked.query().unwrap_or_default());
        records.searched(person, &format!("{list}?{query}"), rows.len()).await?;
        Ok((rows, self.next(next)))
    }
}

/// From when on, and before when, a list is asked for. Each is a time with its offset, or a day in China: its beginning, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Option<Timestamp>,
    pub(super) before: Option<Timestamp>,
}

impl Span {
    pub(super) fn of(from: Option<&str>, to: Option<&str>) -> Result<Self, Problem> {
        let from = from.map(|text| moment("from", text, false)).transpose()?;
        let before = to.map(|text| moment("to", text, true)).transpose()?;
        // An empty answer would look as if nothing had happened.
        if from.zip(before).is_some_and(|(from, before)| from >= before) {
            return Err(Problem::unprocessable("from: choose a time before `to`; nothing can lie between these two"));
        }
        Ok(Self { from, before })
    }
}

fn moment(name: &str, text: &str, end: bool) -> Result<Timestamp, Problem> {
    // A `+` that was not escaped arrives as a space.
    if let Ok(time) = text.replace(' ', "+").parse::<Timestamp>() {
        return Ok(time);
    }
    let day = (text.len() == "2026-11-23".len()).then(|| text.parse::<Date>().ok()).flatten();
    let day = if end { day.and_then(|day| day.tomorrow().ok()) } else { day };
    day.and_then(|day| SHANGHAI.to_timestamp(day.at(0, 0, 0, 0)).ok()).ok_or_else(|| {
        Problem::unreadable(name, &"write a day such as 2026-11-23, or a time such as 2026-11-23T09:15:00+08:00")
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
fn token(list: &str, place: &Place) -> String {
    let token = Token { list: list.to_owned(), at: place.at.as_microsecond(), name: place.name.clone() };
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

/// The place a text names.
fn place(list: &str, text: &str) -> Result<Place, Problem> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let token =
        decoded.and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok()).filter(|token| token.list == list);
    let place =
        token.and_then(|Token { at, name, .. }| Some(Place { at: Timestamp::from_microsecond(at).ok()?, name }));
    place.ok_or_else(|| {
        Problem::unreadable("after", &"pass the `next` of an earlier page of this list and order, as it was given")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> Result<Span, Problem> {
        Span::of(Some(from), Some(to))
    }

    #[test]
    fn days_are_chinese_and_include_their_last() {
        let time = |text: &str| Some(text.parse::<Timestamp>().expect("time"));
        let day = span("2026-11-23", "2026-11-23").expect("one day");
        assert_eq!((day.from, day.before), (time("2026-11-22T16:00:00Z"), time("2026-11-23T16:00:00Z")));
        // A `+` that was not escaped.
        let open = Span::of(None, Some("2026-11-23T09:15:00 08:00")).expect("time");
        assert_eq!((open.from, open.before), (None, time("2026-11-23T01:15:00Z")));
        for text in ["", "yesterday", "2026-13-01", "2026-11-23T09:15:00", "9999-12-31"] {
            let problem = Span::of(None, Some(text)).expect_err(text);
            assert!(problem.status() == 400 && problem.detail().starts_with("to: write a day"), "{problem:?}");
        }
    }

    #[test]
    fn a_span_that_ends_before_it_begins_is_refused_aloud() {
        for (from, to) in [
            ("2026-11-24", "2026-11-23"),
            ("2026-11-23T09:15:00+08:00", "2026-11-23T09:14:59+08:00"),
            ("2026-11-23T09:15:00+08:00", "2026-11-23T01:15:00Z"),
        ] {
            let problem = span(from, to).expect_err(to);
            assert!(problem.status() == 422 && problem.detail().contains("before `to`"), "{problem:?}");
        }
        assert!(span("2026-11-23T09:15:00+08:00", "2026-11-23").is_ok(), "the rest of a day");
    }

    #[test]
    fn a_place_comes_back_and_only_to_its_own_list() {
        let there = Place { at: Timestamp::from_microsecond(1_795_000_000_000_001).expect("time"), name: "E-1".into() };
        let first = Paging::of("items/started", None, None).expect("first page");
        assert_eq!((first.limit, first.after(), first.next(None)), (USUAL, None, None));
        let text = first.next(Some(there.clone())).expect("token");
        assert_eq!(Paging::of("items/started", Some(1), Some(&text)).expect("page").after(), Some(&there));
        for (list, text) in [("items/ingested", text.as_str()), ("items/started", "nonsense")] {
            assert_eq!(Paging::of(list, None, Some(text)).err().map(|problem| problem.status().as_u16()), Some(400));
        }
    }

    #[test]
    fn a_page_has_bounds() {
        for limit in [0, 201] {
            let problem = Paging::of("items", Some(limit), None).err().expect("out of bounds");
            assert!(problem.status() == 422 && problem.detail() == "limit: choose 1 to 200", "{problem:?}");
        }
    }
}
