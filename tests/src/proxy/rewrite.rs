//! Answers that say something else than the store did, as stores under fault do (pipeline.md 4.3).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::Rewrite;

/// Elements of the listings of S3 that stand for one entry.
const ENTRIES: [&str; 5] = ["Contents", "Version", "DeleteMarker", "Part", "Upload"];

/// The changed answer.
pub(super) fn rewrite(answer: Response<Bytes>, how: &Rewrite) -> Response<Bytes> {
    let (mut head, body) = answer.into_parts();
    let text = String::from_utf8_lossy(&body);
    let changed = match how {
        Rewrite::Omit(part) => entries(&text, |entry| usize::from(!entry.contains(part))),
        Rewrite::Repeat(part) => entries(&text, |entry| 1 + usize::from(entry.contains(part))),
        Rewrite::EmptyPage => {
            entries(&text, |_| 0).replace("<IsTruncated>true</IsTruncated>", "<IsTruncated>false</IsTruncated>")
        }
        Rewrite::NotFound => {
            head.status = StatusCode::NOT_FOUND;
            head.headers.remove(header::ETAG);
            "<Error><Code>NoSuchKey</Code><Message>not found</Message></Error>".to_owned()
        }
    };
    head.headers.remove(header::TRANSFER_ENCODING);
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(changed.len()));
    Response::from_parts(head, changed.into())
}

/// A listing in which every entry stands as often as `times` says.
fn entries(listing: &str, times: impl Fn(&str) -> usize) -> String {
    let (mut text, mut rest) = (String::new(), listing);
    while let Some((start, end)) = ENTRIES.iter().filter_map(|name| element(rest, name)).min() {
        let entry = &rest[start..end];
        text.push_str(&rest[..start]);
        text.push_str(&entry.repeat(times(entry)));
        rest = &rest[end..];
    }
    text.push_str(rest);
    text
}

/// Where the first element of this name begins and ends.
fn element(text: &str, name: &str) -> Option<(usize, usize)> {
    let close = format!("</{name}>");
    let start = text.find(&format!("<{name}>"))?;
    Some((start, start + text[start..].find(&close)? + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "<R><IsTruncated>true</IsTruncated><Part><N>1</N></Part><Part><N>2</N></Part></R>";

    #[test]
    fn a_listing_forgets_repeats_and_empties() {
        for (how, expected) in [
            (Rewrite::Omit("<N>1<".into()), "<R><IsTruncated>true</IsTruncated><Part><N>2</N></Part></R>"),
            (
                Rewrite::Repeat("<N>2<".into()),
                "<R><IsTruncated>true</IsTruncated><Part><N>1</N></Part><Part><N>2</N></Part><Part><N>2</N></Part></R>",
            ),
            (Rewrite::EmptyPage, "<R><IsTruncated>false</IsTruncated></R>"),
        ] {
            let answer = rewrite(Response::new(Bytes::from_static(LISTING.as_bytes())), &how);
            assert_eq!(answer.body(), expected);
            assert_eq!(answer.headers()["content-length"], expected.len().to_string().as_str());
        }
    }
}
