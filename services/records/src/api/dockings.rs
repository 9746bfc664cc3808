//! GET /v1/dockings: what recorders held when they were connected, and what never arrived (D-11.3).

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{
    declaration::ClockOffset,
    ids::{DeviceId, DockingId, OfficerId, StationId, TenantId, UnitPath},
};
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Path, Query},
    problem::Document,
};
use http::Uri;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    page::{Paging, Span},
    scope,
};
use crate::{
    Records, RecordsError,
    catalogue::{Scope, lists::DockingFilter},
    fold::DockingRecord,
};

const LIST: &str = "dockings";

/// Which dockings. Everything given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// An agency, for those who see several
    #[param(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// A unit and what is below it
    #[param(value_type = Option<String>)]
    unit: Option<UnitPath>,
    /// A station
    #[param(value_type = Option<String>)]
    station: Option<StationId>,
    /// A recorder
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// A day in China, or a time with its offset
    from: Option<String>,
    /// A day in China, itself included, or a time with its offset, itself excluded
    to: Option<String>,
    /// Only those with files that were neither deposited nor said to have stayed
    #[serde(default)]
    missing: bool,
    /// Rows of a page, 1 to 200; 50 when not given
    limit: Option<usize>,
    /// The `next` of the page before
    after: Option<String>,
}

/// One page of dockings, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DockingPage {
    /// The dockings.
    pub dockings: Vec<DockingSummary>,
    /// Pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// A docking in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct DockingSummary {
    /// The docking.
    #[schema(value_type = String)]
    pub docking: DockingId,
    /// The agency.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// The station's unit.
    #[schema(value_type = Option<String>)]
    pub unit: Option<UnitPath>,
    /// The station.
    #[schema(value_type = String)]
    pub station: StationId,
    /// The recorder.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The wearer, when known.
    #[schema(value_type = Option<String>)]
    pub officer: Option<OfficerId>,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// The recorder's clock against the station's (D-7).
    #[schema(value_type = Option<Object>)]
    pub clock: Option<ClockOffset>,
    /// Files found on the recorder.
    pub files: usize,
    /// Items with a receipt.
    pub deposited: usize,
    /// Files that stayed, with a reason.
    pub left: usize,
    /// Files erased from the recorder under a permit.
    pub erased: u32,
    /// Files unaccounted for; none until the docking ended.
    pub missing: Option<u32>,
}

/// Dockings. The search is written down before it is answered.
#[utoipa::path(
    get,
    path = "/v1/dockings",
    tag = "dockings",
    params(Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = DockingPage),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn dockings(
    State(records): State<Arc<Records>>,
    person: Person,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Result<Json<DockingPage>, Problem> {
    let scope = scope(&person, asked.tenant, asked.unit)?;
    let paging = Paging::of(LIST, asked.limit, asked.after.as_deref())?;
    let Span { from, before } = Span::of(asked.from.as_deref(), asked.to.as_deref())?;
    let filter = DockingFilter { from, before, station: asked.station, device: asked.device, missing: asked.missing };
    let found = records.catalogue.dockings(&scope, &filter, paging.after(), paging.limit).await;
    let (rows, next) = paging.answer(&records, &person, &uri, found).await?;
    Ok(Json(DockingPage { dockings: rows.into_iter().map(DockingSummary::of).collect(), next }))
}

/// One docking with every file. Reading it is written down before it is shown.
#[utoipa::path(
    get,
    path = "/v1/dockings/{station}/{docking}",
    tag = "dockings",
    params(
        ("station" = String, Path, description = "The station"),
        ("docking" = String, Path, description = "The docking")
    ),
    security(("token" = [])),
    responses(
        (status = 200, body = DockingRecord),
        (status = 400, body = Document),
        (status = 404, body = Document)
    )
)]
pub async fn docking(
    State(records): State<Arc<Records>>,
    person: Person,
    Path((station, docking)): Path<(StationId, DockingId)>,
) -> Result<Json<DockingRecord>, Problem> {
    let found = records.catalogue.docking(&Scope::of(&person), &station, &docking).await.map_err(RecordsError::from)?;
    let found = found.ok_or_else(|| Problem::not_found("there is no such docking in your unit or below it"))?;
    records.searched(&person, &format!("dockings/{station}/{docking}"), 1).await?;
    Ok(Json(found))
}

impl DockingSummary {
    fn of(record: DockingRecord) -> Self {
        Self {
            docking: record.docking,
            tenant: record.tenant,
            unit: record.unit,
            station: record.station,
            device: record.device,
            officer: record.officer,
            opened_at: record.opened_at,
            closed_at: record.closed_at,
            clock: record.clock,
            files: record.files.len(),
            deposited: record.deposited.len(),
            left: record.left.len(),
            erased: record.erased,
            missing: record.missing,
        }
    }
}
