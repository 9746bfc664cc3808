//! Multipart uploads: what is listed, replaced, completed and aborted.

use bytes::Bytes;
use custos_domain::digest::Crc64;

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::vault::StoreError;

pub(super) const CHECKS: [Check; 5] = [
    Check {
        id: "multipart.parts",
        tried: "parts sent out of order: each is listed once, with its length",
        weight: Weight::Mandatory,
        why: "INV-8: what is listed is what an upload goes on from, on any replica",
        remedy: "use another store, or another release of it",
        trial: |scratch| Box::pin(parts(scratch)),
    },
    Check {
        id: "multipart.part-checksums",
        tried: "listed parts tell their CRC64NVME",
        weight: Weight::Advisory,
        why: "without it a listed part is known by its length until Complete checks the whole",
        remedy: "nothing",
        trial: |scratch| Box::pin(part_checksums(scratch)),
    },
    Check {
        id: "multipart.replace",
        tried: "a part sent again with other bytes: the later ones are in the object",
        weight: Weight::Advisory,
        why: "a good listed part is never sent again; one of a wrong length or checksum is",
        remedy: "nothing; Complete refuses a whole that is not the declared one",
        trial: |scratch| Box::pin(replace(scratch)),
    },
    Check {
        id: "multipart.complete-twice",
        tried: "Complete again after it succeeded: no second version",
        weight: Weight::Advisory,
        why: "a lost answer is settled by key and nonce, never by completing again",
        remedy: "nothing; a second version is locked and harmless",
        trial: |scratch| Box::pin(complete_twice(scratch)),
    },
    Check {
        id: "multipart.abort",
        tried: "an aborted upload is unknown afterwards, and cannot be completed",
        weight: Weight::Mandatory,
        why: "an upload the store has lost must not look as if it went on",
        remedy: "use another store, or another release of it",
        trial: |scratch| Box::pin(abort(scratch)),
    },
];

async fn parts(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("parts");
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    let sent: [(i32, &'static [u8]); 3] = [(3, b"three"), (1, b"one"), (2, b"second")];
    for (number, bytes) in sent {
        scratch.part(upload, number, bytes).await?;
    }
    let listed = scratch.vault.parts(upload).await?;
    scratch.vault.abort(upload).await?;
    let listed: Vec<(i32, u64)> = listed.into_iter().map(|part| (part.number, part.length)).collect();
    Ok(Outcome::when(listed == [(1, 3), (2, 6), (3, 5)], format!("number and length: {listed:?}")))
}

async fn part_checksums(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("part-checksums");
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    scratch.part(upload, 1, b"bytes").await?;
    let listed = scratch.vault.parts(upload).await?;
    scratch.vault.abort(upload).await?;
    let told = listed.first().and_then(|part| part.crc);
    Ok(match told {
        Some(crc) if crc == Crc64::of(b"bytes") => Outcome::kept(format!("CRC64NVME {crc}")),
        Some(crc) => Outcome::broken(format!("another one: {crc}")),
        None => Outcome::broken("it tells none"),
    })
}

async fn replace(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("replace");
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    scratch.part(upload, 1, b"earlier").await?;
    let later = scratch.part(upload, 1, b"later").await?;
    let answer = scratch.vault.complete(upload, &[later], Crc64::of(b"later")).await;
    scratch.vault.abort(upload).await?;
    match answer {
        Err(error) if error.is_permanent() => Ok(Outcome::broken(error.to_string())),
        Err(error) => Err(error),
        Ok(_) => {
            let head = scratch.vault.head_latest(scratch.bucket(), &key).await?;
            let bytes = scratch.vault.read_range(&head.object, 0, head.length).await?;
            Ok(Outcome::when(bytes.as_ref() == b"later", format!("the object is `{}`", bytes.escape_ascii())))
        }
    }
}

async fn complete_twice(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("complete-twice");
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    let part = scratch.part(upload, 1, b"bytes").await?;
    let crc = Crc64::of(b"bytes");
    scratch.vault.complete(upload, std::slice::from_ref(&part), crc).await?;
    let again = scratch.vault.complete(upload, &[part], crc).await;
    let versions = scratch.versions(&key).await?.len();
    let answer = again.err().map_or_else(|| "accepted".to_owned(), |error| error.to_string());
    Ok(Outcome::when(versions == 1, format!("{answer}; {versions} versions")))
}

async fn abort(scratch: &Scratch) -> Result<Outcome, StoreError> {
    let key = scratch.key("abort");
    let upload_id = scratch.vault.begin_multipart(scratch.creation(&key, scratch.soon())).await?;
    let upload = scratch.upload(&key, &upload_id);
    let bytes = Bytes::from_static(b"bytes");
    let crc = Crc64::of(&bytes);
    let part = scratch.vault.put_part(upload, 1, bytes, crc).await?;
    scratch.vault.abort(upload).await?;
    let known = match scratch.vault.parts(upload).await {
        Err(StoreError::NoSuchUpload { .. } | StoreError::NotFound { .. }) => false,
        Err(error) => return Err(error),
        Ok(_) => true,
    };
    let completed = scratch.vault.complete(upload, &[part], crc).await.is_ok();
    Ok(match (known, completed) {
        (false, false) => Outcome::kept("unknown, and not completed"),
        (_, true) => Outcome::broken("it could still be completed"),
        (true, false) => Outcome::broken("its parts are still listed"),
    })
}
