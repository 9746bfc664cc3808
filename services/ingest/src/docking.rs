//! dock.open and dock.close: what a recorder held when it was connected, and what became of it.
//!
//! The list of files makes a clip that never arrives visible (D-11.3); the measured clock is evidence (D-7).

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use custos_domain::{
    declaration::ClockOffset,
    fact::{Act, Actor, DeviceFile, Fact, LeftFile, Subject},
    ids::{DeviceId, DockingId, OfficerId},
    item::UnifiedCode,
};
use custos_platform::http::extract::Json as Body;
use custos_platform::http::extract::Path;
use custos_platform::http::problem::Document;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Ingest, declare, error::IngestError, station::Station};

/// Files a recorder may list; a medium with more is broken or hostile.
const MAX_FILES: usize = 20_000;
/// The longest name or reason taken, in characters.
const MAX_TEXT: usize = 255;
/// Counters a recorder's description may hold.
const MAX_COUNTERS: usize = 64;

/// A recorder was connected.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenDocking {
    /// Chosen by the dock; the same again changes nothing.
    #[schema(value_type = String)]
    pub docking: DockingId,
    /// The recorder.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The wearer, when known.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub officer: Option<OfficerId>,
    /// Every file found, name made printable.
    #[schema(value_type = Vec<Object>)]
    pub files: Vec<DeviceFile>,
    /// The recorder's clock against the station's, measured before it was set.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub clock: Option<ClockOffset>,
    /// What the recorder says it made, such as `lastsequence`, at most 64.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
}

/// The docking ended.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseDocking {
    /// The recorder.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Items with a receipt.
    #[schema(value_type = Vec<String>)]
    pub deposited: Vec<UnifiedCode>,
    /// Listed files that came with them, by name.
    #[serde(default)]
    pub arrived: Vec<String>,
    /// Files without one, each with the reason.
    #[schema(value_type = Vec<Object>)]
    pub left: Vec<LeftFile>,
    /// Files erased under a permit.
    pub erased: u32,
}

/// POST /v1/dockings.
#[utoipa::path(
    post,
    path = "/v1/dockings",
    tag = "dockings",
    request_body = OpenDocking,
    security(("certificate" = [])),
    responses(
        (status = 201, description = "Written down"),
        (status = 422, body = Document)
    )
)]
pub async fn open(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Body(opened): Body<OpenDocking>,
) -> Result<(StatusCode, Json<serde_json::Value>), IngestError> {
    if opened
        .clock
        .is_some_and(|clock| clock.offset_ms.unsigned_abs().max(clock.uncertainty_ms) > declare::MAX_OFFSET_MS)
    {
        return Err(IngestError::Body("the measured clock offset is more than a century".to_owned()));
    }
    if opened.counters.len() > MAX_COUNTERS {
        return Err(IngestError::Body(format!("more than {MAX_COUNTERS} counters")));
    }
    let texts = opened.files.iter().map(|file| &file.name).chain(opened.counters.keys());
    bounded(opened.files.len(), texts.map(String::as_str))?;
    let OpenDocking { docking, device, officer, files, clock, counters } = opened;
    let act = Act::DockOpened { device, officer, files, clock, counters };
    ingest.state(docking_fact(&ingest, &station, &docking, act)).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "docking": docking }))))
}

/// POST /v1/dockings/{docking}/close.
#[utoipa::path(
    post,
    path = "/v1/dockings/{docking}/close",
    tag = "dockings",
    request_body = CloseDocking,
    params(("docking" = String, Path, description = "As opened")),
    security(("certificate" = [])),
    responses(
        (status = 204, description = "Written down"),
        (status = 422, body = Document)
    )
)]
pub async fn close(
    State(ingest): State<Arc<Ingest>>,
    station: Station,
    Path(docking): Path<DockingId>,
    Body(closed): Body<CloseDocking>,
) -> Result<StatusCode, IngestError> {
    let left = closed.left.iter().flat_map(|left| [left.name.as_str(), left.reason.as_str()]);
    let texts = left.chain(closed.arrived.iter().map(String::as_str));
    bounded(closed.deposited.len().max(closed.left.len()).max(closed.arrived.len()), texts)?;
    let act = Act::DockClosed {
        device: closed.device,
        deposited: closed.deposited,
        arrived: closed.arrived,
        left: closed.left,
        erased: closed.erased,
    };
    ingest.state(docking_fact(&ingest, &station, &docking, act)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn docking_fact(ingest: &Ingest, station: &Station, docking: &DockingId, act: Act) -> Fact {
    let subject = Subject::Docking { station: station.id.clone(), docking: docking.clone() };
    Fact {
        unit: Some(station.unit.clone()),
        actor: Actor::Station { station: station.id.clone() },
        ..ingest.fact(station.tenant.clone(), subject, act, "")
    }
}

fn bounded<'a>(files: usize, mut texts: impl Iterator<Item = &'a str>) -> Result<(), IngestError> {
    if files > MAX_FILES {
        return Err(IngestError::Body(format!("{files} files are more than a docking may list ({MAX_FILES})")));
    }
    match texts.find(|text| text.chars().count() > MAX_TEXT || text.chars().any(char::is_control)) {
        None => Ok(()),
        Some(_) => Err(IngestError::Body(format!("names and reasons must be at most {MAX_TEXT} printable characters"))),
    }
}
