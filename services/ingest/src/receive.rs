//! HEAD and PATCH: the bytes of an upload.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use custos_domain::ids::UploadId;
use custos_platform::http::extract::Path;
use custos_platform::http::problem::Document;
use custos_platform::vault::StoreError;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use tracing::Instrument;

use crate::{
    Ingest,
    append::{Append, Appended, Target},
    error::IngestError,
    headers::{
        self, CUSTOS_CODE, CUSTOS_OUTBOARD, CUSTOS_RECEIPT, TUS_RESUMABLE, UPLOAD_EXPIRES, UPLOAD_LENGTH,
        UPLOAD_OFFSET, VERSION, value,
    },
    progress::{self, Progress},
    session::{Held, Session, Stage},
    station::Station,
};

/// HEAD: the contiguous durable prefix.
#[utoipa::path(
    head,
    path = "/v1/uploads/{upload}",
    tag = "uploads",
    params(("upload" = String, Path, description = "From Location")),
    security(("certificate" = [])),
    responses(
        (status = 200, description = "Upload-Offset: the contiguous durable prefix"),
        (status = 404, description = "No such upload"),
        (status = 410, description = "Lost: POST the declaration again")
    )
)]
pub async fn head(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Path(upload): Path<UploadId>,
    request: HeaderMap,
) -> Result<Response, IngestError> {
    headers::require_version(&request)?;
    let held = ingest.session_of(&station, &upload).await?;
    let offset = offset(&ingest, &held.session).await?;
    let mut response = StatusCode::OK.into_response();
    let answered = response.headers_mut();
    describe(answered, &held.session, offset);
    answered.insert(UPLOAD_LENGTH, held.session.length().into());
    answered.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let outboard = if held.session.stage == Stage::Declared { "required" } else { "present" };
    answered.insert(CUSTOS_OUTBOARD, HeaderValue::from_static(outboard));
    Ok(response)
}

/// PATCH: bytes from the durable offset on. The request that brings the last byte waits for the commit.
#[utoipa::path(
    patch,
    path = "/v1/uploads/{upload}",
    tag = "uploads",
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    params(
        ("upload" = String, Path, description = "From Location"),
        ("Upload-Offset" = u64, Header, description = "Where these bytes begin")
    ),
    security(("certificate" = [])),
    responses(
        (status = 204, description = "Upload-Offset; Custos-Receipt when it is finished"),
        (status = 409, body = Document),
        (status = 410, body = Document),
        (status = 460, body = Document),
        (status = 503, body = Document)
    )
)]
pub async fn patch(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Path(upload): Path<UploadId>,
    request: HeaderMap,
    body: Body,
) -> Result<Response, IngestError> {
    headers::require_version(&request)?;
    if request.get(CONTENT_TYPE).is_none_or(|v| v != "application/offset+octet-stream") {
        return Err(IngestError::Header("Content-Type must be application/offset+octet-stream".to_owned()));
    }
    let offset = headers::number(&request, &UPLOAD_OFFSET)?;
    let held = ingest.session_of(&station, &upload).await?;
    // A task of its own: when the connection breaks, what has arrived is still put down.
    let work = append(Arc::clone(&ingest), held, offset, body).instrument(tracing::Span::current());
    let (session, offset) = ingest.lifecycle.track(work).await.map_err(|e| IngestError::Internal(e.to_string()))??;
    let mut response = StatusCode::NO_CONTENT.into_response();
    describe(response.headers_mut(), &session, offset);
    Ok(response)
}

/// The durable offset of a session; an upload the store has lost is marked so.
pub async fn offset(ingest: &Ingest, session: &Session) -> Result<u64, IngestError> {
    match &session.stage {
        Stage::Declared => Ok(0),
        Stage::Committed { .. } => Ok(session.length()),
        Stage::Lost { reason } => Err(IngestError::Lost(reason.clone())),
        Stage::Receiving => {
            let outboard = ingest.outboard(session).await?;
            match progress::of(&ingest.vault, session, &outboard).await? {
                Progress::Receiving(received) => Ok(received.offset(session.length())),
                Progress::Stored(_) => Ok(session.length()),
                Progress::Lost => Err(ingest.lose_for_sure(session, &outboard).await),
            }
        }
    }
}

/// One append from its offset check to the commit. Answers the session's newest state and offset.
async fn append(ingest: Arc<Ingest>, held: Held, offset: u64, body: Body) -> Result<(Session, u64), IngestError> {
    let turn = ingest.takeover.take(&held.session.upload, ingest.lifecycle.soft()).await;
    let session = raise_epoch(&ingest, &held.session.upload).await?;
    let length = session.length();
    match &session.stage {
        Stage::Declared => return Err(IngestError::OutboardRequired),
        Stage::Lost { reason } => return Err(IngestError::Lost(reason.clone())),
        Stage::Committed { .. } if offset == length => return Ok((session, length)),
        Stage::Committed { .. } => return Err(IngestError::Offset { offset: length }),
        Stage::Receiving => {}
    }
    let outboard = ingest.outboard(&session).await?;
    let appended = match progress::of(&ingest.vault, &session, &outboard).await? {
        Progress::Lost => return Err(ingest.lose_for_sure(&session, &outboard).await),
        Progress::Stored(_) if offset == length => Appended::Whole,
        Progress::Stored(_) => return Err(IngestError::Offset { offset: length }),
        Progress::Receiving(received) if offset != received.offset(length) => {
            return Err(IngestError::Offset { offset: received.offset(length) });
        }
        Progress::Receiving(received) if received.contiguous == outboard.parts() => Appended::Whole,
        Progress::Receiving(received) => {
            let floor = ingest.floor(session.tenant(), ingest.trusted_now()?)?;
            let target = Target { vault: ingest.vault.clone(), session: Arc::new(session.clone()), floor };
            let append =
                Append { budget: &ingest.budget, target, outboard: &outboard, received, stop: turn.stop.clone() };
            match append.run(body.into_data_stream()).await {
                Err(IngestError::Lost(reason)) => return Err(ingest.lose(&session, &reason).await),
                other => other?,
            }
        }
    };
    still_newest(&ingest, &session).await?;
    // Whoever comes now finds the commit running rather than this request.
    drop(turn);
    match appended {
        Appended::Partial { offset } => Ok((session, offset)),
        Appended::Whole => {
            let deposit = ingest.commits.commit(&ingest, session.clone()).await?;
            let stage = Stage::Committed { code: deposit.manifest.code.clone(), manifest: deposit.object.clone() };
            Ok((Session { stage, ..session }, length))
        }
    }
}

/// A writer that finds a higher epoch stops: the newer request, perhaps on another replica, goes on from what is durable.
async fn still_newest(ingest: &Ingest, session: &Session) -> Result<(), IngestError> {
    let now = ingest.sessions.load(&session.upload).await?.ok_or(IngestError::Unknown)?.session;
    if now.epoch == session.epoch {
        return Ok(());
    }
    let offset = offset(ingest, &now).await?;
    Err(IngestError::Superseded { offset })
}

/// Tells writers of other replicas that a newer request is here.
async fn raise_epoch(ingest: &Ingest, upload: &UploadId) -> Result<Session, StoreError> {
    let held = ingest.sessions.update(upload, |session| session.epoch += 1).await?;
    held.map(|held| held.session).ok_or(StoreError::NotFound { operation: "GetObject" })
}

fn describe(headers: &mut HeaderMap, session: &Session, offset: u64) {
    headers.insert(TUS_RESUMABLE, value(VERSION));
    headers.insert(UPLOAD_OFFSET, offset.into());
    headers.insert(UPLOAD_EXPIRES, headers::expires(session.begun));
    if let Stage::Committed { code, .. } = &session.stage {
        headers.insert(CUSTOS_CODE, value(&code.to_string()));
        headers.insert(CUSTOS_RECEIPT, value(&format!("/v1/uploads/{}/receipt", session.upload)));
    }
}
