//! Reading an announcement that anybody may have sent.

use std::fmt::Display;

use custos_domain::{
    ids::{FactId, TenantId},
    item::UnifiedCode,
    keys,
    manifest::StoredObject,
};
use jiff::Timestamp;
use prost::Message as _;

use crate::{
    announcement::Announcement,
    names::{ActName, Kind},
    wire,
};

/// Longest announcement: twice what the longest fields come to.
pub const MAX_BYTES: usize = 4096;

/// Longest bucket name in S3.
const MAX_BUCKET: usize = 63;
/// Longest object key and version id in S3.
const MAX_KEY: usize = 1024;

/// Why a message is no announcement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than any announcement is.
    #[error("{0} bytes are too many for an announcement, which has at most {MAX_BYTES}")]
    TooLong(usize),
    /// Not the protobuf message.
    #[error("not a custos.v1.Announcement: {0}")]
    Wire(#[from] prost::DecodeError),
    /// One field is not what stands there.
    #[error("field {field}: {problem}")]
    Field {
        /// The field, as the `.proto` names it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Announcement, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let message = wire::Announcement::decode(bytes)?;
    let announcement = Announcement {
        fact: FactId::parse(&message.fact_id).map_err(|e| wrong("fact_id", e))?,
        act: ActName::parse(&message.act).ok_or_else(|| unknown("act", &message.act))?,
        tenant: TenantId::parse(&message.tenant).map_err(|e| wrong("tenant", e))?,
        kind: Kind::parse(&message.kind).ok_or_else(|| unknown("kind", &message.kind))?,
        item: unless_empty(&message.item, UnifiedCode::parse).map_err(|e| wrong("item", e))?,
        object: StoredObject {
            bucket: printable("bucket", message.bucket, MAX_BUCKET)?,
            key: printable("key", message.key, MAX_KEY)?,
            version: printable("version", message.version, MAX_KEY)?,
        },
        cause: unless_empty(&message.cause, FactId::parse).map_err(|e| wrong("cause", e))?,
        at: Timestamp::from_millisecond(message.at_ms).map_err(|e| wrong("at_ms", e))?,
    };
    agree(&announcement)?;
    Ok(announcement)
}

/// The time as the message can carry it. Every timestamp is a whole number of milliseconds away from one.
pub(crate) fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// The fields must tell one story, and point to nothing but the fact they name.
fn agree(announcement: &Announcement) -> Result<(), DecodeError> {
    let Announcement { fact, tenant, kind, item, object, .. } = announcement;
    if kind.is_item() != item.is_some() {
        return Err(wrong("item", format!("does not fit kind `{kind}`")));
    }
    if item.as_ref().is_some_and(|code| code.key().tenant != *tenant) {
        return Err(wrong("item", format!("does not belong to tenant {tenant}")));
    }
    let name = object.key.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
    if !object.key.starts_with(keys::FACTS) || name != Some(fact.as_str()) {
        return Err(wrong("key", format!("does not name fact {fact}")));
    }
    if object.key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(wrong("key", "has an empty, `.` or `..` part"));
    }
    Ok(())
}

fn unless_empty<T, E>(text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, E> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn printable(field: &'static str, text: String, max: usize) -> Result<String, DecodeError> {
    if text.is_empty() || text.len() > max || text.chars().any(char::is_control) {
        return Err(wrong(field, format!("expected 1 to {max} bytes of printable text")));
    }
    Ok(text)
}

fn unknown(field: &'static str, text: &str) -> DecodeError {
    let shown: String = text.escape_debug().take(64).collect();
    wrong(field, format!("`{shown}` is unknown here"))
}

fn wrong(field: &'static str, problem: impl Display) -> DecodeError {
    DecodeError::Field { field, problem: problem.to_string() }
}
