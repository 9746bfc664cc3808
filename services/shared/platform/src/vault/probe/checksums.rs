//! Checksums: the store must refuse bytes that are not the ones we meant, and tell the checksum of what it keeps.

use bytes::Bytes;
use custos_domain::digest::Crc64;

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::vault::StoreError;

/// The least a part may have that is not the last (S3).
const LEAST_PART: usize = 5 << 20;
const ANOTHER_STORE: &str = "use a store, or a release of it, that checks CRC64NVME";

pub(super) const CHECKS: [Check; 4] = [
    Check {
        id: "checksums.put",
        tried: "PutObject with a wrong CRC64NVME: refused, and nothing is stored",
        weight: Weight::Mandatory,
        why: "bytes damaged between ingest and the store must not be receipted",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(put(scratch)),
    },
    Check {
        id: "checksums.part",
        tried: "UploadPart with a wrong CRC64NVME: refused, and the part is not listed",
        weight: Weight::Mandatory,
        why: "INV-8: a listed part counts as durable",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(part(scratch)),
    },
    Check {
        id: "checksums.complete",
        tried: "Complete with a wrong CRC64NVME of the whole: refused, and there is no object",
        weight: Weight::Mandatory,
        why: "the object must be made of exactly the parts that were declared",
        remedy: ANOTHER_STORE,
        trial: |scratch| Box::pin(complete(scratch)),
    },
    Check {
        id: "checksums.read-back",
        tried: "an object of two parts: length, CRC64NVME of the whole and a range across the seam are read back exactly",
        weight: Weight::Advisory,
        why: "hashing re-reads every byte before a permit (INV-4); a store that tells the checksum shows damage at once",
        remedy: "nothing; without it damage is noticed by the re-read only",
        trial: |scratch| Box::pin(read_back(scratch)),
    },
];

async fn put(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("wrong-put");
    let answer =
        scratch.vault.put_original(scratch.creation(&key, scratch.soon()), Bytes::from_static(b"bytes"), wrong());
    let answer = answer.await;
    let stored = !scratch.versions(&key).await?.is_empty();
    judge(answer.map(drop), stored)
}

async fn part(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("wrong-part");
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    let answer = scratch.vault.put_part(upload, 1, Bytes::from_static(b"bytes"), wrong()).await.map(drop);
    let stored = !scratch.vault.parts(upload).await?.is_empty();
    scratch.vault.abort(upload).await?;
    judge(answer.map(drop), stored)
}

async fn complete(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("wrong-complete");
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    let part = scratch.part(upload, 1, b"bytes").await?;
    let answer = scratch.vault.complete(upload, &[part], wrong()).await;
    let stored = !scratch.versions(&key).await?.is_empty();
    scratch.vault.abort(upload).await?;
    judge(answer.map(drop), stored)
}

async fn read_back(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let (key, tail) = (scratch.key("read-back"), Bytes::from_static(b"and its tail"));
    let first = Bytes::from(vec![0x5a; LEAST_PART]);
    let full = Crc64::of(&first).then(Crc64::of(&tail), tail.len() as u64);
    let length = (first.len() + tail.len()) as u64;
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    let mut parts = Vec::new();
    for (number, bytes) in [(1, first), (2, tail)] {
        let crc = Crc64::of(&bytes);
        parts.push(scratch.vault.put_part(upload, number, bytes, crc).await?);
    }
    scratch.vault.complete(upload, &parts, full).await?;
    let head = scratch.vault.head_latest(scratch.bucket(), &key).await?;
    let seam = scratch.vault.read_range(&head.object, LEAST_PART as u64 - 4, 7).await?;
    Ok(match head.crc {
        _ if head.length != length => Outcome::broken(format!("{length} bytes were sent, it tells {}", head.length)),
        _ if seam.as_ref() != b"ZZZZand" => Outcome::broken(format!("the range read was `{}`", seam.escape_ascii())),
        Some(crc) if crc == full => Outcome::kept(format!("CRC64NVME {full}")),
        Some(crc) => Outcome::broken(format!("the CRC64NVME is {full}, it tells {crc}")),
        None => Outcome::broken("it tells no CRC64NVME of the whole"),
    })
}

/// A checksum of other bytes.
fn wrong() -> Crc64 {
    Crc64::of(b"other bytes")
}

fn judge(answer: Result<(), StoreError>, stored: bool) -> Result<Outcome, StoreError> {
    match answer {
        Ok(()) => Ok(Outcome::broken("accepted")),
        Err(_) if stored => Ok(Outcome::broken("refused, and stored all the same")),
        Err(StoreError::Refused { code, .. }) => Ok(Outcome::kept(format!("refused with {code}"))),
        Err(error) if error.is_permanent() => Ok(Outcome::kept(error.to_string())),
        Err(error) => Err(error),
    }
}
