//! Reading a stranger's headers, open to property tests and fuzzing: the routes read with the same functions.

use custos_domain::recorder::Rules;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    basis::Plain,
    checksum::Checksum,
    declare,
    error::IngestError,
    headers::{self, Metadata, UPLOAD_CHECKSUM, UPLOAD_METADATA, UPLOAD_OFFSET},
    plain,
    station::Station,
};

/// One value of a raw `Upload-Metadata` header; none when the key is not there.
pub fn upload_metadata(header: &[u8], key: &str) -> Result<Option<Vec<u8>>, IngestError> {
    let value = Metadata::of(&only(UPLOAD_METADATA, header)?)?.value(key).transpose();
    value.map_err(IngestError::Header)
}

/// What a raw `Upload-Metadata` header says of an upload of `length` bytes, from a station that signs nothing.
pub fn plain(names: &Rules, station: &Station, header: &[u8], length: u64) -> Result<Plain, IngestError> {
    plain::understand(names, station, &Metadata::of(&only(UPLOAD_METADATA, header)?)?, length)
}

/// A raw header that must be a whole number, such as `Upload-Offset`.
pub fn whole_number(header: &[u8]) -> Result<u64, IngestError> {
    headers::number(&only(UPLOAD_OFFSET, header)?, &UPLOAD_OFFSET)
}

/// A raw `Upload-Checksum` header.
pub fn upload_checksum(header: &[u8]) -> Result<Option<Checksum>, IngestError> {
    Checksum::of(&only(UPLOAD_CHECKSUM, header)?)
}

/// Refuses a raw header of an extension that is not served, such as `Upload-Concat`.
pub fn served(name: HeaderName, header: &[u8]) -> Result<(), IngestError> {
    declare::unserved(&only(name, header)?)
}

fn only(name: HeaderName, value: &[u8]) -> Result<HeaderMap, IngestError> {
    let value = HeaderValue::from_bytes(value).map_err(|e| IngestError::Header(e.to_string()))?;
    Ok(HeaderMap::from_iter([(name, value)]))
}
