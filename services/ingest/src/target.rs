//! Where the parts of one upload go.

use std::sync::Arc;

use crate::{
    assembler::FullPart,
    budget::Permit,
    growing,
    lanes::Lanes,
    progress::{Received, multipart},
    session::Session,
};
use bytes::Bytes;
use custos_domain::{
    digest::Crc64,
    keys,
    manifest::StoredObject,
    outboard::{PART, PartValues},
};
use custos_platform::vault::{
    StoreError, Vault,
    multipart::{Creation, Part},
};

/// Where the parts of one upload go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The store.
    pub vault: Vault,
    /// The way to it.
    pub lanes: Lanes,
    /// The session.
    pub session: Arc<Session>,
    /// The lock's first date, should the item be created in one call.
    pub floor: jiff::Timestamp,
}

/// A part with what is known of it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its bytes.
    pub part: FullPart,
    /// Its checksum: the outboard's, or computed.
    pub crc: Crc64,
    /// What to keep of it once it is stored, when there is no outboard and nothing speaks against it.
    pub values: Option<PartValues>,
    /// The store lists it already with these bytes: only its values may be missing.
    pub stored: bool,
}

/// What a part became.
#[derive(Debug)]
pub enum Made {
    /// The part with this index, counted from zero.
    Part(usize, Part),
    /// The whole item.
    Object(StoredObject),
    /// It was there already.
    Before,
}

impl Target {
    /// Stores one part, or the whole item when it is the only one, and then keeps what was computed of it.
    pub async fn send(self, out: Outgoing, permit: Option<Permit>) -> Result<Made, StoreError> {
        let Outgoing { part, crc, values, stored } = out;
        let made = if stored {
            Made::Before
        } else {
            let behind = self.session.length().saturating_sub((part.index as u64 + 1) * PART);
            let left = usize::try_from(behind.div_ceil(PART)).unwrap_or(usize::MAX);
            let _lane = self.lanes.enter(left).await;
            self.put(part.index, part.bytes.clone(), crc).await?
        };
        // Held until it is stored.
        if let Some(permit) = permit {
            permit.reuse(part.bytes);
        }
        if let Some(values) = values {
            growing::keep(&self.vault, &self.session.upload, part.index, &values).await?;
        }
        Ok(made)
    }

    /// Stores a tail under a name of its own, then lets go of the one it covers. Answers the durable offset.
    pub async fn keep_tail(&self, received: &Received, base: u64, tail: &[u8]) -> Result<u64, StoreError> {
        let stored = received.tail.as_ref().filter(|_| received.contiguous as u64 * PART == base);
        let before = stored.map_or(0, |(_, len)| *len);
        let len = tail.len() as u64;
        if len > before {
            let key = keys::tail(&self.session.upload, base, len);
            let bytes = Bytes::copy_from_slice(tail);
            self.vault.write(&self.vault.buckets().intake, &key, bytes, "application/octet-stream").await?;
        }
        if let Some((key, at)) = &received.tail
            && (stored.is_none() || len > *at)
        {
            // Covered by a stored part or a longer tail. A tail that stays behind is only litter.
            let _ = self.vault.discard_intake(key).await;
        }
        Ok(base + len.max(before))
    }

    /// The tail a former request left.
    pub async fn read_tail(&self, received: &Received) -> Result<Bytes, StoreError> {
        let Some((key, _)) = &received.tail else { return Ok(Bytes::new()) };
        let document = self.vault.read_latest(&self.vault.buckets().intake, key).await?;
        document
            .map(|d| d.bytes)
            .ok_or(StoreError::Unavailable { operation: "GetObject", detail: format!("{key} vanished") })
    }

    async fn put(&self, index: usize, bytes: Bytes, crc: Crc64) -> Result<Made, StoreError> {
        let Some(upload_id) = &self.session.multipart else {
            return self.create_whole(bytes, crc).await;
        };
        let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let multipart = multipart(&self.vault, &self.session, upload_id);
        Ok(Made::Part(index, self.vault.put_part(multipart, number, bytes, crc).await?))
    }

    async fn create_whole(&self, bytes: Bytes, crc: Crc64) -> Result<Made, StoreError> {
        let creation = Creation {
            bucket: &self.vault.buckets().originals,
            key: &self.session.original,
            nonce: &self.session.nonce,
            locked_until: self.floor,
        };
        match self.vault.put_original(creation, bytes, crc).await {
            // An earlier try of ours got through; read-back tells by the nonce.
            Err(StoreError::Precondition { .. }) => Ok(Made::Before),
            other => other.map(Made::Object),
        }
    }
}
