//! Texts that people send: bounded and printable, or refused by name.

use axum::http::HeaderMap;
use custos_platform::http::Problem;

/// Longest reason or note, in characters.
const LONGEST: usize = 2000;

/// A reason or note: 1 to 2000 characters, line breaks but no other control characters.
pub(crate) fn note(field: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > LONGEST {
        return Err(Problem::unprocessable(format!("{field}: write 1 to {LONGEST} characters; these are {length}")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(Problem::unprocessable(format!("{field}: leave out control characters")));
    }
    Ok(text.to_owned())
}

/// The request's `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), when it has one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let legal = |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    match value.to_str().ok().filter(legal) {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Problem::bad_request("Idempotency-Key: send 1 to 64 printable ASCII characters without spaces")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_and_printable() {
        assert_eq!(note("note", "  群體性事件\n已處理 ").expect("note"), "群體性事件\n已處理");
        for (text, expected) in
            [("", "1 to 2000"), (" \n", "1 to 2000"), ("a\0b", "control"), (&"好".repeat(2001), "2001")]
        {
            let problem = note("note", text).expect_err(text);
            assert!(problem.detail().starts_with("note: ") && problem.detail().contains(expected), "{problem:?}");
        }
    }

    #[test]
    fn a_key_is_optional_but_not_arbitrary() {
        let with = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", axum::http::HeaderValue::from_bytes(value).expect("header"));
            idempotency_key(&headers)
        };
        assert_eq!(idempotency_key(&HeaderMap::new()).expect("none"), None);
        assert_eq!(with(b"9f2c-1").expect("key").as_deref(), Some("9f2c-1"));
        for value in [&b""[..], b"a b", b"\xe5\xa5\xbd", &[b'k'; 65]] {
            assert!(with(value).is_err(), "{value:?}");
        }
    }
}
