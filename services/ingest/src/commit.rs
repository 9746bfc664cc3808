//! From "all bytes are in the store" to "stored, locked, described, receipted". Read it top to bottom: [`Committer::commit`] is
//! the order in which nothing can be lost.
//!
//! Every step may die at any moment and is safe to run again; the create-only manifest is the exactly-once point (INV-1).

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use custos_domain::{
    calendar,
    digest::{Crc64, Root},
    fact::{Act, Fact, IncidentClass, Subject},
    ids::UploadId,
    item::{ItemKey, UnifiedCode},
    keys,
    manifest::{Manifest, StoredObject},
    outboard::Outboard,
};
use custos_platform::vault::{documents::Created, probe::StoreMode, read::VersionHead};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, watch};
use tracing::Instrument;

use crate::{
    Ingest,
    error::IngestError,
    expected::Expected,
    progress::{self, Progress, Received, multipart},
    session::{Session, Stage},
    settle::{self, Settled},
};

/// A finished deposit.
#[derive(Debug, Clone)]
pub struct Deposit {
    /// The manifest that stands.
    pub manifest: Manifest,
    /// Where it lies.
    pub object: StoredObject,
    /// BLAKE3 of its bytes.
    pub root: Root,
}

/// A recording older than this when it is docked has a wrong date, or lay forgotten: either way a person should look.
const PLAUSIBLE_PAST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// A recording from after its docking has a wrong date; a day covers time zones and drift.
const PLAUSIBLE_FUTURE: SignedDuration = SignedDuration::from_hours(24);

/// An original's first lock must last at least this long: time to read it back and extend it, also after an outage.
const SHORTEST_LOCK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// How a commit ended, for all who wait for it.
type Outcome = Option<Result<Arc<Deposit>, Arc<IngestError>>>;

/// Runs commits, one at a time for each upload, detached from the requests that asked for them.
#[derive(Debug, Default)]
pub struct Committer {
    running: Mutex<HashMap<UploadId, watch::Receiver<Outcome>>>,
}

impl Committer {
    /// Commits an upload whose bytes are all there, and waits for the end.
    ///
    /// A request that goes away does not stop it: MinIO destroys an upload whose Complete is cut (tried), so this runs as a
    /// task of the process, which drains it at shutdown.
    pub async fn commit(&self, ingest: &Arc<Ingest>, session: Session) -> Result<Arc<Deposit>, IngestError> {
        let upload = session.upload.clone();
        let mut outcome = {
            let mut running = self.running.lock().await;
            if let Some(outcome) = running.get(&upload) {
                outcome.clone()
            } else {
                let (tell, outcome) = watch::channel(None);
                running.insert(upload.clone(), outcome.clone());
                let span = tracing::Span::current();
                ingest.lifecycle.track(Self::run(Arc::clone(ingest), session, tell).instrument(span));
                outcome
            }
        };
        let ended = outcome.wait_for(Option::is_some).await.map(|o| o.clone());
        match ended {
            Ok(Some(Ok(deposit))) => Ok(deposit),
            Ok(Some(Err(error))) => Err(IngestError::Commit(error)),
            _ => Err(IngestError::Finishing),
        }
    }

    async fn run(ingest: Arc<Ingest>, session: Session, tell: watch::Sender<Outcome>) {
        let upload = session.upload.clone();
        let result = commit(&ingest, session).await;
        ingest.commits.running.lock().await.remove(&upload);
        if let Err(error) = &result {
            tracing::warn!(%upload, error = %error, "commit did not finish");
        }
        let _ = tell.send(Some(result.map(Arc::new).map_err(Arc::new)));
    }

    /// Whether this process is committing the upload right now.
    pub async fn is_running(&self, upload: &UploadId) -> bool {
        self.running.lock().await.contains_key(upload)
    }
}

/// One deposit's last steps, in order.
#[tracing::instrument(name = "ingest.commit.run", skip_all, fields(upload = %session.upload, item))]
async fn commit(ingest: &Ingest, session: Session) -> Result<Deposit, IngestError> {
    let (original, outboard) = match ingest.expected(&session).await? {
        Expected::Outboard(outboard) => (original(ingest, &session, &outboard).await?, outboard),
        Expected::Length(layout) => match settle::settle(ingest, &session, layout).await? {
            Settled::Made(original, outboard) => (original, outboard),
            Settled::Known(deposit) => return adopt(ingest, &session, *deposit).await,
        },
    };
    let head = read_back(ingest, &session, &outboard, &original).await?;
    let (proof, locked_until) = lock(ingest, &session, &outboard, &head).await?;
    let deposit = write_manifest(ingest, &session, &original, (&outboard, &proof), locked_until).await?;
    adopt(ingest, &session, deposit).await
}

/// Makes a deposit the end of this upload: states it, should that not have been done, and closes the session.
pub(crate) async fn adopt(ingest: &Ingest, session: &Session, deposit: Deposit) -> Result<Deposit, IngestError> {
    tracing::Span::current().record("item", deposit.manifest.code.to_string());
    state(ingest, &deposit).await?;
    finish(ingest, session, &deposit).await;
    Ok(deposit)
}

/// The deposit that already holds these bytes for this item, as the first or as a variant.
pub(crate) async fn deposited(ingest: &Ingest, item: &ItemKey, root: &Root) -> Result<Option<Deposit>, IngestError> {
    for key in [item.variant_of(root), item.clone()] {
        let found = ingest.vault.read_first(&ingest.vault.buckets().originals, &keys::manifest(&key)).await?;
        if let Some(document) = found {
            let deposit = Deposit::read(&document.bytes, document.object)?;
            if deposit.manifest.root == *root {
                return Ok(Some(deposit));
            }
        }
    }
    Ok(None)
}

/// The original's version; makes the object of its parts when that was not done yet.
async fn original(ingest: &Ingest, session: &Session, outboard: &Outboard) -> Result<StoredObject, IngestError> {
    let expected = Expected::Outboard(outboard.clone());
    match progress::of(&ingest.vault, session, &expected).await? {
        Progress::Stored(object) => Ok(object),
        Progress::Lost => Err(ingest.lose(session, "the store knows neither the upload nor the object").await),
        Progress::Receiving(received) => complete(ingest, session, &expected, received, outboard.crc()).await,
    }
}

/// Makes the object of its parts, whose checksum as a whole is `full`.
pub(crate) async fn complete(
    ingest: &Ingest,
    session: &Session,
    expected: &Expected,
    received: Received,
    full: Crc64,
) -> Result<StoredObject, IngestError> {
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
    if let Err(error) = &answer {
        tracing::warn!(upload = %session.upload, error = %error, "complete did not succeed; looking at what stands");
    }
    // The answer does not decide, the store's state does: by key and nonce, never by a listing of parts.
    match (progress::of(&ingest.vault, session, expected).await?, answer) {
        (Progress::Stored(object), _) => Ok(object),
        (Progress::Lost, _) => Err(ingest.lose(session, "the store destroyed the upload while completing it").await),
        (Progress::Receiving(_), Err(error)) => Err(error.into()),
        (Progress::Receiving(_), Ok(())) => Err(IngestError::Finishing),
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
    let wrong = if head.length != outboard.len() {
        Some(format!("{} bytes were sent, the store holds {}", outboard.len(), head.length))
    } else if head.crc.is_some_and(|crc| crc != outboard.crc()) {
        Some(format!("the checksum sent was {}, the store holds {:?}", outboard.crc(), head.crc))
    } else {
        None
    };
    match wrong {
        None => Ok(head),
        Some(reason) => Err(ingest.reject(session, original, &reason).await?),
    }
}

/// Makes sure that the original is locked to the policy's floor counted from now, and puts the outboard beside it.
async fn lock(
    ingest: &Ingest,
    session: &Session,
    outboard: &Outboard,
    head: &VersionHead,
) -> Result<(StoredObject, Timestamp), IngestError> {
    let floor = ingest.floor(session.tenant(), ingest.trusted_now()?)?;
    // A store that dropped the headers may have applied the bucket's default retention instead.
    let asked = session.lock_begun;
    let dropped = head.locked_until.is_none_or(|until| asked.is_some_and(|asked| until < asked));
    if dropped && ingest.store_mode == StoreMode::Repair {
        crate::metrics::lock_repaired();
    } else if dropped {
        tracing::error!(original = %head.object.key, "the store dropped the lock headers; locking now");
        crate::metrics::lock_dropped();
    }
    let locked_until = match head.locked_until.filter(|until| *until >= floor) {
        Some(until) => until,
        None => ingest.vault.extend_lock(&head.object, floor).await?,
    };
    let key = keys::outboard(&session.upload, session.begun);
    let bytes = Bytes::from(outboard.encode());
    let originals = &ingest.vault.buckets().originals;
    let proof = ingest.vault.create_locked(originals, &key, bytes, "application/octet-stream", locked_until).await?;
    Ok((proof.object().clone(), locked_until))
}

/// Writes the manifest, or goes on with the one that stands. Other bytes for the same recording become a variant beside it.
async fn write_manifest(
    ingest: &Ingest,
    session: &Session,
    original: &StoredObject,
    (outboard, proof): (&Outboard, &StoredObject),
    locked_until: Timestamp,
) -> Result<Deposit, IngestError> {
    let (basis, origin, root) = (&session.basis, session.basis.origin(), outboard.root());
    let manifest = |code: UnifiedCode, now: Timestamp| Manifest {
        code,
        kind: basis.kind(),
        unit: origin.unit.clone(),
        station: origin.station.clone(),
        officer: basis.officer().cloned(),
        original: original.clone(),
        length: outboard.len(),
        root,
        crc: outboard.crc(),
        outboard: proof.clone(),
        evidence: basis.evidence(),
        station_certificate: session.station_certificate.clone(),
        ingested_at: now,
        locked_until,
        upload: session.upload.clone(),
        trace: session.trace.clone(),
    };
    let item = basis.item();
    let now = ingest.trusted_now()?;
    let first = create_manifest(ingest, manifest(UnifiedCode::of(item.clone()), now)).await?;
    if first.manifest.root == root {
        return Ok(first);
    }
    create_manifest(ingest, manifest(UnifiedCode::of(item.variant_of(&root)), now)).await
}

async fn create_manifest(ingest: &Ingest, manifest: Manifest) -> Result<Deposit, IngestError> {
    let bytes = Bytes::from(serde_json::to_vec_pretty(&manifest).map_err(|e| IngestError::Internal(e.to_string()))?);
    let (bucket, key) = (&ingest.vault.buckets().originals, keys::manifest(manifest.code.key()));
    match ingest.vault.create_locked(bucket, &key, bytes.clone(), "application/json", manifest.locked_until).await? {
        Created::Now(object) => Ok(Deposit { manifest, object, root: Root::of(&bytes) }),
        Created::Before(document) => Deposit::read(&document.bytes, document.object),
    }
}

impl Deposit {
    /// The deposit whose manifest has these bytes.
    pub fn read(bytes: &[u8], object: StoredObject) -> Result<Self, IngestError> {
        let manifest = serde_json::from_slice(bytes)
            .map_err(|e| IngestError::Internal(format!("the manifest {} is unreadable: {e}", object.key)))?;
        Ok(Self { manifest, object, root: Root::of(bytes) })
    }
}

/// States what happened; durable before the receipt, announced without anybody waiting.
pub(crate) async fn state(ingest: &Ingest, deposit: &Deposit) -> Result<(), IngestError> {
    let manifest = &deposit.manifest;
    let fact = deposited_fact(ingest, deposit);
    let cause = ingest.state(fact.clone()).await?;
    for (class, detail) in odd(manifest) {
        let incident = Act::IncidentOpened { class, detail };
        let incident = ingest.fact(fact.tenant.clone(), fact.subject.clone(), incident, class.as_str());
        let (cause, unit, trace) = (Some(cause.clone()), fact.unit.clone(), fact.trace.clone());
        ingest.state(Fact { cause, at: fact.at, unit, trace, ..incident }).await?;
    }
    Ok(())
}

/// The fact of a deposit, whenever it is stated.
pub(crate) fn deposited_fact(ingest: &Ingest, deposit: &Deposit) -> Fact {
    let manifest = &deposit.manifest;
    let subject = Subject::item(&manifest.code, manifest.ingested_at);
    let deposited = Act::Deposited { item_kind: manifest.kind, manifest: deposit.object.clone() };
    let fact = ingest.fact(manifest.code.key().tenant.clone(), subject, deposited, "");
    let (unit, trace) = (Some(manifest.unit.clone()), manifest.trace.clone());
    Fact { at: manifest.ingested_at, unit, trace, ..fact }
}

/// What a person should look at although the item is safe.
fn odd(manifest: &Manifest) -> Vec<(IncidentClass, String)> {
    let mut odd = Vec::new();
    if let Some(variant) = &manifest.code.key().variant {
        let first = UnifiedCode::of(ItemKey { variant: None, ..manifest.code.key().clone() });
        let (root, variant) = (manifest.root.short(), variant.as_str());
        let detail =
            format!("other bytes (BLAKE3 {root}) came for {first}; kept as variant {variant} beside the first");
        odd.push((IncidentClass::Variant, detail));
    }
    // A recorder whose battery ran flat starts again in 2015; a mistyped year may be 2099. Neither touches the lock (INV-11).
    let ingested = calendar::shanghai(manifest.ingested_at);
    let plausible = ingested.saturating_sub(PLAUSIBLE_PAST)..=ingested.saturating_add(PLAUSIBLE_FUTURE);
    // Verified when it came: an unreadable declaration is no deposit's.
    let started = manifest.evidence.started_at_device().ok().flatten();
    if let Some(started) = started.filter(|started| !plausible.contains(started)) {
        let detail = format!("the recorder's clock said {started} for what was docked on {}; see D-7", ingested.date());
        odd.push((IncidentClass::Clock, detail));
    }
    odd
}

/// Writes down that it is done, and clears the intake bucket. All of it only saves work: the manifest already decided.
async fn finish(ingest: &Ingest, session: &Session, deposit: &Deposit) {
    let done = Stage::Committed { code: deposit.manifest.code.clone(), manifest: deposit.object.clone() };
    if let Err(error) = ingest.sessions.update(&session.upload, |session| session.stage = done.clone()).await {
        tracing::debug!(upload = %session.upload, error = %error, "the session was not marked as committed");
    }
    ingest.quotas.settle(&session.upload);
    ingest.discard_leftovers(&session.upload).await;
    let waited = ingest.clock.now().duration_since(session.begun);
    crate::metrics::deposited(
        deposit.manifest.kind,
        deposit.manifest.length,
        Duration::try_from(waited).unwrap_or_default(),
    );
}
