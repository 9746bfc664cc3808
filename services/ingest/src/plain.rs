//! An upload without a declaration: any tus client of a station that is registered for it. What must be said is said in
//! `Upload-Metadata`; who says it, the certificate tells.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes};
use custos_domain::{
    calendar::SHANGHAI,
    digest::{Root, Sha256},
    evidence::Statement,
    ids::Segment,
    item::ItemKind,
    outboard::MAX_LEN,
    recorder::{Recognition, Rules},
};
use futures::{Stream, StreamExt};
use jiff::{Timestamp, civil::DateTime};
use std::{pin::pin, str::FromStr, time::Duration};

use crate::{
    Ingest,
    append::SILENCE,
    basis::Plain,
    declare::{MAX_NAME, YEARS, printable},
    error::IngestError,
    headers::Metadata,
    station::Station,
};

/// The longest `Upload-Metadata` that is kept, in bytes.
const MAX_METADATA: usize = 4096;

/// Takes what an unsigned client says, when its station may deposit so.
pub(crate) fn read(
    ingest: &Ingest,
    station: &Station,
    metadata: &Metadata<'_>,
    length: u64,
) -> Result<Plain, IngestError> {
    if !ingest.register.is_plain(station)? {
        return Err(IngestError::NotPlain(station.id.to_string()));
    }
    let plain = understand(&ingest.names, station, metadata, length)?;
    ingest.floor(&plain.tenant, ingest.trusted_now()?)?;
    Ok(plain)
}

/// The body of a creation behind what is there already.
pub(crate) fn behind<E>(
    offset: u64,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> impl Stream<Item = Result<Bytes, E>> + Unpin {
    let mut skip = offset;
    body.map(move |frame| {
        frame.map(|mut bytes| {
            let now = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
            skip -= now as u64;
            bytes.advance(now);
            bytes
        })
    })
}

/// For how long the rest of a refused body is read, so that its client comes to read the answer.
pub(crate) const LINGER: Duration = Duration::from_secs(30);

/// Reads a body that nobody needs, as long as it keeps coming, for so long.
pub(crate) async fn drain<E>(body: impl Stream<Item = Result<Bytes, E>>, longest: Duration) {
    let mut body = pin!(body);
    let all = async { while let Ok(Some(Ok(_))) = tokio::time::timeout(SILENCE, body.next()).await {} };
    // Past it the connection just breaks.
    let _ = tokio::time::timeout(longest, all).await;
}

/// Reads the metadata. All that is wrong is said at once, each time with what to send.
fn understand(names: &Rules, station: &Station, metadata: &Metadata<'_>, length: u64) -> Result<Plain, IngestError> {
    let mut said = Said { metadata, wrong: Vec::new() };
    let id = |what: &str, example: &str| format!("send {what}, such as {example}");
    let device = said.need("device", &id("the recorder's number", "DSJ00012"), FromStr::from_str);
    let recording = said.need("recording", &id("the recording's id", "20261123091500_0007"), FromStr::from_str);
    let file_name = said.need("filename", "send the file's name", file_name);
    let when = "send the start of the recording in ISO 8601, such as 2026-11-23T09:15:00 (China) or with an offset";
    let started = said.need("started_at", when, started_at);
    let officer = said.may("officer", &id("the wearer's number", "P000345"), FromStr::from_str);
    let segment = said.may("segment", &id("the file's number within the recording", "0"), Segment::parse);
    let blake3 = said.may("blake3", "send 32 bytes in hexadecimal or base64", digest);
    let sha256 = said.may("sha256", "send 32 bytes in hexadecimal or base64", digest);
    let known = file_name.as_ref().map(|name| names.recognise(name));
    let kind = said.kind(known.as_ref());
    if metadata.text.len() > MAX_METADATA {
        said.wrong.push(format!("it has more than {MAX_METADATA} bytes"));
    }
    let (Some(device), Some(recording), Some(file_name), Some(started_at_device), Some(kind), true) =
        (device, recording, file_name, started, kind, said.wrong.is_empty())
    else {
        return Err(IngestError::Metadata(said.wrong.join("; ")));
    };
    fits(length)?;
    let (naming_rule, key_file) = match known {
        Some(Recognition::Recognised(name)) => (Some(name.rule), name.key_file),
        Some(Recognition::Unrecognised(name)) => (None, name.key_file),
        None => (None, false),
    };
    let (blake3, sha256) = (blake3.map(Root), sha256.map(Sha256));
    let metadata = metadata.text.to_owned();
    Ok(Plain {
        tenant: station.tenant.clone(),
        unit: station.unit.clone(),
        station: station.id.clone(),
        device,
        recording,
        segment: segment.unwrap_or_default(),
        officer,
        kind,
        length,
        statement: Statement { file_name, naming_rule, key_file, started_at_device, blake3, sha256, metadata },
    })
}

fn fits(length: u64) -> Result<(), IngestError> {
    match length {
        0 => Err(IngestError::Metadata(
            "the file has zero bytes: the recorder wrote no data, there is nothing to keep".into(),
        )),
        length if length > MAX_LEN => Err(IngestError::TooLarge { length, max: MAX_LEN }),
        _ => Ok(()),
    }
}

/// The metadata, and what was wrong with it so far.
struct Said<'a> {
    metadata: &'a Metadata<'a>,
    wrong: Vec<String>,
}

impl Said<'_> {
    fn need<T, E: ToString>(&mut self, key: &str, how: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        if self.metadata.value(key).is_none() {
            self.wrong.push(format!("`{key}` is missing: {how}"));
            return None;
        }
        self.may(key, how, parse)
    }

    fn may<T, E: ToString>(&mut self, key: &str, how: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let value = self.metadata.value(key)?;
        let text = value.and_then(|bytes| String::from_utf8(bytes).map_err(|_| format!("`{key}` is not UTF-8")));
        match text.and_then(|text| parse(text.trim()).map_err(|e| format!("`{key}`: {}", e.to_string()))) {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong.push(format!("{why}: {how}"));
                None
            }
        }
    }

    /// `kind` if it is said, else what the file's name tells, else its media type.
    fn kind(&mut self, known: Option<&Recognition>) -> Option<ItemKind> {
        const HOW: &str = "send `kind`: video, photo or audio";
        if self.metadata.value("kind").is_some() {
            return self.may("kind", HOW, |text| kind(text).ok_or("is none of these"));
        }
        let by_name = match known? {
            Recognition::Recognised(name) => Some(name.kind),
            Recognition::Unrecognised(name) => name.kind,
        };
        let by_type = || {
            let media = self.metadata.value("filetype")?.ok()?;
            kind(std::str::from_utf8(&media).ok()?.split('/').next()?)
        };
        let found = by_name.or_else(by_type);
        if found.is_none() {
            self.wrong.push(format!("neither `filename` nor `filetype` tells what it is: {HOW}"));
        }
        found
    }
}

fn kind(text: &str) -> Option<ItemKind> {
    match text.to_ascii_lowercase().as_str() {
        "video" => Some(ItemKind::Video),
        "photo" | "image" => Some(ItemKind::Photo),
        "audio" => Some(ItemKind::Audio),
        _ => None,
    }
}

fn file_name(text: &str) -> Result<String, String> {
    if printable(text) { Ok(text.to_owned()) } else { Err(format!("must be 1 to {MAX_NAME} printable characters")) }
}

/// Wall clock in China: as said, or of the instant that was said.
fn started_at(text: &str) -> Result<DateTime, String> {
    let instant = Timestamp::from_str(text).map(|instant| SHANGHAI.to_datetime(instant));
    let started = instant.or_else(|_| DateTime::from_str(text)).map_err(|e| e.to_string())?;
    if YEARS.contains(&started.year()) {
        Ok(started)
    } else {
        Err(format!("lies outside {} to {}: no recorder's clock can say that", YEARS.start(), YEARS.end()))
    }
}

/// 32 bytes in hexadecimal or base64.
fn digest(text: &str) -> Result<[u8; 32], String> {
    let bytes = Root::parse(&text.to_ascii_lowercase()).map(|root| root.0.to_vec());
    let bytes = bytes.or_else(|_| STANDARD.decode(text)).map_err(|_| "is neither".to_owned())?;
    bytes.try_into().map_err(|bytes: Vec<u8>| format!("has {} bytes", bytes.len()))
}

#[cfg(test)]
mod tests;
