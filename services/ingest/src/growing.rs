//! What is computed of an upload that brought no outboard: the values of each part, kept in the intake bucket as the part is
//! stored, so that any replica goes on.
//!
//! Law: a part counts only when its values are kept, or when it was acknowledged; values that are lost are computed again from
//! the stored bytes, never guessed.

use std::collections::BTreeMap;

use bytes::Bytes;
use custos_domain::{
    digest::{Crc64, Sha256},
    ids::UploadId,
    keys,
    manifest::StoredObject,
    outboard::{Layout, Outboard, PART, PartValues},
};
use custos_platform::vault::{StoreError, Vault, multipart::Part};
use futures::{StreamExt, TryStreamExt};
use sha2::Digest;

use crate::error::IngestError;

/// Values read from the store at once.
const AT_ONCE: usize = 16;

/// Which parts of an upload have their values kept, by part and checksum.
pub type Kept = BTreeMap<usize, Vec<Crc64>>;

/// Keeps the values of a part. Safe to repeat: they are named by part and checksum.
pub async fn keep(vault: &Vault, upload: &UploadId, index: usize, values: &PartValues) -> Result<(), StoreError> {
    let key = keys::part_values(upload, index, values.crc());
    let bytes = Bytes::from(values.encode());
    vault.write(&vault.buckets().intake, &key, bytes, "application/octet-stream").await.map(drop)
}

/// The parts whose values are kept.
pub async fn kept(vault: &Vault, upload: &UploadId) -> Result<Kept, StoreError> {
    let (mut kept, mut after) = (Kept::new(), None);
    loop {
        let (found, next) = vault.keys(&vault.buckets().intake, &keys::growing(upload), after).await?;
        for (index, crc) in found.iter().filter_map(|key| keys::parse_part_values(key)) {
            kept.entry(index).or_default().push(crc);
        }
        if next.is_none() {
            return Ok(kept);
        }
        after = next;
    }
}

/// The values of each part, in order; none where they were lost, or where it cannot be told which of several stand.
///
/// `stored` has the parts as the store lists them; without it (the object is made already) a part must have one candidate only.
pub async fn values(
    vault: &Vault,
    upload: &UploadId,
    layout: Layout,
    stored: Option<&BTreeMap<usize, Part>>,
) -> Result<Vec<Option<PartValues>>, StoreError> {
    let kept = kept(vault, upload).await?;
    let choose = |index: usize| -> Option<Crc64> {
        let candidates = kept.get(&index)?;
        match (stored.and_then(|parts| parts.get(&index)?.crc), candidates.as_slice()) {
            (Some(crc), some) => some.contains(&crc).then_some(crc),
            (None, [only]) => Some(*only),
            (None, _) => None,
        }
    };
    let chosen: Vec<(usize, Option<Crc64>)> = (0..layout.parts()).map(|index| (index, choose(index))).collect();
    let read = |(index, crc): (usize, Option<Crc64>)| {
        let (vault, upload) = (vault.clone(), upload.clone());
        async move {
            let Some(crc) = crc else { return Ok::<_, StoreError>(None) };
            let key = keys::part_values(&upload, index, crc);
            let document = vault.read_latest(&vault.buckets().intake, &key).await?;
            Ok(document.and_then(|document| PartValues::decode(layout, index, crc, &document.bytes)))
        }
    };
    futures::stream::iter(chosen).map(read).buffered(AT_ONCE).try_collect().await
}

/// The outboard, when the values of every part are there.
pub fn whole(layout: Layout, values: &[Option<PartValues>]) -> Option<Outboard> {
    let values: Vec<PartValues> = values.iter().cloned().collect::<Option<_>>()?;
    Outboard::of_parts(layout, &values).ok()
}

/// Reads the stored object for what is not known of it: values that are missing, and its SHA-256 when that is wanted.
pub async fn read_again(
    vault: &Vault,
    object: &StoredObject,
    layout: Layout,
    values: Vec<Option<PartValues>>,
    want_sha256: bool,
) -> Result<(Outboard, Option<Sha256>), IngestError> {
    let mut sha256 = want_sha256.then(sha2::Sha256::new);
    let mut complete = Vec::with_capacity(values.len());
    for (index, known) in values.into_iter().enumerate() {
        if let (Some(known), None) = (&known, &sha256) {
            complete.push(known.clone());
            continue;
        }
        let bytes = vault.read_range(object, index as u64 * PART, layout.part_len(index)).await?;
        if let Some(sha256) = &mut sha256 {
            sha256.update(&bytes);
        }
        let short = || StoreError::Unavailable { operation: "GetObject", detail: format!("part {index} came short") };
        complete.push(PartValues::of(layout, index, &bytes).ok_or_else(short)?);
    }
    let outboard = Outboard::of_parts(layout, &complete).map_err(|e| IngestError::Internal(e.to_string()))?;
    Ok((outboard, sha256.map(|sha256| Sha256(sha256.finalize().into()))))
}
