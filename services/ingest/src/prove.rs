//! PUT /v1/uploads/{id}/outboard: what every MiB must be, before any of them is sent.

use std::sync::Arc;

use axum::{body::Bytes, extract::State};
use custos_domain::{ids::UploadId, keys, outboard::Outboard};
use custos_platform::http::extract::Path;
use custos_platform::http::problem::Document;
use custos_platform::vault::{StoreError, multipart::Creation};
use http::StatusCode;

use crate::{
    Ingest,
    basis::Basis,
    error::IngestError,
    progress::multipart,
    session::{Held, Session, Stage},
    station::Station,
};

/// Takes the outboard when it adds up to the signed root, length and checksum. Safe to repeat.
#[utoipa::path(
    put,
    path = "/v1/uploads/{upload}/outboard",
    tag = "uploads",
    request_body(
        content = Vec<u8>,
        content_type = "application/octet-stream",
        description = "BLAKE3 of every MiB, CRC64NVME of every 8 MiB"
    ),
    params(("upload" = String, Path, description = "From Location")),
    security(("certificate" = [])),
    responses(
        (status = 204, description = "Bytes may come"),
        (status = 422, body = Document)
    )
)]
pub async fn prove(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Path(upload): Path<UploadId>,
    body: Bytes,
) -> Result<StatusCode, IngestError> {
    let held = ingest.last_seen_of(&station, &upload).await?;
    if held.session.stage != Stage::Declared && held.session.basis.plain().is_none() {
        return Ok(StatusCode::NO_CONTENT);
    }
    let outboard = agreed(&held.session.basis, &body)?;
    let intake = &ingest.vault.buckets().intake;
    ingest.vault.write(intake, &keys::intake_outboard(&upload), body, "application/octet-stream").await?;
    open(&ingest, held, outboard.parts()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads an outboard. It must add up to what the station signed; then each MiB that fits it is what the station signed.
pub(crate) fn agreed(basis: &Basis, encoded: &[u8]) -> Result<Outboard, IngestError> {
    let outboard = Outboard::decode(encoded).map_err(|e| IngestError::Outboard(e.to_string()))?;
    let Basis::Declared { declaration: declared, .. } = basis else {
        return Err(IngestError::Outboard(
            "this upload has no signed declaration it could prove; just send the bytes".into(),
        ));
    };
    let differs = |what: &str, outboard: String, declared: String| {
        Err(IngestError::Outboard(format!("its {what} is {outboard}, the declaration says {declared}")))
    };
    if outboard.len() != declared.length {
        return differs("length", outboard.len().to_string(), declared.length.to_string());
    }
    if outboard.root() != declared.root {
        return differs("BLAKE3 root", outboard.root().to_string(), declared.root.to_string());
    }
    if outboard.crc() != declared.crc {
        return differs("CRC64NVME", outboard.crc().to_string(), declared.crc.to_string());
    }
    Ok(outboard)
}

/// Begins the store's multipart upload, locked, and lets bytes come. An item of one part is created in one call later. Answers the
/// session that stands.
pub(crate) async fn open(ingest: &Ingest, held: Held, parts: usize) -> Result<Held, IngestError> {
    let mut held = held;
    let mut begun = None;
    if parts > 1 && held.session.stage == Stage::Declared {
        let creation = Creation {
            bucket: &ingest.vault.buckets().originals,
            key: &held.session.original,
            nonce: &held.session.nonce,
            locked_until: ingest.floor(held.session.tenant(), ingest.trusted_now()?)?,
        };
        begun = Some((ingest.vault.begin_multipart(creation).await?, creation.locked_until));
    }
    while held.session.stage == Stage::Declared {
        let mut session = Session { stage: Stage::Receiving, ..held.session.clone() };
        if let Some((upload_id, locked_until)) = begun.clone() {
            (session.multipart, session.lock_begun) = (Some(upload_id), Some(locked_until));
        }
        held = match ingest.sessions.replace(&held, session).await {
            Ok(held) => return Ok(held),
            // Somebody else changed it meanwhile: perhaps only a number, perhaps to the same end.
            Err(StoreError::Precondition { .. }) => {
                ingest.sessions.load(&held.session.upload).await?.ok_or(IngestError::Unknown)?
            }
            Err(error) => return Err(error.into()),
        };
    }
    // The same came twice at once: the other request's upload stands, ours has no bytes.
    if let Some((upload_id, _)) = begun {
        ingest.vault.abort(multipart(&ingest.vault, &held.session, &upload_id)).await?;
    }
    Ok(held)
}
