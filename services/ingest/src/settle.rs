//! An upload whose root nobody signed: how its outboard comes about, and what is compared before it may become an item.
//!
//! Law: the outboard of such an upload is written to the intake bucket only when everything the client said of the bytes agrees
//! with them. From there on it is an upload like any other.

use bytes::Bytes;
use custos_domain::{
    digest::{Crc64, Sha256},
    keys,
    manifest::StoredObject,
    outboard::{Layout, Outboard, PartValues},
};
use custos_platform::vault::multipart::Part;
use sha2::Digest;
use std::collections::BTreeMap;

use crate::{
    Ingest, commit,
    deposit::{self, Deposit, Standing},
    digests,
    error::IngestError,
    expected::Expected,
    growing,
    progress::{self, Progress, multipart},
    session::Session,
    target::Outgoing,
};

/// What came of an upload without an outboard.
#[derive(Debug)]
pub(crate) enum Settled {
    /// The object is made, and this is its outboard.
    Made(StoredObject, Outboard),
    /// These bytes were deposited before; no second object was made.
    Known(Box<Deposit>),
}

/// Makes the object and its outboard; refuses bytes that are not the announced ones, before the object is made where that can be
/// told. SHA-256 cannot be computed by parts: an item of several parts is read again for it.
pub(crate) async fn settle(ingest: &Ingest, session: &Session, layout: Layout) -> Result<Settled, IngestError> {
    let expected = Expected::Length(layout);
    let (vault, upload) = (&ingest.vault, &session.upload);
    let (values, object) = match progress::of(vault, session, &expected).await? {
        Progress::Lost => {
            return Err(ingest.lose(session, "the store knows neither the upload nor the object").await);
        }
        Progress::Stored(object) => (growing::values(vault, upload, layout, None).await?, object),
        Progress::Receiving(received) => {
            let values = growing::values(vault, upload, layout, Some(&received.parts)).await?;
            if let Some(outboard) = growing::whole(layout, &values)
                && let Some(deposit) = admit(ingest, session, &outboard, None).await?
            {
                return Ok(Settled::Known(Box::new(deposit)));
            }
            let Some(full) = full_crc(layout, &values, &received.parts) else {
                return Err(ingest.lose(session, "what was computed of its parts was lost").await);
            };
            (values, commit::complete(ingest, session, &expected, received, full).await?)
        }
    };
    let said = session.basis.plain().map(|plain| &plain.statement);
    let want_sha256 = layout.parts() > 1 && said.is_some_and(|said| said.sha256.is_some());
    let (mut outboard, mut sha256) = growing::read_again(vault, &object, layout, values, want_sha256).await?;
    if vault.head_version(&object).await?.crc.is_some_and(|crc| crc != outboard.crc()) {
        // Values of other bytes than the store put together: only the object itself can tell.
        let nothing = vec![None; layout.parts()];
        (outboard, sha256) = growing::read_again(vault, &object, layout, nothing, want_sha256).await?;
    }
    if let Some(why) = said.and_then(|said| digests::difference(said, Some(outboard.root()), sha256)) {
        return Err(ingest.refuse(session, Some(&object), &why).await?);
    }
    let bytes = Bytes::from(outboard.encode());
    let intake = &vault.buckets().intake;
    vault.write(intake, &keys::intake_outboard(upload), bytes, "application/octet-stream").await?;
    Ok(Settled::Made(object, outboard))
}

/// The only part of an item is here, and nothing of it in the store yet: compares it with what was said, and answers the deposit
/// that has these bytes already.
pub(crate) async fn judge(ingest: &Ingest, session: &Session, only: &Outgoing) -> Result<Option<Deposit>, IngestError> {
    let layout = Layout::of(session.length());
    let values = only.values.as_slice();
    let outboard = layout.and_then(|layout| Outboard::of_parts(layout, values));
    let outboard = outboard.map_err(|e| IngestError::Internal(e.to_string()))?;
    let sha256 = Sha256(sha2::Sha256::digest(&only.part.bytes).into());
    admit(ingest, session, &outboard, Some(sha256)).await
}

/// Refuses bytes that are not the announced ones; answers the deposit that has them already. Nothing is locked at this point.
async fn admit(
    ingest: &Ingest,
    session: &Session,
    outboard: &Outboard,
    sha256: Option<Sha256>,
) -> Result<Option<Deposit>, IngestError> {
    let said = session.basis.plain().map(|plain| &plain.statement);
    if let Some(why) = said.and_then(|said| digests::difference(said, Some(outboard.root()), sha256)) {
        let refused = ingest.refuse(session, None, &why).await?;
        give_back(ingest, session).await?;
        return Err(refused);
    }
    match deposit::standing(ingest, &session.basis.item(), &outboard.root()).await? {
        Standing::These(deposit) => {
            give_back(ingest, session).await?;
            Ok(Some(*deposit))
        }
        Standing::Unknown | Standing::Nothing | Standing::Others => Ok(None),
    }
}

/// Lets go of bytes that will not become an object.
async fn give_back(ingest: &Ingest, session: &Session) -> Result<(), IngestError> {
    if let Some(upload_id) = &session.multipart {
        ingest.vault.abort(multipart(&ingest.vault, session, upload_id)).await?;
    }
    ingest.discard_leftovers(&session.upload).await;
    Ok(())
}

/// The checksum of the whole by those of its parts: ours, or the ones the store lists.
fn full_crc(layout: Layout, values: &[Option<PartValues>], listed: &BTreeMap<usize, Part>) -> Option<Crc64> {
    let crc = |index: usize| {
        let ours = values.get(index)?.as_ref().map(PartValues::crc);
        ours.or_else(|| listed.get(&index)?.crc)
    };
    (1..layout.parts()).try_fold(crc(0)?, |whole, index| Some(whole.then(crc(index)?, layout.part_len(index))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_checksum_comes_of_ours_or_of_the_stores() {
        let data: Vec<u8> = (0..17_000_000_u32).map(|i| u8::try_from(i % 251).unwrap_or(0)).collect();
        let layout = Layout::of(data.len() as u64).expect("layout");
        let parts: Vec<&[u8]> = data.chunks(8 << 20).collect();
        let values: Vec<_> = (0..).zip(&parts).map(|(index, part)| PartValues::of(layout, index, part)).collect();
        let listed = |index: usize| Part {
            number: 1,
            length: parts[index].len() as u64,
            etag: String::new(),
            crc: Some(Crc64::of(parts[index])),
        };
        let whole = Some(Crc64::of(&data));
        assert_eq!(full_crc(layout, &values, &BTreeMap::new()), whole);
        let holed = vec![values[0].clone(), None, values[2].clone()];
        assert_eq!(full_crc(layout, &holed, &BTreeMap::from([(1, listed(1))])), whole);
        assert_eq!(full_crc(layout, &holed, &BTreeMap::new()), None);
    }
}
