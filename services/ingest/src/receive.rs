//! HEAD and PATCH: the bytes of an upload. `take` takes them.

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
    header::{CACHE_CONTROL, CONTENT_LENGTH},
};

use crate::{
    Ingest,
    checksum::Checksum,
    error::IngestError,
    headers::{
        self, CUSTOS_CODE, CUSTOS_OUTBOARD, CUSTOS_RECEIPT, TUS_RESUMABLE, UPLOAD_EXPIRES, UPLOAD_LENGTH,
        UPLOAD_METADATA, UPLOAD_OFFSET, VERSION, value,
    },
    plain,
    progress::{self, Progress},
    session::{Session, Stage},
    station::Station,
    take::take,
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
    if let Some(plain) = held.session.basis.plain() {
        // The specification wants the client's metadata back.
        answered.insert(UPLOAD_METADATA, value(&plain.statement.metadata));
    }
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
        ("Upload-Offset" = u64, Header, description = "Where these bytes begin"),
        (
            "Upload-Checksum" = Option<String>,
            Header,
            description = "`<sha1|sha256|blake3> <base64>` of this body: it is kept whole or not at all"
        )
    ),
    security(("certificate" = [])),
    responses(
        (status = 204, description = "Upload-Offset; Custos-Receipt when it is finished"),
        (status = 400, body = Document),
        (status = 409, body = Document),
        (status = 410, body = Document),
        (status = 413, body = Document),
        (status = 415, body = Document),
        (status = 422, body = Document, description = "The bytes are not the announced ones"),
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
    headers::require_bytes(&request)?;
    let offset = headers::number(&request, &UPLOAD_OFFSET)?;
    let checksum = Checksum::of(&request)?;
    let held = ingest.last_seen_of(&station, &upload).await?;
    let announced = if request.contains_key(CONTENT_LENGTH) { headers::number(&request, &CONTENT_LENGTH)? } else { 0 };
    if announced > held.session.length().saturating_sub(offset) {
        // Nothing of it is kept: a client that is wrong about the length may be wrong about the bytes. It is read to its end all the
        // same, or the client would see a broken connection and try again instead of hearing why.
        plain::drain(body.into_data_stream(), plain::LINGER).await;
        let (length, offset) = (held.session.length(), self::offset(&ingest, &held.session).await?);
        return Err(IngestError::TooLong { length, offset });
    }
    let (session, offset) = take(&ingest, held, offset, body.into_data_stream(), checksum).await?;
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
        Stage::Receiving if session.epoch == 0 => Ok(0),
        Stage::Receiving => {
            let expected = ingest.expected(session).await?;
            match progress::of(&ingest.vault, session, &expected).await? {
                Progress::Stored(_) => Ok(session.length()),
                Progress::Receiving(received) if !received.is_short(session) => {
                    let offset = received.offset(session.length());
                    acknowledge(ingest, session, offset).await?;
                    Ok(offset)
                }
                Progress::Receiving(_) | Progress::Lost => Err(ingest.lose_for_sure(session, &expected).await),
            }
        }
    }
}

/// Writes down what an answer is about to acknowledge, so that no later one says less (INV-8). An upload without an
/// outboard writes it down where its epoch is compared (`still_newest`).
pub(crate) async fn acknowledge(ingest: &Ingest, session: &Session, offset: u64) -> Result<(), StoreError> {
    if offset > session.acknowledged && session.basis.plain().is_none() {
        let more = |newest: &mut Session| newest.acknowledged = newest.acknowledged.max(offset);
        ingest.sessions.update(&session.upload, more).await?;
    }
    Ok(())
}

/// What every answer about an upload tells.
pub(crate) fn describe(headers: &mut HeaderMap, session: &Session, offset: u64) {
    headers.insert(TUS_RESUMABLE, value(VERSION));
    headers.insert(UPLOAD_OFFSET, offset.into());
    headers.insert(UPLOAD_EXPIRES, headers::expires(session.begun));
    if session.basis.plain().is_none() {
        let waits = session.stage == Stage::Declared && session.outboard.is_none();
        let outboard = if waits { "required" } else { "present" };
        headers.insert(CUSTOS_OUTBOARD, HeaderValue::from_static(outboard));
    }
    if let Stage::Committed { code, .. } = &session.stage {
        headers.insert(CUSTOS_CODE, value(&code.to_string()));
        headers.insert(CUSTOS_RECEIPT, value(&format!("/v1/uploads/{}/receipt", session.upload)));
    }
}
