//! Reading a stranger's headers, open to property tests and fuzzing: the routes read with the same functions.

use http::{HeaderMap, HeaderValue};

use crate::{
    error::IngestError,
    headers::{self, UPLOAD_METADATA, UPLOAD_OFFSET},
};

/// One value of a raw `Upload-Metadata` header.
pub fn upload_metadata(header: &[u8], key: &str) -> Result<Vec<u8>, IngestError> {
    headers::metadata(&HeaderMap::from_iter([(UPLOAD_METADATA, raw(header)?)]), key)
}

/// A raw header that must be a whole number, such as `Upload-Offset`.
pub fn whole_number(header: &[u8]) -> Result<u64, IngestError> {
    headers::number(&HeaderMap::from_iter([(UPLOAD_OFFSET, raw(header)?)]), &UPLOAD_OFFSET)
}

fn raw(header: &[u8]) -> Result<HeaderValue, IngestError> {
    HeaderValue::from_bytes(header).map_err(|e| IngestError::Header(e.to_string()))
}
