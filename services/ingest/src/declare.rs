//! POST /v1/uploads: a signed declaration becomes a session, or the session or item that already is.

use std::{ops::RangeInclusive, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use custos_domain::{
    calendar, declaration::Declaration, dsse::Envelope, ids::UploadId, item::UnifiedCode, keys, outboard::MAX_LEN,
};
use custos_platform::http::problem::Document;
use custos_platform::telemetry;
use http::{HeaderMap, StatusCode, header::LOCATION};
use jiff::civil::DateTime;

use crate::{
    Ingest,
    commit::Deposit,
    error::IngestError,
    headers::{
        self, CUSTOS_CODE, CUSTOS_RECEIPT, TUS_RESUMABLE, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_OFFSET, VERSION, value,
    },
    receive,
    session::{Held, Session, Stage},
    station::Station,
};

/// The longest file name kept, in characters.
const MAX_NAME: usize = 255;
/// Years a recorder's clock may say, right or wrong: what falls outside is no date, and some later reader could not keep it.
const YEARS: RangeInclusive<i16> = 1970..=2200;
/// A century in milliseconds.
pub(crate) const MAX_OFFSET_MS: u64 = 100 * 366 * 24 * 3600 * 1000;

/// Takes a declaration. The same one again answers the same upload.
#[utoipa::path(
    post,
    path = "/v1/uploads",
    tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = u64, Header, description = "Bytes"),
        ("Upload-Metadata" = String, Header, description = "`declaration <base64 of the signed declaration, a DSSE envelope>`")
    ),
    security(("certificate" = [])),
    responses(
        (status = 201, description = "The upload: Location, Upload-Offset, Custos-Code; also when it was there already"),
        (status = 403, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn declare(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    request: HeaderMap,
) -> Result<Response, IngestError> {
    headers::require_version(&request)?;
    let length = headers::number(&request, &UPLOAD_LENGTH)?;
    let envelope: Envelope = serde_json::from_slice(&headers::metadata(&request, "declaration")?)
        .map_err(|e| IngestError::Declaration(format!("it is no signed document: {e}")))?;
    let declaration = verify(&ingest, &station, &envelope, length)?;
    let held = session_for(&ingest, &station, envelope, declaration).await?;
    let offset = receive::offset(&ingest, &held.session).await?;
    Ok(answer(&held.session, offset))
}

/// Believes a declaration only when it is this station's own, signed with its certificate's key, and makes sense.
fn verify(ingest: &Ingest, station: &Station, envelope: &Envelope, length: u64) -> Result<Declaration, IngestError> {
    let declared: Declaration = envelope.open(&[station.key]).map_err(|e| IngestError::Declaration(e.to_string()))?;
    let refuse = |why: String| Err(IngestError::Declaration(why));
    if (&declared.tenant, &declared.unit, &declared.station) != (&station.tenant, &station.unit, &station.id) {
        return Err(IngestError::Foreign(format!(
            "it declares for {}/{}/{} but its certificate says {}/{}/{}",
            declared.tenant, declared.unit, declared.station, station.tenant, station.unit, station.id
        )));
    }
    if declared.length != length {
        return refuse(format!("it says {} bytes, Upload-Length says {length}", declared.length));
    }
    if length == 0 {
        return refuse("the file has zero bytes: the recorder wrote no data; list it at dock.close instead".to_owned());
    }
    if length > MAX_LEN {
        return refuse(format!("{length} bytes are more than the store takes in one object ({MAX_LEN})"));
    }
    if !printable(&declared.file_name) {
        return refuse(format!("file_name must be 1 to {MAX_NAME} printable characters"));
    }
    if declared.naming_rule.as_deref().is_some_and(|rule| !printable(rule)) {
        return refuse(format!("naming_rule must be 1 to {MAX_NAME} printable characters"));
    }
    let years = declared.started_at_device.map(DateTime::year).into_iter();
    if years.chain([calendar::shanghai(declared.declared_at).year()]).any(|year| !YEARS.contains(&year)) {
        return refuse(format!(
            "a date lies outside {} to {}: no recorder's clock can say that",
            YEARS.start(),
            YEARS.end()
        ));
    }
    if declared.clock.is_some_and(|clock| clock.offset_ms.unsigned_abs().max(clock.uncertainty_ms) > MAX_OFFSET_MS) {
        return refuse("the measured clock offset is more than a century".to_owned());
    }
    ingest.floor(&declared.tenant, ingest.trusted_now()?)?;
    Ok(declared)
}

/// Texts of a station end up in documents that nobody can change and on people's screens.
fn printable(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The session that brings, or brought, these bytes for this item.
async fn session_for(
    ingest: &Ingest,
    station: &Station,
    envelope: Envelope,
    declaration: Declaration,
) -> Result<Held, IngestError> {
    let (item, root) = (declaration.item(), declaration.root);
    let lost = match ingest.sessions.claimed(&item, &root).await? {
        None => None,
        Some(upload) => match ingest.sessions.load(&upload).await? {
            Some(held) if !matches!(held.session.stage, Stage::Lost { .. }) => {
                return admit(ingest, station, held).await;
            }
            _ => Some(upload),
        },
    };
    let mut session = new_session(ingest, station, envelope, declaration);
    if let Some(deposit) = deposited(ingest, &session).await? {
        // The try that wrote the manifest may have died before stating the deposit.
        crate::commit::state(ingest, &session.declaration, &deposit).await?;
        session.stage = Stage::Committed { code: deposit.manifest.code, manifest: deposit.object };
    }
    let held = ingest.sessions.create(&session).await?;
    let winner = ingest.sessions.claim(&session, lost.as_ref()).await?;
    if winner == session.upload {
        return Ok(held);
    }
    // Another dock was faster: ours was never used, theirs goes on.
    ingest.vault.discard_intake(&keys::session(&session.upload, session.begun)).await?;
    let held = ingest.sessions.load(&winner).await?.ok_or(IngestError::Finishing)?;
    admit(ingest, station, held).await
}

/// Lets another station of the agency go on with an upload of the same bytes.
async fn admit(ingest: &Ingest, station: &Station, held: Held) -> Result<Held, IngestError> {
    if station.owns(&held.session) {
        return Ok(held);
    }
    let upload = held.session.upload;
    let admitted = ingest.sessions.update(&upload, |session| {
        if !session.shared_with.contains(&station.id) {
            session.shared_with.push(station.id.clone());
        }
    });
    admitted.await?.ok_or(IngestError::Unknown)
}

/// The deposit that already holds these bytes for this item, as the first or as a variant.
async fn deposited(ingest: &Ingest, session: &Session) -> Result<Option<Deposit>, IngestError> {
    let (item, root) = (session.declaration.item(), session.declaration.root);
    for key in [item.variant_of(&root), item] {
        let found = ingest.vault.read_first(&ingest.vault.buckets().originals, &keys::manifest(&key)).await?;
        if let Some(document) = found {
            let deposit = Deposit::read(&document.bytes, document.object)?;
            if deposit.manifest.root == root {
                return Ok(Some(deposit));
            }
        }
    }
    Ok(None)
}

fn new_session(ingest: &Ingest, station: &Station, envelope: Envelope, declaration: Declaration) -> Session {
    let begun = ingest.clock.now();
    let seconds = u64::try_from(begun.as_second()).unwrap_or_default();
    let nanos = u32::try_from(begun.subsec_nanosecond()).unwrap_or_default();
    let id = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos));
    // The id keeps milliseconds; keys are computed from what the id tells.
    let upload = UploadId::of(id);
    let begun = crate::session::begun(&upload).unwrap_or(begun);
    Session {
        original: keys::original(&upload, begun),
        upload,
        begun,
        envelope,
        declaration,
        station_certificate: station.certificate.clone(),
        shared_with: Vec::new(),
        multipart: None,
        lock_begun: None,
        nonce: uuid::Uuid::new_v4().to_string(),
        epoch: 0,
        stage: Stage::Declared,
        trace: telemetry::current_traceparent(),
    }
}

fn answer(session: &Session, offset: u64) -> Response {
    let location = format!("/v1/uploads/{}", session.upload);
    let mut response = StatusCode::CREATED.into_response();
    let answered = response.headers_mut();
    answered.insert(TUS_RESUMABLE, value(VERSION));
    answered.insert(LOCATION, value(&location));
    answered.insert(UPLOAD_OFFSET, offset.into());
    answered.insert(UPLOAD_EXPIRES, headers::expires(session.begun));
    let code = match &session.stage {
        Stage::Committed { code, .. } => {
            answered.insert(CUSTOS_RECEIPT, value(&format!("{location}/receipt")));
            code.clone()
        }
        _ => UnifiedCode::of(session.declaration.item()),
    };
    answered.insert(CUSTOS_CODE, value(&code.to_string()));
    response
}
