//! How much of an upload is durable, asked of the store. Only the request that made the parts itself need not ask ([`crate::landed`]).
//!
//! Law: an answered offset is the *contiguous durable prefix* and never decreases within an upload id (INV-8). Bytes in memory
//! never count, nor do parts behind a hole, nor a sum of sizes.

use std::collections::BTreeMap;

use custos_domain::{digest::Crc64, keys, manifest::StoredObject, outboard::PART};
use custos_platform::vault::{
    StoreError, Vault,
    multipart::{Multipart, Part},
    read::VersionHead,
};

use crate::{
    expected::Expected,
    growing::{self, Kept},
    session::Session,
};

/// What the store holds of an upload.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Bytes are still missing, or all are there and wait for Complete.
    Receiving(Received),
    /// The original exists; it may still lack its manifest.
    Stored(StoredObject),
    /// The store knows neither the upload nor the object: lost, never "complete".
    Lost,
}

/// The bytes of an upload that are durable.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Good parts by index from zero, also those behind a hole: a good part is never sent again.
    pub parts: BTreeMap<usize, Part>,
    /// Parts before the first hole.
    pub contiguous: usize,
    /// The stored tail behind them: key and length.
    pub tail: Option<(String, u64)>,
}

impl Received {
    /// The offset to answer: bytes durable without a hole.
    #[must_use]
    pub fn offset(&self, length: u64) -> u64 {
        let parts = (self.contiguous as u64 * PART).min(length);
        parts + self.tail.as_ref().map_or(0, |(_, len)| *len)
    }

    /// Whether an answered offset would decrease (INV-8): the store no longer tells of bytes that were acknowledged.
    #[must_use]
    pub fn is_short(&self, session: &Session) -> bool {
        self.offset(session.length()) < session.acknowledged
    }
}

/// Asks the store.
pub async fn of(vault: &Vault, session: &Session, expected: &Expected) -> Result<Progress, StoreError> {
    let parts = match &session.multipart {
        None => match stored(vault, session).await? {
            Some(object) => return Ok(Progress::Stored(object)),
            None => Vec::new(),
        },
        Some(upload_id) => match vault.parts(multipart(vault, session, upload_id)).await {
            Ok(parts) => parts,
            // Completed, aborted, expired or destroyed: only the object itself can tell.
            Err(StoreError::NoSuchUpload { .. } | StoreError::NotFound { .. }) => {
                let object = match stored(vault, session).await? {
                    Some(object) => Some(object),
                    None => unlisted(vault, session).await?,
                };
                return Ok(object.map_or(Progress::Lost, Progress::Stored));
            }
            Err(error) => return Err(error),
        },
    };
    let fitting = fitting_parts(parts, expected);
    let good = match expected {
        Expected::Outboard(_) => fitting,
        Expected::Length(_) => {
            let kept = growing::kept(vault, &session.upload).await?;
            if fitting.iter().any(|(index, part)| replaced(*index, part, &kept, session.acknowledged)) {
                return Ok(Progress::Lost);
            }
            fitting.into_iter().filter(|(index, part)| counts(*index, part, &kept, session.acknowledged)).collect()
        }
    };
    let contiguous = (0..expected.parts()).take_while(|index| good.contains_key(index)).count();
    let tail = longest_tail(vault, session, contiguous as u64 * PART).await?;
    Ok(Progress::Receiving(Received { parts: good, contiguous, tail }))
}

/// The multipart upload of a session.
pub fn multipart<'a>(vault: &'a Vault, session: &'a Session, upload_id: &'a str) -> Multipart<'a> {
    Multipart { bucket: &vault.buckets().originals, key: &session.original, upload_id }
}

/// The original, when the store has it: the oldest version of its key, and ours by its nonce.
pub async fn stored(vault: &Vault, session: &Session) -> Result<Option<StoredObject>, StoreError> {
    let Some(object) = vault.first_version(&vault.buckets().originals, &session.original).await? else {
        return Ok(None);
    };
    ours(session, vault.head_version(&object).await)
}

/// The original, when the store has it and a listing does not show it: a session is not given up on a listing's word.
async fn unlisted(vault: &Vault, session: &Session) -> Result<Option<StoredObject>, StoreError> {
    ours(session, vault.head_latest(&vault.buckets().originals, &session.original).await)
}

/// A version that is there and ours by its nonce. MinIO has listed versions of a Complete that it then undid (tried): what HEAD
/// does not find is not there.
fn ours(session: &Session, head: Result<VersionHead, StoreError>) -> Result<Option<StoredObject>, StoreError> {
    match head {
        Ok(head) => Ok((head.nonce.as_deref() == Some(&session.nonce)).then_some(head.object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Parts whose length and checksum are those of the outboard. A store that tells no checksum is believed only on length here; the
/// full-object checksum at Complete and the re-read settle it. Without an outboard there is only the length to compare.
fn fitting_parts(parts: Vec<Part>, expected: &Expected) -> BTreeMap<usize, Part> {
    let indexed = parts.into_iter().filter_map(|part| Some((usize::try_from(part.number).ok()?.checked_sub(1)?, part)));
    indexed
        .filter(|(index, part)| {
            let known = expected.part_crc(*index);
            *index < expected.parts()
                && part.length == expected.layout().part_len(*index)
                && part.crc.is_none_or(|crc| known.is_none_or(|known| known == crc))
        })
        .collect()
}

/// Whether a part of an upload without an outboard counts: its values are kept, or it was acknowledged and only they were lost. A
/// part of a chunk whose `Upload-Checksum` did not hold is neither.
fn counts(index: usize, part: &Part, kept: &Kept, acknowledged: u64) -> bool {
    was_acknowledged(index, part, acknowledged) || kept.get(&index).is_some_and(|crcs| names(crcs, part))
}

/// Whether other bytes stand where some were acknowledged: an older request of a client that sends different bytes for the same
/// place. Nobody can tell then what was meant.
fn replaced(index: usize, part: &Part, kept: &Kept, acknowledged: u64) -> bool {
    was_acknowledged(index, part, acknowledged) && kept.get(&index).is_some_and(|crcs| !names(crcs, part))
}

fn was_acknowledged(index: usize, part: &Part, acknowledged: u64) -> bool {
    index as u64 * PART + part.length <= acknowledged
}

fn names(crcs: &[Crc64], part: &Part) -> bool {
    part.crc.is_none_or(|crc| crcs.contains(&crc))
}

async fn longest_tail(vault: &Vault, session: &Session, offset: u64) -> Result<Option<(String, u64)>, StoreError> {
    let (found, _) = vault.keys(&vault.buckets().intake, &keys::tails(&session.upload), None).await?;
    let here = found.into_iter().filter_map(|key| match keys::parse_tail(&key) {
        Some((at, len)) if at == offset => Some((key, len)),
        _ => None,
    });
    Ok(here.max_by_key(|(_, len)| *len))
}

#[cfg(test)]
mod tests {
    use custos_domain::outboard::{Layout, OutboardBuilder};

    use super::*;

    fn outboard(len: usize) -> Expected {
        let mut builder = OutboardBuilder::default();
        builder.update(&vec![5; len]);
        Expected::Outboard(builder.finish().expect("outboard"))
    }

    fn listed(number: i32, length: u64, crc: Option<Crc64>) -> Part {
        Part { number, length, etag: "e".into(), crc }
    }

    #[test]
    fn a_hole_a_wrong_length_and_a_wrong_checksum_do_not_count() {
        let outboard = outboard(3 * usize::try_from(PART).expect("usize"));
        let crc = outboard.part_crc(0);
        let good = |parts| fitting_parts(parts, &outboard).into_keys().collect::<Vec<_>>();
        assert_eq!(good(vec![listed(1, PART, crc), listed(3, PART, crc)]), [0, 2]);
        assert_eq!(good(vec![listed(1, PART - 1, crc), listed(2, PART, Some(Crc64(1)))]), [] as [usize; 0]);
        assert_eq!(good(vec![listed(1, PART, None), listed(4, PART, crc), listed(0, PART, crc)]), [0]);
    }

    #[test]
    fn without_an_outboard_a_part_counts_by_its_values_or_by_what_was_acknowledged() {
        let layout = Expected::Length(Layout::of(2 * PART + 7).expect("layout"));
        let parts = vec![listed(1, PART, Some(Crc64(1))), listed(2, 8, None), listed(3, 7, None), listed(4, 7, None)];
        let fitting = fitting_parts(parts, &layout);
        assert_eq!(fitting.keys().copied().collect::<Vec<_>>(), [0, 2]);
        let kept = Kept::from([(0, vec![Crc64(1), Crc64(2)])]);
        let (right, other) = (listed(1, PART, Some(Crc64(2))), listed(1, PART, Some(Crc64(3))));
        assert!(counts(0, &right, &kept, 0) && !counts(0, &other, &kept, 0));
        assert!(!counts(0, &right, &Kept::new(), PART - 1) && counts(0, &right, &Kept::new(), PART));
        assert!(replaced(0, &other, &kept, PART) && !replaced(0, &other, &kept, 0));
        assert!(!replaced(0, &right, &kept, PART) && !replaced(0, &right, &Kept::new(), PART));
    }
}
