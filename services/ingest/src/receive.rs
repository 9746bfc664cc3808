//! HEAD and PATCH: the bytes of an upload.

use std::{pin::pin, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use custos_domain::ids::UploadId;
use custos_platform::http::extract::Path;
use custos_platform::http::problem::Document;
use custos_platform::vault::StoreError;
use futures::Stream;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH},
};
use tracing::Instrument;

use crate::{
    Ingest,
    append::{Append, Appended},
    batches,
    budget::Unit,
    checksum::Checksum,
    commit,
    deposit::Deposit,
    error::IngestError,
    headers::{
        self, CUSTOS_CODE, CUSTOS_OUTBOARD, CUSTOS_RECEIPT, TUS_RESUMABLE, UPLOAD_EXPIRES, UPLOAD_LENGTH,
        UPLOAD_METADATA, UPLOAD_OFFSET, VERSION, value,
    },
    landed::Landed,
    plain,
    progress::{self, Progress, Received},
    prove,
    session::{Held, Session, Stage},
    settle,
    station::Station,
    target::Target,
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
#[utoipa::path(patch, path = "/v1/uploads/{upload}", tag = "uploads", request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"), params(("upload" = String, Path, description = "From Location"), ("Upload-Offset" = u64, Header, description = "Where these bytes begin"), ("Upload-Checksum" = Option<String>, Header, description = "`<sha1|sha256|blake3> <base64>` of this body: it is kept whole or not at all")), security(("certificate" = [])), responses((status = 204, description = "Upload-Offset; Custos-Receipt when it is finished"), (status = 400, body = Document), (status = 409, body = Document), (status = 410, body = Document), (status = 413, body = Document), (status = 415, body = Document), (status = 422, body = Document, description = "The bytes are not the announced ones"), (status = 460, body = Document), (status = 503, body = Document)))]
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

/// Takes a body from `offset` on. Answers the session's newest state and offset.
pub(crate) async fn take<E>(
    ingest: &Arc<Ingest>,
    held: Held,
    offset: u64,
    body: impl Stream<Item = Result<Bytes, E>>,
    checksum: Option<Checksum>,
) -> Result<(Session, u64), IngestError> {
    let (giver, taker) = batches::pair();
    // A task of its own: when the connection breaks, what has arrived is still put down.
    let (shared, session) = (Arc::clone(ingest), held.session.clone());
    let work = async move {
        let appended = Box::pin(append(Arc::clone(&shared), held, offset, taker.pieces(), checksum)).await;
        if let Some(offset) = appended.as_ref().err().and_then(IngestError::offset) {
            acknowledge(&shared, &session, offset).await?;
        }
        appended
    };
    let work = work.instrument(tracing::Span::current());
    let mut body = pin!(body);
    let (outcome, ()) = tokio::join!(ingest.lifecycle.track(work), giver.give(&mut body));
    if matches!(&outcome, Ok(Err(error)) if error.is_about_the_bytes()) {
        // A client that still sends would see a broken connection instead of why. Who is only to come later need not send on.
        plain::drain(&mut body, plain::LINGER).await;
    }
    outcome.map_err(|e| IngestError::Internal(e.to_string()))?
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
/// outboard writes it down where its epoch is compared ([`still_newest`]).
async fn acknowledge(ingest: &Ingest, session: &Session, offset: u64) -> Result<(), StoreError> {
    if offset > session.acknowledged && session.basis.plain().is_none() {
        let more = |newest: &mut Session| newest.acknowledged = newest.acknowledged.max(offset);
        ingest.sessions.update(&session.upload, more).await?;
    }
    Ok(())
}

/// One append from its offset check to the commit. Answers the session's newest state and offset.
async fn append<E>(
    ingest: Arc<Ingest>,
    held: Held,
    offset: u64,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    checksum: Option<Checksum>,
) -> Result<(Session, u64), IngestError> {
    let turn = ingest.takeover.take(&held.session.upload, ingest.lifecycle.soft()).await;
    let held = opened(&ingest, raise_epoch(&ingest, &held.session.upload).await?).await?;
    // That write was the first of all: no request, on whatever replica, brought any bytes before.
    let untouched = held.session.epoch == 1;
    let session = held.session;
    let length = session.length();
    match &session.stage {
        Stage::Declared => return Err(IngestError::OutboardRequired),
        Stage::Lost { reason } => return Err(IngestError::Lost(reason.clone())),
        Stage::Committed { .. } if offset == length => return Ok((session, length)),
        Stage::Committed { .. } => return Err(IngestError::Offset { offset: length }),
        Stage::Receiving => {}
    }
    let expected = ingest.expected(&session).await?;
    let progress = if untouched {
        Progress::Receiving(Received::default())
    } else {
        progress::of(&ingest.vault, &session, &expected).await?
    };
    let appended = match progress {
        Progress::Lost => return Err(ingest.lose_for_sure(&session, &expected).await),
        Progress::Receiving(received) if received.is_short(&session) => {
            return Err(ingest.lose_for_sure(&session, &expected).await);
        }
        Progress::Stored(_) if offset == length => Appended::Whole(Landed::default()),
        Progress::Stored(_) => return Err(IngestError::Offset { offset: length }),
        Progress::Receiving(received) if offset != received.offset(length) => {
            return Err(IngestError::Offset { offset: received.offset(length) });
        }
        Progress::Receiving(received) if received.contiguous == expected.parts() => Appended::Whole(Landed::default()),
        Progress::Receiving(received) => {
            let origin = session.basis.origin();
            let append = Append {
                budget: &ingest.budget,
                unit: Unit::new(origin.tenant, origin.unit),
                pace: ingest.pace,
                target: target(&ingest, &session)?,
                expected: &expected,
                received,
                checksum,
                stop: turn.stop.clone(),
            };
            match append.run(body).await {
                Err(IngestError::Lost(reason)) => return Err(ingest.lose(&session, &reason).await),
                // Completed by another replica meanwhile, or gone.
                Err(IngestError::Store(StoreError::NoSuchUpload { .. })) => {
                    return Err(ingest.lose_for_sure(&session, &expected).await);
                }
                other => other?,
            }
        }
    };
    still_newest(&ingest, &session, &appended).await?;
    let landed = match appended {
        Appended::Partial { offset } => return Ok((session, offset)),
        Appended::Whole(landed) => Landed { clean: untouched && session.outboard.is_some(), ..landed },
        Appended::Held(only) => {
            if let Some(deposit) = settle::judge(&ingest, &session, &only).await? {
                let deposit = commit::adopt(&ingest, &session, deposit, false).await?;
                return Ok((committed(session, &deposit), length));
            }
            target(&ingest, &session)?.send(*only, None).await?;
            Landed::default()
        }
    };
    // Whoever comes now finds the commit running rather than this request.
    drop(turn);
    let deposit = ingest.commits.commit(&ingest, session.clone(), landed).await?;
    Ok((committed(session, &deposit), length))
}

fn target(ingest: &Ingest, session: &Session) -> Result<Target, IngestError> {
    let floor = ingest.floor(session.tenant(), ingest.trusted_now()?)?;
    Ok(Target { vault: ingest.vault.clone(), session: Arc::new(session.clone()), floor })
}

fn committed(session: Session, deposit: &Deposit) -> Session {
    let stage = Stage::Committed { code: deposit.manifest.code.clone(), manifest: deposit.object.clone() };
    Session { stage, ..session }
}

/// An upload that waits for no outboard is opened for its bytes, should it not have got that far.
pub(crate) async fn opened(ingest: &Ingest, held: Held) -> Result<Held, IngestError> {
    let proven = held.session.basis.plain().is_some() || held.session.outboard.is_some();
    if held.session.stage != Stage::Declared || !proven {
        return Ok(held);
    }
    let parts = ingest.expected(&held.session).await?.parts();
    prove::open(ingest, held, parts).await
}

/// A writer that finds a higher epoch stops: the newer request, perhaps on another replica, goes on from what is durable. What is
/// acknowledged is written down first: see [`Session::acknowledged`].
async fn still_newest(ingest: &Ingest, session: &Session, appended: &Appended) -> Result<(), IngestError> {
    let kept = match appended {
        Appended::Partial { offset } => *offset,
        // Proven by the outboard and in the store: whoever commits them, it is the same item.
        Appended::Whole(_) if session.outboard.is_some() => return Ok(()),
        _ => 0,
    };
    let now = if kept > session.acknowledged {
        let acknowledge = |newest: &mut Session| {
            if newest.epoch == session.epoch {
                newest.acknowledged = newest.acknowledged.max(kept);
            }
        };
        ingest.sessions.update(&session.upload, acknowledge).await?
    } else {
        ingest.sessions.load(&session.upload).await?
    };
    let now = now.ok_or(IngestError::Unknown)?.session;
    if now.epoch == session.epoch {
        return Ok(());
    }
    let offset = offset(ingest, &now).await?;
    Err(IngestError::Superseded { offset })
}

/// Tells writers of other replicas that a newer request is here, and hears of theirs: what is remembered of the session is the
/// condition of this write.
async fn raise_epoch(ingest: &Ingest, upload: &UploadId) -> Result<Held, IngestError> {
    let held = ingest.sessions.update(upload, |session| session.epoch += 1).await?;
    held.ok_or(IngestError::Unknown)
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
