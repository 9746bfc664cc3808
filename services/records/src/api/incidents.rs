//! GET /v1/incidents: what is wrong, or was.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{
    fact::IncidentClass,
    ids::{TenantId, UnitPath},
};
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Query},
    problem::Document,
};
use http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{page::Paging, scope};
use crate::{Records, catalogue::lists::IncidentFilter, fold::IncidentRecord};

const LIST: &str = "incidents";

/// Which incidents. Everything given must hold.
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
    /// Open or closed
    open: Option<bool>,
    /// `mismatch`, `variant`, `store_fault`, `clock`, `lock_drift` or `foreign_version`
    #[param(value_type = Option<String>)]
    class: Option<IncidentClass>,
    /// Rows of a page, 1 to 200; 50 when not given
    limit: Option<usize>,
    /// The `next` of the page before
    after: Option<String>,
}

/// One page of incidents, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentPage {
    /// The incidents.
    pub incidents: Vec<IncidentRecord>,
    /// Pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// Incidents. Those that concern no unit are seen by those who see the whole agency. The search is written down before it is
/// answered.
#[utoipa::path(
    get,
    path = "/v1/incidents",
    tag = "incidents",
    params(Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = IncidentPage),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn incidents(
    State(records): State<Arc<Records>>,
    person: Person,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Result<Json<IncidentPage>, Problem> {
    let scope = scope(&person, asked.tenant, asked.unit)?;
    let paging = Paging::of(LIST, asked.limit, asked.after.as_deref())?;
    let filter = IncidentFilter { open: asked.open, class: asked.class.map(IncidentClass::as_str) };
    let found = records.catalogue.incidents(&scope, &filter, paging.after(), paging.limit).await;
    let (incidents, next) = paging.answer(&records, &person, &uri, found).await?;
    Ok(Json(IncidentPage { incidents, next }))
}
