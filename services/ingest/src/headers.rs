//! The headers of tus 1.0 (core, creation, creation-with-upload, checksum, expiration, termination).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use jiff::{SignedDuration, Timestamp};

use crate::error::IngestError;

/// The protocol version served.
pub(crate) const VERSION: &str = "1.0.0";
/// Extensions served.
pub(crate) const EXTENSIONS: &str = "creation,creation-with-upload,checksum,expiration,termination";

/// `Tus-Resumable`.
pub(crate) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// `Tus-Version`.
pub(crate) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
/// `Tus-Extension`.
pub(crate) const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
/// `Tus-Max-Size`.
pub(crate) const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
/// `Tus-Checksum-Algorithm`.
pub(crate) const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
/// `X-HTTP-Method-Override`.
pub(crate) const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// `Upload-Checksum`.
pub(crate) const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// `Upload-Defer-Length`, an extension that is not served.
pub(crate) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
/// `Upload-Concat`, an extension that is not served.
pub(crate) const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
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

/// Insists that the body is bytes of an upload.
pub(crate) fn require_bytes(headers: &HeaderMap) -> Result<(), IngestError> {
    if is_bytes(headers) { Ok(()) } else { Err(IngestError::MediaType) }
}

/// Whether the body is bytes of an upload.
pub(crate) fn is_bytes(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/offset+octet-stream"))
}

/// The header `Upload-Metadata`: comma-separated pairs of a key and a value in base64.
#[derive(Debug)]
pub(crate) struct Metadata<'h> {
    /// As it came.
    pub(crate) text: &'h str,
    pairs: Vec<(&'h str, &'h str)>,
}

impl<'h> Metadata<'h> {
    /// Reads the header. Keys must differ: a second value for the same thing would be another story.
    pub(crate) fn of(headers: &'h HeaderMap) -> Result<Self, IngestError> {
        let wrong = |why: &str| IngestError::Header(format!("Upload-Metadata: {why}"));
        let header = headers.get(UPLOAD_METADATA).ok_or_else(|| wrong(MISSING))?;
        let text = header.to_str().map_err(|_| wrong("is not ASCII: values must be in base64"))?;
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs: Vec<_> = pairs.map(|pair| pair.split_once(' ').unwrap_or((pair, ""))).collect();
        match pairs.iter().enumerate().find(|(at, (key, _))| pairs[..*at].iter().any(|(other, _)| other == key)) {
            Some((_, (key, _))) => Err(wrong(&format!("`{}` is given twice", key.escape_debug()))),
            None => Ok(Self { text, pairs }),
        }
    }

    /// One value; none when the key is not there.
    pub(crate) fn value(&self, key: &str) -> Option<Result<Vec<u8>, String>> {
        let (_, value) = self.pairs.iter().find(|(name, _)| *name == key)?;
        Some(STANDARD.decode(value.trim()).map_err(|e| format!("`{key}` is not base64: {e}")))
    }

    /// One value, in which nothing may be wrong.
    pub(crate) fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>, IngestError> {
        let value = self.value(key).transpose();
        value.map_err(|why| IngestError::Header(format!("Upload-Metadata: {why}")))
    }
}

/// What the header is for.
const MISSING: &str = "is missing; send `declaration` with the signed declaration, or, from a station registered for unsigned \
                       deposits, `device`, `recording`, `filename` and `started_at`, each in base64";

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
        let headers = with(UPLOAD_METADATA, "filename ZC5tcDQ=, empty,declaration e30=,bad ***");
        let metadata = Metadata::of(&headers).expect("pairs");
        assert_eq!(metadata.value("declaration"), Some(Ok(b"{}".to_vec())));
        assert_eq!(metadata.value("empty"), Some(Ok(Vec::new())));
        assert_eq!(metadata.value("other"), None);
        assert!(metadata.value("bad").is_some_and(|bad| bad.is_err()));
        assert!(Metadata::of(&with(UPLOAD_METADATA, "a YQ==,a Yg==")).is_err());
        assert!(Metadata::of(&HeaderMap::new()).is_err());
    }
}
