//! POST /v1/uploads: a signed declaration, or what an unsigned client says, becomes a session, or the session or item that already
//! is.

use std::{ops::RangeInclusive, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use custos_domain::{
    calendar,
    declaration::Declaration,
    dsse::Envelope,
    ids::UploadId,
    item::UnifiedCode,
    keys,
    outboard::{MAX_LEN, Outboard},
};
use custos_platform::http::problem::Document;
use custos_platform::telemetry;
use http::{HeaderMap, StatusCode, header::LOCATION};
use jiff::civil::DateTime;

use crate::{
    Ingest,
    basis::Basis,
    budget::Permit,
    checksum::Checksum,
    deposit::{self, Standing},
    error::IngestError,
    headers::{self, CUSTOS_CODE, Metadata, UPLOAD_CONCAT, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, value},
    plain, prove, receive,
    session::{Admitted, Held, Session, Stage},
    station::Station,
    take,
};

/// The longest file name kept, in characters.
pub(crate) const MAX_NAME: usize = 255;
/// Years a recorder's clock may say, right or wrong: what falls outside is no date, and some later reader could not keep it.
pub(crate) const YEARS: RangeInclusive<i16> = 1970..=2200;
/// A century in milliseconds.
pub(crate) const MAX_OFFSET_MS: u64 = 100 * 366 * 24 * 3600 * 1000;

/// Begins an upload by a signed declaration, or by what an unsigned client of a station registered for it says. The same again
/// answers the same upload; bytes may come along (creation-with-upload).
#[utoipa::path(
    post,
    path = "/v1/uploads",
    tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = u64, Header, description = "Bytes"),
        (
            "Upload-Metadata" = String,
            Header,
            description = "`declaration <base64 of the signed declaration, a DSSE envelope>`, with it, if wanted, `outboard \
                           <base64>`, which saves the PUT; or `device`, `recording`, `filename`, `started_at`, and if wanted \
                           `officer`, `segment`, `kind` or `filetype`, `blake3` or `sha256`, each with its value in base64"
        ),
        ("Upload-Checksum" = Option<String>, Header, description = "`<sha1|sha256|blake3> <base64>` of the body")
    ),
    request_body(
        content = Option<Vec<u8>>,
        content_type = "application/offset+octet-stream",
        description = "The first bytes, if wanted"
    ),
    security(("certificate" = [])),
    responses(
        (status = 201, description = "The upload: Location, Upload-Offset, Custos-Code; also when it was there already"),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 413, body = Document),
        (status = 422, body = Document),
        (status = 460, body = Document)
    )
)]
pub async fn declare(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    request: HeaderMap,
    body: Body,
) -> Result<Response, IngestError> {
    headers::require_version(&request)?;
    unserved(&request)?;
    let length = headers::number(&request, &UPLOAD_LENGTH)?;
    let metadata = Metadata::of(&request)?;
    let checksum = Checksum::of(&request)?;
    let basis = match metadata.bytes("declaration")? {
        Some(envelope) => {
            let envelope: Envelope = serde_json::from_slice(&envelope)
                .map_err(|e| IngestError::Declaration(format!("it is no signed document: {e}")))?;
            let declaration = Box::new(verify(&ingest, &station, &envelope, length)?);
            Basis::Declared { envelope, declaration }
        }
        None => Basis::Plain { plain: Box::new(plain::read(&ingest, &station, &metadata, length)?) },
    };
    let outboard = match metadata.bytes("outboard")? {
        Some(encoded) => Some(prove::agreed(&basis, &encoded)?),
        None => None,
    };
    let (held, permit) = session_for(&ingest, &station, basis, outboard).await?;
    let offset = receive::offset(&ingest, &held.session).await?;
    if let Some(permit) = permit {
        ingest.door.keep(&ingest.lifecycle, &held.session.upload, permit);
    }
    if headers::is_bytes(&request) && held.session.basis.plain().is_some() {
        let (session, offset) = with_bytes(&ingest, held, offset, body, checksum).await?;
        return Ok(answer(&session, offset));
    }
    Ok(answer(&held.session, offset))
}

/// Extensions that are not served are refused in words: a client that does not ask first would only see that it does not work.
pub(crate) fn unserved(request: &HeaderMap) -> Result<(), IngestError> {
    let refuse = |why: &str| Err(IngestError::Header(why.to_owned()));
    if request.contains_key(UPLOAD_DEFER_LENGTH) {
        return refuse("Upload-Defer-Length is not served: say the file's size in Upload-Length");
    }
    if request.contains_key(UPLOAD_CONCAT) {
        return refuse("Upload-Concat is not served: send the file as one upload (parallelUploads: 1)");
    }
    Ok(())
}

/// Takes the bytes that came along: the file from its beginning. What of it is there already is passed over, so a client that
/// tries its creation again gets further each time.
async fn with_bytes(
    ingest: &Arc<Ingest>,
    held: Held,
    offset: u64,
    body: Body,
    checksum: Option<Checksum>,
) -> Result<(Session, u64), IngestError> {
    if offset == held.session.length() {
        // Read to its end all the same: a client that still sends would not hear the answer.
        plain::drain(body.into_data_stream(), plain::LINGER).await;
        return Ok((held.session, offset));
    }
    // A checksum is over the whole body, and holds for none of its pieces.
    let checksum = checksum.filter(|_| offset == 0);
    let session = held.session.clone();
    let bytes = plain::behind(offset, body.into_data_stream());
    match take::take(ingest, held, offset, bytes, checksum).await {
        // Another request was faster. The upload stands, and the client is told where.
        Err(IngestError::Offset { offset } | IngestError::Superseded { offset }) => Ok((session, offset)),
        other => other,
    }
}

/// Believes a declaration only when it is this station's own, signed with its certificate's key, and makes sense.
fn verify(ingest: &Ingest, station: &Station, envelope: &Envelope, length: u64) -> Result<Declaration, IngestError> {
    let no_key = "its certificate has no Ed25519 key, which declarations are signed with; have one issued";
    let key = station.key.ok_or_else(|| IngestError::Foreign(no_key.to_owned()))?;
    let declared: Declaration = envelope.open(&[key]).map_err(|e| IngestError::Declaration(e.to_string()))?;
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
pub(crate) fn printable(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The session that brings, or brought, these bytes for this item, with the memory for them when they may come at once.
async fn session_for(
    ingest: &Ingest,
    station: &Station,
    basis: Basis,
    outboard: Option<Outboard>,
) -> Result<(Held, Option<Permit>), IngestError> {
    let lost = match ingest.sessions.claimed(&basis).await? {
        None => None,
        Some(upload) => match ingest.sessions.load(&upload).await? {
            Some(held) if !matches!(held.session.stage, Stage::Lost { .. }) => {
                let permit = ingest.door.enter(&ingest.budget, &held.session).await?;
                // A crash may have come between the session and its upload in the store.
                let held = ready(ingest, admit(ingest, station, held).await?).await?;
                return Ok((held, permit));
            }
            _ => Some(upload),
        },
    };
    let mut session = new_session(ingest, station, basis, outboard.as_ref());
    let standing = match session.basis.root() {
        Some(root) => deposit::standing(ingest, &session.basis.item(), &root).await?,
        None => Standing::Unknown,
    };
    session.vacant = matches!(standing, Standing::Nothing);
    let permit = if let Standing::These(deposit) = standing {
        // The try that wrote the manifest may have died before stating the deposit.
        deposit::state(ingest, &deposit).await?;
        session.stage = Stage::Committed { code: deposit.manifest.code.clone(), manifest: deposit.object.clone() };
        None
    } else {
        let permit = ingest.door.enter(&ingest.budget, &session).await?;
        ingest.quotas.reserve(&session)?;
        permit
    };
    let entered = enter(ingest, &session, lost.as_ref()).await;
    if !matches!(&entered, Ok((_, winner)) if *winner == session.upload) {
        ingest.quotas.settle(&session.upload);
    }
    let (held, winner) = entered?;
    if winner == session.upload {
        return Ok((ready(ingest, held).await?, permit));
    }
    // Another dock was faster: ours was never used, theirs goes on.
    ingest.vault.discard_intake(&keys::session(&session.upload, session.begun)).await?;
    let held = ingest.sessions.load(&winner).await?.ok_or(IngestError::Finishing)?;
    Ok((admit(ingest, station, held).await?, permit))
}

/// Opens an upload whose outboard came along; others wait for theirs, or for their first bytes.
async fn ready(ingest: &Ingest, held: Held) -> Result<Held, IngestError> {
    if held.session.outboard.is_some() { Box::pin(take::opened(ingest, held)).await } else { Ok(held) }
}

/// Writes a session and claims its item's bytes for it. Answers whose claim stands.
async fn enter(ingest: &Ingest, session: &Session, lost: Option<&UploadId>) -> Result<(Held, UploadId), IngestError> {
    let held = ingest.sessions.create(session).await?;
    let winner = ingest.sessions.claim(session, lost).await?;
    Ok((held, winner))
}

/// Lets another station of the agency go on with an upload of the same bytes.
async fn admit(ingest: &Ingest, station: &Station, held: Held) -> Result<Held, IngestError> {
    if station.owns(&held.session) {
        return Ok(held);
    }
    let upload = held.session.upload;
    let admitted = ingest.sessions.update(&upload, |session| {
        let admitted = Admitted { unit: station.unit.clone(), station: station.id.clone() };
        if !session.admitted.contains(&admitted) {
            session.admitted.push(admitted);
        }
    });
    admitted.await?.ok_or(IngestError::Unknown)
}

fn new_session(ingest: &Ingest, station: &Station, basis: Basis, outboard: Option<&Outboard>) -> Session {
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
        basis,
        station_certificate: station.certificate.clone(),
        admitted: Vec::new(),
        multipart: None,
        lock_begun: None,
        nonce: uuid::Uuid::new_v4().to_string(),
        epoch: 0,
        acknowledged: 0,
        outboard: outboard.map(|outboard| STANDARD.encode(outboard.encode())),
        vacant: false,
        // An item of one part needs no upload begun in the store: its bytes may come at once.
        stage: if outboard.is_some_and(|outboard| outboard.parts() == 1) { Stage::Receiving } else { Stage::Declared },
        cleared: false,
        touched: None,
        trace: telemetry::current_traceparent(),
    }
}

fn answer(session: &Session, offset: u64) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    let answered = response.headers_mut();
    answered.insert(LOCATION, value(&format!("/v1/uploads/{}", session.upload)));
    receive::describe(answered, session, offset);
    // What it will be called, should nobody have brought other bytes for the same recording before.
    answered.entry(CUSTOS_CODE).or_insert_with(|| value(&UnifiedCode::of(session.basis.item()).to_string()));
    response
}
