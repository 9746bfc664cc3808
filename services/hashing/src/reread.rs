//! One pass over a locked version: BLAKE3, SHA-256, SM3 and CRC64NVME together.
//!
//! SM3 is the slowest by far (0.5 GB/s a core against 1.9 and 7), so each digest of a piece runs on a thread of its own while the
//! next piece is on its way from the store.

use bytes::Bytes;
use custos_domain::{
    digest::{Crc64, Root, Sha256, Sm3},
    manifest::StoredObject,
};
use custos_platform::{
    vault::{StoreError, Vault},
    worker::Delivery,
};
use sha2::Digest;

/// Bytes in one read. Short, so that a legal hold never waits for us (MinIO lets an open GET block one).
const PIECE: u64 = 8 << 20;

/// What a re-read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Bytes read.
    pub length: u64,
    /// BLAKE3.
    pub root: Root,
    /// SHA-256.
    pub sha256: Sha256,
    /// SM3.
    pub sm3: Sm3,
    /// CRC64NVME.
    pub crc: Crc64,
}

impl Digests {
    /// What a version that is gone comes to.
    #[must_use]
    pub fn nothing() -> Self {
        Hashers::default().finish(0)
    }
}

/// Why a version could not be re-read to its end.
#[derive(Debug, thiserror::Error)]
pub enum RereadError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Told to stop; nothing is lost, another try begins anew.
    #[error("stopped in the middle of a re-read")]
    Stopped,
    /// A digest thread ended early.
    #[error("a digest thread failed: {0}")]
    Thread(String),
}

/// Reads `length` bytes of a version. Tells the bus after each piece, and stops when the delivery is to stop.
pub async fn reread(
    vault: &Vault,
    object: &StoredObject,
    length: u64,
    delivery: &Delivery,
) -> Result<Digests, RereadError> {
    let mut hashers = Hashers::default();
    let mut next = read(vault, object, 0, length).await?;
    let mut offset = 0;
    while let Some(piece) = next.take() {
        offset += piece.len() as u64;
        // Digest this piece while the next one is read.
        let (hashed, read) = tokio::join!(hashers.update(piece), read(vault, object, offset, length));
        hashers = hashed.map_err(|e| RereadError::Thread(e.to_string()))?;
        next = read?;
        if delivery.is_stopping() {
            return Err(RereadError::Stopped);
        }
        delivery.progress().await;
    }
    Ok(hashers.finish(offset))
}

/// The piece at `offset`; none at the end, or when the store has no more.
async fn read(vault: &Vault, object: &StoredObject, offset: u64, length: u64) -> Result<Option<Bytes>, StoreError> {
    let left = length.saturating_sub(offset).min(PIECE);
    if left == 0 {
        return Ok(None);
    }
    let bytes = vault.read_range(object, offset, left).await?;
    Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
}

/// The running digests of one version.
#[derive(Default)]
struct Hashers {
    root: blake3::Hasher,
    sha256: sha2::Sha256,
    sm3: sm3::Sm3,
    crc: Crc64,
}

impl Hashers {
    /// Takes one piece; SM3 on one thread, the others on another.
    async fn update(self, piece: Bytes) -> Result<Self, tokio::task::JoinError> {
        let Self { mut root, mut sha256, mut sm3, crc } = self;
        let same = piece.clone();
        let slow = tokio::task::spawn_blocking(move || {
            sm3.update(&same);
            sm3
        });
        let fast = tokio::task::spawn_blocking(move || {
            root.update(&piece);
            sha256.update(&piece);
            let crc = crc.then(Crc64::of(&piece), piece.len() as u64);
            (root, sha256, crc)
        });
        let (sm3, (root, sha256, crc)) = (slow.await?, fast.await?);
        Ok(Self { root, sha256, sm3, crc })
    }

    fn finish(self, length: u64) -> Digests {
        Digests {
            length,
            root: Root(*self.root.finalize().as_bytes()),
            sha256: Sha256(self.sha256.finalize().into()),
            sm3: Sm3(self.sm3.finalize().into()),
            crc: self.crc,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of FIPS 180-4 and GB/T 32905 for `abc`.
    #[tokio::test]
    async fn digests_are_those_of_the_standards() {
        let hashers = Hashers::default().update(Bytes::from_static(b"a")).await.expect("a");
        let digests = hashers.update(Bytes::from_static(b"bc")).await.expect("bc").finish(3);
        assert_eq!(digests.sha256.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digests.sm3.to_hex(), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
        assert_eq!((digests.root, digests.crc), (Root::of(b"abc"), Crc64::of(b"abc")));
    }
}
