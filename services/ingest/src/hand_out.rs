//! What a dock gets back: the receipt, the erase permit, and the end of an upload nobody wants.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use custos_domain::{
    digest::Root,
    dsse::Envelope,
    fact::{Act, Subject},
    ids::UploadId,
    keys,
    manifest::{Manifest, StoredObject},
    receipt::{ErasePermit, Receipt},
    seal::Seal,
};
use custos_platform::http::extract::Path;
use custos_platform::http::problem::Document;
use custos_platform::vault::{documents::Created, read::VersionHead};
use http::{StatusCode, header::RETRY_AFTER};
use serde_json::json;

use crate::{
    Ingest,
    deposit::Deposit,
    error::IngestError,
    landed::Landed,
    progress::{self, Progress, multipart},
    session::{Session, Stage},
    station::Station,
};

/// GET receipt: 200 with the signed receipt, or 202 while the commit runs. Asking is enough to get a commit finished that a crash
/// cut short.
#[utoipa::path(
    get,
    path = "/v1/uploads/{upload}/receipt",
    tag = "uploads",
    params(("upload" = String, Path, description = "From Location")),
    security(("certificate" = [])),
    responses(
        (status = 200, description = "The signed receipt, a DSSE envelope"),
        (status = 202, description = "The commit is running"),
        (status = 410, body = Document)
    )
)]
pub async fn receipt(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Path(upload): Path<UploadId>,
) -> Result<Response, IngestError> {
    let session = match ingest.last_seen_of(&station, &upload).await?.session {
        ended if matches!(ended.stage, Stage::Committed { .. }) => ended,
        _ => ingest.session_of(&station, &upload).await?.session,
    };
    let deposit = match &session.stage {
        Stage::Committed { .. } => deposit_of(&ingest, &session).await?,
        Stage::Lost { reason } => return Err(IngestError::Lost(reason.clone())),
        Stage::Declared if session.basis.plain().is_some() => return Err(IngestError::Offset { offset: 0 }),
        Stage::Declared => return Err(IngestError::OutboardRequired),
        Stage::Receiving => {
            let offset = crate::receive::offset(&ingest, &session).await?;
            if offset < session.length() {
                return Err(IngestError::Offset { offset });
            }
            match tokio::time::timeout(
                Duration::from_secs(10),
                ingest.commits.commit(&ingest, session, Landed::default()),
            )
            .await
            {
                Ok(deposit) => deposit?,
                Err(_) => return Ok(later(2, json!({ "state": "committing" }))),
            }
        }
    };
    let envelope = ingest.signer.sign(&sign_for(&deposit)).map_err(|e| IngestError::Internal(e.to_string()))?;
    Ok(Json(envelope).into_response())
}

/// The receipt of a deposit: the same words each time, for it only says what the locked manifest says.
fn sign_for(deposit: &Deposit) -> Receipt {
    let manifest = &deposit.manifest;
    Receipt {
        code: manifest.code.clone(),
        upload: manifest.upload.clone(),
        original: manifest.original.clone(),
        length: manifest.length,
        root: manifest.root,
        crc: manifest.crc,
        manifest: deposit.object.clone(),
        manifest_root: deposit.root,
        ingested_at: manifest.ingested_at,
        locked_until: manifest.locked_until,
    }
}

/// GET permit: 200 with the signed erase permit, 202 while the re-read or the settle time is outstanding, 409 on an incident.
#[utoipa::path(
    get,
    path = "/v1/uploads/{upload}/permit",
    tag = "uploads",
    params(("upload" = String, Path, description = "From Location")),
    security(("certificate" = [])),
    responses(
        (status = 200, description = "The signed erase permit, a DSSE envelope"),
        (status = 202, description = "Re-read or settle time outstanding"),
        (status = 409, body = Document)
    )
)]
pub async fn permit(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Path(upload): Path<UploadId>,
) -> Result<Response, IngestError> {
    let session = ingest.session_of(&station, &upload).await?.session;
    if !matches!(session.stage, Stage::Committed { .. }) {
        return Err(IngestError::NoPermit("this upload has no receipt yet".to_owned()));
    }
    let deposit = deposit_of(&ingest, &session).await?;
    let (originals, item) = (&ingest.vault.buckets().originals, deposit.manifest.code.key());
    if let Some(given) = ingest.vault.read_first(originals, &keys::permit(item)).await? {
        // The try that wrote it may have died before stating it.
        state_permit(&ingest, &deposit.manifest, &given.object).await?;
        return Ok(json_document(given.bytes));
    }
    if ingest.vault.first_version(originals, &keys::mismatch(item)).await?.is_some() {
        return Err(IngestError::NoPermit("the re-read of the stored original did not match".to_owned()));
    }
    let Some(seal) = ingest.vault.read_first(originals, &keys::seal(item)).await? else {
        return Ok(later(5, json!({ "state": "awaiting_seal" })));
    };
    let seal = verified_seal(&ingest, &deposit, &seal.bytes)?;
    let age =
        Duration::try_from(ingest.trusted_now()?.duration_since(deposit.manifest.ingested_at)).unwrap_or_default();
    if let Some(left) = ingest.settle.checked_sub(age).filter(|left| !left.is_zero()) {
        return Ok(later(left.as_secs() + 1, json!({ "state": "settling" })));
    }
    let head = read_again(&ingest, &deposit).await?;
    give_permit(&ingest, &deposit, &head, seal).await
}

/// DELETE: gives up an upload that never became an item. Its bytes were never an original.
#[utoipa::path(
    delete,
    path = "/v1/uploads/{upload}",
    tag = "uploads",
    params(("upload" = String, Path, description = "From Location")),
    security(("certificate" = [])),
    responses(
        (status = 204, description = "Given up"),
        (status = 403, body = Document)
    )
)]
pub async fn give_up(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Path(upload): Path<UploadId>,
) -> Result<StatusCode, IngestError> {
    let session = ingest.session_of(&station, &upload).await?.session;
    if matches!(session.stage, Stage::Committed { .. }) {
        return Err(IngestError::Finished);
    }
    if !station.began(&session) {
        let why = "another station began this upload, and only that one may give it up; leave it, or go on with it";
        return Err(IngestError::Foreign(why.to_owned()));
    }
    if session.stage == Stage::Receiving {
        let expected = ingest.expected(&session).await?;
        if let Progress::Stored(_) = progress::of(&ingest.vault, &session, &expected).await? {
            return Err(IngestError::Finished);
        }
    }
    ingest.give_up(&session).await;
    if let Some(upload_id) = &session.multipart {
        ingest.vault.abort(multipart(&ingest.vault, &session, upload_id)).await?;
    }
    ingest.discard_leftovers(&upload).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What a committed session became: as this process wrote it, or from the store.
async fn deposit_of(ingest: &Ingest, session: &Session) -> Result<Arc<Deposit>, IngestError> {
    if let Some(deposit) = ingest.sessions.recall().deposit(&session.upload) {
        return Ok(deposit);
    }
    let Stage::Committed { manifest, .. } = &session.stage else { return Err(IngestError::Finishing) };
    let document = ingest.vault.read_document(manifest).await?;
    Deposit::read(&document.bytes, document.object).map(Arc::new)
}

/// The hashing service's seal, if it is one, and of exactly this version and manifest.
fn verified_seal(ingest: &Ingest, deposit: &Deposit, bytes: &[u8]) -> Result<Envelope, IngestError> {
    let refuse = |why: String| IngestError::NoPermit(format!("the seal is not valid: {why}"));
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| refuse(e.to_string()))?;
    let seal: Seal = envelope.open(&ingest.trust.seal).map_err(|e| refuse(e.to_string()))?;
    let manifest: &Manifest = &deposit.manifest;
    let same = seal.code == manifest.code
        && seal.original == manifest.original
        && (seal.length, seal.root, seal.crc) == (manifest.length, manifest.root, manifest.crc)
        && seal.manifest_root == deposit.root;
    if same { Ok(envelope) } else { Err(refuse("it is of another version or manifest".to_owned())) }
}

/// Reads version, lock and manifest again, past the settle time: what a power cut took would be missing now.
async fn read_again(ingest: &Ingest, deposit: &Deposit) -> Result<VersionHead, IngestError> {
    let manifest = &deposit.manifest;
    let gone = |what: &str| IngestError::NoPermit(format!("the store no longer has {what}"));
    let head = ingest
        .vault
        .head_version(&manifest.original)
        .await
        .map_err(|error| if error.is_not_found() { gone("the original") } else { error.into() })?;
    if head.length != manifest.length || head.crc.is_some_and(|crc| crc != manifest.crc) {
        return Err(gone("these bytes"));
    }
    if head.locked_until.is_none_or(|until| until < manifest.locked_until) {
        return Err(gone("the lock"));
    }
    let document = ingest.vault.read_document(&deposit.object).await?;
    if Root::of(&document.bytes) != deposit.root {
        return Err(gone("this manifest"));
    }
    Ok(head)
}

/// Signs, stores and states the permit. One permit for an item, whoever asks and however often.
async fn give_permit(
    ingest: &Ingest,
    deposit: &Deposit,
    head: &VersionHead,
    seal: Envelope,
) -> Result<Response, IngestError> {
    let manifest = &deposit.manifest;
    let permit = ErasePermit {
        code: manifest.code.clone(),
        root: manifest.root,
        length: manifest.length,
        original: manifest.original.clone(),
        locked_until: head.locked_until.unwrap_or(manifest.locked_until),
        checked_at: ingest.trusted_now()?,
        seal,
    };
    let until = permit.locked_until;
    let envelope = ingest.signer.sign(&permit).map_err(|e| IngestError::Internal(e.to_string()))?;
    let bytes = Bytes::from(serde_json::to_vec_pretty(&envelope).map_err(|e| IngestError::Internal(e.to_string()))?);
    let key = keys::permit(manifest.code.key());
    let originals = &ingest.vault.buckets().originals;
    let created = ingest.vault.create_locked(originals, &key, bytes.clone(), "application/json", until).await?;
    state_permit(ingest, manifest, created.object()).await?;
    Ok(json_document(match created {
        Created::Now(_) => bytes,
        Created::Before(document) => document.bytes,
    }))
}

async fn state_permit(ingest: &Ingest, manifest: &Manifest, permit: &StoredObject) -> Result<(), IngestError> {
    let subject = Subject::item(&manifest.code, manifest.ingested_at);
    let issued = Act::PermitIssued { permit: permit.clone() };
    let mut fact = ingest.fact(manifest.code.key().tenant.clone(), subject, issued, "");
    fact.unit = Some(manifest.unit.clone());
    fact.trace.clone_from(&manifest.trace);
    ingest.state(fact).await.map(drop)
}

fn json_document(bytes: Bytes) -> Response {
    ([(http::header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

fn later(seconds: u64, state: serde_json::Value) -> Response {
    (StatusCode::ACCEPTED, [(RETRY_AFTER, seconds.to_string())], Json(state)).into_response()
}
