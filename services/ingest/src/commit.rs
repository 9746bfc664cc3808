//! From "all bytes are in the store" to "stored, locked, described, receipted". Read it top to bottom: `commit` is the order in which
//! nothing can be lost. [`crate::committer`] runs it.
//!
//! Every step may die at any moment and is safe to run again; the create-only manifest is the exactly-once point (INV-1).

use std::time::Duration;

use bytes::Bytes;
use custos_domain::{
    digest::{Crc64, Root},
    item::{ItemKey, UnifiedCode},
    keys,
    manifest::{Manifest, StoredObject},
    outboard::Outboard,
};
use custos_platform::vault::{documents::Created, probe::StoreMode, read::VersionHead};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Ingest,
    deposit::{self, Deposit},
    error::IngestError,
    expected::Expected,
    landed::{self, Landed},
    progress::{self, Progress, Received, multipart},
    session::{Session, Stage},
    settle::{self, Settled},
};

/// An original's first lock must last at least this long: time to read it back and extend it, also after an outage.
const SHORTEST_LOCK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// One deposit's last steps, in order.
#[tracing::instrument(name = "ingest.commit.run", skip_all, fields(upload = %session.upload, item))]
pub(crate) async fn commit(ingest: &Ingest, session: Session, landed: Landed) -> Result<Deposit, IngestError> {
    let clean = landed.clean;
    let (original, outboard) = match ingest.expected(&session).await? {
        Expected::Outboard(outboard) => (original(ingest, &session, &outboard, landed).await?, outboard),
        Expected::Length(layout) => match settle::settle(ingest, &session, layout).await? {
            Settled::Made(original, outboard) => (original, outboard),
            Settled::Known(deposit) => return adopt(ingest, &session, *deposit, clean).await,
        },
    };
    // The object stands: what is written beside it no longer disturbs its making.
    let floor = ingest.floor(session.tenant(), ingest.trusted_now()?)?;
    let (locked_until, proof) = tokio::try_join!(
        async { lock(ingest, &session, &read_back(ingest, &session, &outboard, &original).await?, floor).await },
        prove(ingest, &session, &outboard, floor),
    )?;
    if locked_until > floor {
        // What proves the original is locked as long as the original.
        ingest.vault.extend_lock(&proof, locked_until).await?;
    }
    let manifest = describe(&session, &original, (&outboard, &proof), locked_until);
    let deposit = write_manifest(ingest, &session.basis.item(), manifest, clean && session.vacant).await?;
    adopt(ingest, &session, deposit, clean).await
}

/// Makes a deposit the end of this upload: states it, should that not have been done, and closes the session. An upload that was
/// `clean` left nothing else behind.
pub(crate) async fn adopt(
    ingest: &Ingest,
    session: &Session,
    deposit: Deposit,
    clean: bool,
) -> Result<Deposit, IngestError> {
    tracing::Span::current().record("item", deposit.manifest.code.to_string());
    deposit::state(ingest, &deposit).await?;
    finish(ingest, session, &deposit, clean).await;
    Ok(deposit)
}

/// The original's version; makes the object of its parts when that was not done yet.
async fn original(
    ingest: &Ingest,
    session: &Session,
    outboard: &Outboard,
    landed: Landed,
) -> Result<StoredObject, IngestError> {
    let expected = Expected::Outboard(outboard.clone());
    match landed.bytes {
        Some(landed::Bytes::Object(object)) => return Ok(object),
        Some(landed::Bytes::Parts(parts)) => {
            return complete(ingest, session, &expected, parts, full_crc(session, outboard)).await;
        }
        None => {}
    }
    match progress::of(&ingest.vault, session, &expected).await? {
        Progress::Stored(object) => Ok(object),
        Progress::Lost => Err(ingest.lose(session, "the store knows neither the upload nor the object").await),
        Progress::Receiving(received) => {
            complete(ingest, session, &expected, received, full_crc(session, outboard)).await
        }
    }
}

/// The checksum over all bytes. Combining those of the parts costs more than checking a MiB: what was signed is the same.
fn full_crc(session: &Session, outboard: &Outboard) -> Crc64 {
    session.basis.crc().unwrap_or_else(|| outboard.crc())
}

/// Makes the object of its parts, whose checksum as a whole is `full`.
pub(crate) async fn complete(
    ingest: &Ingest,
    session: &Session,
    expected: &Expected,
    received: Received,
    full: Crc64,
) -> Result<StoredObject, IngestError> {
    if received.is_short(session) {
        // A list may be wrong for a moment; whoever asks next is told when it stays so.
        return Err(IngestError::Finishing);
    }
    let upload_id = session.multipart.as_ref().filter(|_| received.contiguous == expected.parts());
    let Some(upload_id) = upload_id else {
        return Err(IngestError::Offset { offset: received.offset(session.length()) });
    };
    // The lock's date was fixed when the upload was begun; an upload that rested for weeks would become an original that is
    // unlocked at once (INV-2).
    let enough = ingest.trusted_now()? + SHORTEST_LOCK;
    if session.lock_begun.is_some_and(|until| until < enough) {
        return Err(ingest.lose(session, "it rested so long that its lock would be too short").await);
    }
    let parts: Vec<_> = received.parts.into_values().collect();
    let answer = ingest.vault.complete(multipart(&ingest.vault, session, upload_id), &parts, full).await;
    let error = match answer {
        // Read back by this version next.
        Ok(object) => return Ok(object),
        Err(error) => error,
    };
    tracing::warn!(upload = %session.upload, %error, "complete did not succeed; looking at what stands");
    // The answer does not decide, the store's state does: by key and nonce, never by a listing of parts.
    match progress::of(&ingest.vault, session, expected).await? {
        Progress::Stored(object) => Ok(object),
        Progress::Lost => Err(ingest.lose(session, "the store destroyed the upload while completing it").await),
        Progress::Receiving(received) if received.is_short(session) => Err(IngestError::Finishing),
        // It forgot a part that it had acknowledged to us alone: the dock sends that one again.
        Progress::Receiving(received) if received.contiguous < expected.parts() => {
            Err(IngestError::Offset { offset: received.offset(session.length()) })
        }
        Progress::Receiving(_) => Err(error.into()),
    }
}

/// Reads the locked version back: the store's word on what it holds.
async fn read_back(
    ingest: &Ingest,
    session: &Session,
    outboard: &Outboard,
    original: &StoredObject,
) -> Result<VersionHead, IngestError> {
    let head = ingest.vault.head_version(original).await?;
    let wrong = if head.nonce.as_deref() != Some(&session.nonce) {
        Some("the store named a version that is not the one sent".to_owned())
    } else if head.length != outboard.len() {
        Some(format!("{} bytes were sent, the store holds {}", outboard.len(), head.length))
    } else if head.crc.is_some_and(|crc| crc != full_crc(session, outboard)) {
        Some(format!("the checksum sent was {}, the store holds {:?}", full_crc(session, outboard), head.crc))
    } else {
        None
    };
    match wrong {
        None => Ok(head),
        Some(reason) => Err(ingest.reject(session, original, &reason).await?),
    }
}

/// Makes sure that the original is locked to the policy's floor, counted from now. Answers the date that stands.
async fn lock(
    ingest: &Ingest,
    session: &Session,
    head: &VersionHead,
    floor: Timestamp,
) -> Result<Timestamp, IngestError> {
    // A store that dropped the headers may have applied the bucket's default retention instead.
    let asked = session.lock_begun;
    let dropped = head.locked_until.is_none_or(|until| asked.is_some_and(|asked| until < asked));
    if dropped && ingest.store_mode == StoreMode::Repair {
        crate::metrics::lock_repaired();
    } else if dropped {
        tracing::error!(original = %head.object.key, "the store dropped the lock headers; locking now");
        crate::metrics::lock_dropped();
    }
    Ok(match head.locked_until.filter(|until| *until >= floor) {
        Some(until) => until,
        None => ingest.vault.extend_lock(&head.object, floor).await?,
    })
}

/// Puts the outboard beside the original, locked to the floor.
async fn prove(
    ingest: &Ingest,
    session: &Session,
    outboard: &Outboard,
    floor: Timestamp,
) -> Result<StoredObject, IngestError> {
    let key = keys::outboard(&session.upload, session.begun);
    let bytes = Bytes::from(outboard.encode());
    let originals = &ingest.vault.buckets().originals;
    // Nobody but this upload knows its key.
    let proof = ingest.vault.create_locked_first(originals, &key, bytes, "application/octet-stream", floor).await?;
    Ok(proof.object().clone())
}

/// What the manifest of an upload says, but for its code and time.
fn describe<'a>(
    session: &'a Session,
    original: &'a StoredObject,
    (outboard, proof): (&'a Outboard, &'a StoredObject),
    locked_until: Timestamp,
) -> impl Fn(UnifiedCode, Timestamp) -> Manifest + 'a {
    move |code, ingested_at| Manifest {
        code,
        kind: session.basis.kind(),
        unit: session.basis.origin().unit.clone(),
        station: session.basis.origin().station.clone(),
        officer: session.basis.officer().cloned(),
        original: original.clone(),
        length: outboard.len(),
        root: outboard.root(),
        crc: full_crc(session, outboard),
        outboard: proof.clone(),
        evidence: session.basis.evidence(),
        station_certificate: session.station_certificate.clone(),
        ingested_at,
        locked_until,
        upload: session.upload.clone(),
        trace: session.trace.clone(),
    }
}

/// Writes the manifest, or goes on with the one that stands. Other bytes for the same recording become a variant beside it.
async fn write_manifest(
    ingest: &Ingest,
    item: &ItemKey,
    manifest: impl Fn(UnifiedCode, Timestamp) -> Manifest,
    vacant: bool,
) -> Result<Deposit, IngestError> {
    let now = ingest.trusted_now()?;
    let wanted = manifest(UnifiedCode::of(item.clone()), now);
    let root = wanted.root;
    let first = create_manifest(ingest, wanted, vacant).await?;
    if first.manifest.root == root {
        return Ok(first);
    }
    create_manifest(ingest, manifest(UnifiedCode::of(item.variant_of(&root)), now), false).await
}

/// Creates it where none stands. Where none stood when the upload began, nobody need look again: the condition of the write tells.
async fn create_manifest(ingest: &Ingest, manifest: Manifest, vacant: bool) -> Result<Deposit, IngestError> {
    let bytes = Bytes::from(serde_json::to_vec_pretty(&manifest).map_err(|e| IngestError::Internal(e.to_string()))?);
    let (vault, bucket) = (&ingest.vault, &ingest.vault.buckets().originals);
    let (key, until) = (keys::manifest(manifest.code.key()), manifest.locked_until);
    let created = if vacant {
        vault.create_locked_first(bucket, &key, bytes.clone(), "application/json", until).await?
    } else {
        vault.create_locked(bucket, &key, bytes.clone(), "application/json", until).await?
    };
    match created {
        Created::Now(object) => Ok(Deposit { manifest, object, root: Root::of(&bytes) }),
        Created::Before(document) => Deposit::read(&document.bytes, document.object),
    }
}

/// Writes down that it is done, and clears the intake bucket. All of it only saves work: the manifest already decided.
async fn finish(ingest: &Ingest, session: &Session, deposit: &Deposit, clean: bool) {
    let done = Stage::Committed { code: deposit.manifest.code.clone(), manifest: deposit.object.clone() };
    let end = |session: &mut Session| {
        session.stage = done.clone();
        // It lies beside the original now.
        session.outboard = None;
    };
    if let Err(error) = ingest.sessions.update(&session.upload, end).await {
        tracing::debug!(upload = %session.upload, error = %error, "the session was not marked as committed");
    }
    ingest.quotas.settle(&session.upload);
    if !clean {
        ingest.discard_leftovers(&session.upload).await;
    }
    let waited = ingest.clock.now().duration_since(session.begun);
    crate::metrics::deposited(
        deposit.manifest.kind,
        deposit.manifest.length,
        Duration::try_from(waited).unwrap_or_default(),
    );
}
