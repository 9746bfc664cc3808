//! PATCH: bytes arrive, are checked by the MiB, and go to the store in parts of 8 MiB.
//!
//! Memory is one part being filled and one being sent for each running upload, out of one budget for the process: no permit, no
//! reading from the socket.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use custos_domain::{
    digest::Crc64,
    keys,
    outboard::{Outboard, PART},
};
use custos_platform::vault::{StoreError, Vault, multipart::Creation};
use futures::{Stream, StreamExt};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    assembler::{Assembler, BadMib, FullPart},
    error::IngestError,
    progress::{Received, multipart},
    session::Session,
};

/// A sender that is silent for this long is cut off; what it sent is kept.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a new request waits for memory before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(5);
/// Parts of one upload on their way to the store at once.
const IN_FLIGHT: usize = 2;

/// Everything one append works with.
pub struct Append<'a> {
    /// The process's memory for parts; one permit is one part.
    pub budget: &'a Arc<Semaphore>,
    /// Where parts go: the session has its multipart upload begun when it needs one.
    pub target: Target,
    /// What the bytes must be.
    pub outboard: &'a Outboard,
    /// What the store already has.
    pub received: Received,
    /// Cancelled when a newer request takes over or the process drains.
    pub stop: CancellationToken,
}

/// Where the parts of one upload go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The store.
    pub vault: Vault,
    /// The session.
    pub session: Arc<Session>,
    /// The lock's first date, should the item be created in one call.
    pub floor: jiff::Timestamp,
}

impl Target {
    /// Stores one part, or the whole item when it is the only one.
    async fn send(self, part: FullPart, crc: Crc64, permit: Option<OwnedSemaphorePermit>) -> Result<(), StoreError> {
        let _held_until_stored = permit;
        let Some(upload_id) = &self.session.multipart else {
            return self.create_whole(part.bytes, crc).await;
        };
        let number = i32::try_from(part.index + 1).unwrap_or(i32::MAX);
        self.vault.put_part(multipart(&self.vault, &self.session, upload_id), number, part.bytes, crc).await.map(drop)
    }

    async fn create_whole(&self, bytes: Bytes, crc: Crc64) -> Result<(), StoreError> {
        let creation = Creation {
            bucket: &self.vault.buckets().originals,
            key: &self.session.original,
            nonce: &self.session.nonce,
            locked_until: self.floor,
        };
        match self.vault.put_original(creation, bytes, crc).await {
            // An earlier try of ours got through; read-back tells by the nonce.
            Err(StoreError::Precondition { .. }) => Ok(()),
            other => other,
        }
    }
}

/// What became of a part's task.
fn stored(sent: Result<Result<(), StoreError>, tokio::task::JoinError>) -> Result<(), StoreError> {
    sent.unwrap_or_else(|e| Err(StoreError::Unavailable { operation: "UploadPart", detail: e.to_string() }))
}

/// How an append ended; everything up to `offset` is durable.
#[derive(Debug)]
pub enum Appended {
    /// All bytes are in the store: the object can be made.
    Whole,
    /// More must come.
    Partial {
        /// Where to go on.
        offset: u64,
    },
}

impl Append<'_> {
    /// Takes the request's body to its end, to the item's end, or to the first thing that goes wrong.
    pub async fn run<E>(mut self, body: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<Appended, IngestError> {
        let permit = self.first_permit().await?;
        let tail = self.read_tail().await?;
        let outboard = self.outboard;
        let mut assembler = Assembler::resume(outboard, self.received.contiguous, &tail).map_err(|bad| {
            IngestError::Lost(format!("MiB {} was acknowledged in pieces and turned out damaged", bad.mib))
        })?;
        let end = self.receive(&mut assembler, body, permit).await;
        self.settle(&assembler, end).await
    }

    /// Reads the body and sends parts until something ends it. When that is the store, parts still on their way are dropped and
    /// asked for again.
    async fn receive<E>(
        &mut self,
        assembler: &mut Assembler<'_>,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        permit: OwnedSemaphorePermit,
    ) -> Result<End, StoreError> {
        let mut sending = JoinSet::new();
        let mut permit = Some(permit);
        let end = loop {
            let frame = tokio::select! {
                () = self.stop.cancelled() => break End::Superseded,
                frame = tokio::time::timeout(SILENCE, body.next()) => frame,
            };
            let mut bytes = match frame {
                Ok(Some(Ok(bytes))) => bytes,
                Ok(None) => break End::Clean,
                Ok(Some(Err(_))) | Err(_) => break End::Cut,
            };
            if let Some(end) = self.consume(assembler, &mut bytes, &mut sending, &mut permit).await? {
                break end;
            }
        };
        while let Some(sent) = sending.join_next().await {
            stored(sent)?;
        }
        Ok(end)
    }

    /// Takes one frame. Answers an end when the frame brought one.
    async fn consume(
        &self,
        assembler: &mut Assembler<'_>,
        bytes: &mut Bytes,
        sending: &mut JoinSet<Result<(), StoreError>>,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Option<End>, StoreError> {
        while !bytes.is_empty() {
            match assembler.take(bytes) {
                Ok(None) if bytes.is_empty() => {}
                Ok(None) => return Ok(Some(End::TooLong)),
                Err(bad) => return Ok(Some(End::Bad(bad))),
                Ok(Some(part)) => {
                    if !self.received.parts.contains_key(&part.index) {
                        let crc = self.outboard.part_crc(part.index).unwrap_or_default();
                        // A task of its own: it must go on while this one waits for memory or for the network.
                        sending.spawn(self.target.clone().send(part, crc, permit.take()));
                    }
                    while sending.len() >= IN_FLIGHT {
                        sending.join_next().await.map_or(Ok(()), stored)?;
                    }
                    if permit.is_none() {
                        let room = self.stop.run_until_cancelled(Arc::clone(self.budget).acquire_owned()).await;
                        let Some(Ok(room)) = room else { return Ok(Some(End::Superseded)) };
                        *permit = Some(room);
                    }
                    assembler.make_room();
                }
            }
        }
        Ok(None)
    }

    /// Keeps what is left in memory, and says how it ended.
    async fn settle(&self, assembler: &Assembler<'_>, end: Result<End, StoreError>) -> Result<Appended, IngestError> {
        let end = end.map_err(|error| match error {
            // Every MiB fitted the root, so it is the declared checksum that is wrong.
            // MinIO's name for it, and SeaweedFS's.
            StoreError::Refused { code, .. }
                if ["XAmzContentChecksumMismatch", "BadDigest"].contains(&code.as_str()) =>
            {
                IngestError::Outboard("the CRC64NVME it gives for a part is not that of the part's bytes".to_owned())
            }
            error => error.into(),
        })?;
        let whole = assembler.offset() == self.target.session.length();
        if whole && matches!(end, End::Clean | End::Cut | End::Superseded) {
            return Ok(Appended::Whole);
        }
        // A clean end is answered with its exact offset, so even the unfinished MiB must be durable. After anything else only
        // verified MiB are kept: an answered offset never decreases, so nothing unproven may be acknowledged.
        let (base, tail) = if matches!(end, End::Clean) { assembler.tail() } else { assembler.verified_tail() };
        let offset = self.keep_tail(base, tail).await?;
        match end {
            End::Clean | End::Cut => Ok(Appended::Partial { offset }),
            End::Superseded => Err(IngestError::Superseded { offset }),
            End::TooLong => Err(IngestError::TooLong { length: self.target.session.length(), offset }),
            End::Bad(bad) if bad.offset < self.acknowledged() => {
                Err(IngestError::Lost(format!("MiB {} was acknowledged in pieces and turned out damaged", bad.mib)))
            }
            End::Bad(bad) => Err(IngestError::Checksum { mib: bad.mib, offset }),
        }
    }

    /// Stores a tail under a name of its own, then lets go of the one it covers. Answers the durable offset.
    async fn keep_tail(&self, base: u64, tail: &[u8]) -> Result<u64, StoreError> {
        let stored = self.received.tail.as_ref().filter(|_| self.received.contiguous as u64 * PART == base);
        let before = stored.map_or(0, |(_, len)| *len);
        let len = tail.len() as u64;
        if len > before {
            let key = keys::tail(&self.target.session.upload, base, len);
            let bytes = Bytes::copy_from_slice(tail);
            self.target
                .vault
                .write(&self.target.vault.buckets().intake, &key, bytes, "application/octet-stream")
                .await?;
        }
        if let Some((key, at)) = &self.received.tail
            && (stored.is_none() || len > *at)
        {
            // Covered by a stored part or a longer tail. A tail that stays behind is only litter.
            let _ = self.target.vault.discard_intake(key).await;
        }
        Ok(base + len.max(before))
    }

    fn acknowledged(&self) -> u64 {
        self.received.offset(self.target.session.length())
    }

    async fn read_tail(&self) -> Result<Bytes, StoreError> {
        let Some((key, _)) = &self.received.tail else { return Ok(Bytes::new()) };
        let document = self.target.vault.read_latest(&self.target.vault.buckets().intake, key).await?;
        document
            .map(|d| d.bytes)
            .ok_or(StoreError::Unavailable { operation: "GetObject", detail: format!("{key} vanished") })
    }

    async fn first_permit(&self) -> Result<OwnedSemaphorePermit, IngestError> {
        match tokio::time::timeout(PATIENCE, Arc::clone(self.budget).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(IngestError::Busy),
        }
    }
}

/// What ended the reading of a body.
enum End {
    /// The client sent all it meant to.
    Clean,
    /// The connection broke, or the sender fell silent.
    Cut,
    /// A newer request took over.
    Superseded,
    /// More bytes than declared.
    TooLong,
    /// A MiB that is not the declared one.
    Bad(BadMib),
}
