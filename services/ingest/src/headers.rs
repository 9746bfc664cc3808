//! The headers of tus 1.0 (core, creation, expiration, termination).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use crate::error::IngestError;

/// The protocol version served.
pub(crate) const VERSION: &str = "1.0.0";
/// Extensions served.
pub(crate) const EXTENSIONS: &str = "creation,expiration,termination";

/// `Tus-Resumable`.
pub(crate) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// `Tus-Version`.
pub(crate) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
/// `Tus-Extension`.
pub(crate) const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
/// `Tus-Max-Size`.
pub(crate) const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
/// `Upload-Offset`.
pub(crate) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// `Upload-Length`.
pub(crate) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// `Upload-Metadata`.
pub(crate) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
/// `Upload-Expires`.
pub(crate) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
/// Whether the outboard is still required, or present.
pub(crate) const CUSTOS_OUTBOARD: HeaderName = HeaderName::from_static("custos-outboard");
/// The item's unified code.
pub(crate) const CUSTOS_CODE: HeaderName = HeaderName::from_static("custos-code");
/// Where the receipt is.
pub(crate) const CUSTOS_RECEIPT: HeaderName = HeaderName::from_static("custos-receipt");

/// How long an upload may rest. Informational: sessions of evidence are ended by people, never by a bucket's lifecycle.
const RESTS: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Insists on the protocol version.
pub(crate) fn require_version(headers: &HeaderMap) -> Result<(), IngestError> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version == VERSION => Ok(()),
        _ => Err(IngestError::TusVersion),
    }
}

/// A header that must be a whole number.
pub(crate) fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, IngestError> {
    let missing = || IngestError::Header(format!("the header {name} must be a whole number of bytes"));
    let text = headers.get(name).and_then(|v| v.to_str().ok()).ok_or_else(missing)?;
    // Digits only: `parse` alone would take a sign.
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(missing());
    }
    text.parse().map_err(|_| missing())
}

/// One value of `Upload-Metadata`: comma-separated `key base64` pairs.
pub(crate) fn metadata(headers: &HeaderMap, key: &str) -> Result<Vec<u8>, IngestError> {
    let wrong = |why: &str| IngestError::Header(format!("Upload-Metadata: {why}"));
    let header = headers.get(UPLOAD_METADATA).ok_or_else(|| wrong("is missing; it carries the signed declaration"))?;
    let text = header.to_str().map_err(|_| wrong("is not ASCII"))?;
    let mut pairs = text.split(',').map(|pair| pair.trim().split_once(' ').unwrap_or((pair.trim(), "")));
    let value = pairs.find(|(name, _)| *name == key).map(|(_, value)| value);
    let value = value.ok_or_else(|| wrong(&format!("has no `{key}`")))?;
    STANDARD.decode(value.trim()).map_err(|e| wrong(&format!("`{key}` is not base64: {e}")))
}

/// A header value of text we made ourselves.
pub(crate) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// When an upload begun at `begun` expires, as HTTP writes dates (RFC 9110).
pub(crate) fn expires(begun: Timestamp) -> HeaderValue {
    let at = begun.saturating_add(RESTS).unwrap_or(begun);
    value(&at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, text: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(text).expect("header"))])
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number(&with(UPLOAD_OFFSET, "42"), &UPLOAD_OFFSET).expect("number"), 42);
        for text in ["", "-1", "+1", "1.0", "0x10", "99999999999999999999999", "１"] {
            let headers =
                HeaderMap::from_iter([(UPLOAD_OFFSET, HeaderValue::from_bytes(text.as_bytes()).expect("header"))]);
            assert!(number(&headers, &UPLOAD_OFFSET).is_err(), "{text}");
        }
    }

    #[test]
    fn metadata_is_pairs() {
        let headers = with(UPLOAD_METADATA, "filename ZC5tcDQ=, empty,declaration e30=");
        assert_eq!(metadata(&headers, "declaration").expect("pair"), b"{}");
        assert_eq!(metadata(&headers, "empty").expect("pair"), b"");
        assert!(metadata(&headers, "other").is_err());
        assert!(metadata(&with(UPLOAD_METADATA, "declaration ***"), "declaration").is_err());
    }
}
