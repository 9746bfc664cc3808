//! GET: which stations there are, and how they stand.

use axum::extract::State;
use custos_domain::ids::StationId;
use custos_platform::http::{
    Problem,
    auth::{Person, Role},
    extract::{Json, Path, Query},
    problem::Document,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Shared,
    error::StationsError,
    register::{reach, visible},
    view::StationView,
};

/// Who may look.
const MAY_LOOK: [Role; 4] = [Role::Admin, Role::Leader, Role::Archivist, Role::Auditor];
/// Most stations of one page.
const MOST: i64 = 200;

/// Which stations.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Where the last page ended: its `next`.
    after: Option<String>,
    /// At most so many (1 to 200, default 50).
    limit: Option<i64>,
}

/// One page of stations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page {
    /// By id.
    pub stations: Vec<StationView>,
    /// Pass as `after` for the next page; absent on the last.
    pub next: Option<String>,
}

/// Stations of the reader's unit and below, by id.
#[utoipa::path(get, path = "/v1/stations", tag = "stations", params(Asked), security(("token" = [])), responses((status = 200, body = Page), (status = 401, body = Document), (status = 403, body = Document), (status = 422, body = Document), (status = 503, body = Document)))]
pub async fn list(
    State(stations): State<Shared>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Json<Page>, Problem> {
    person.require(&MAY_LOOK)?;
    let wrong = |error: &dyn std::fmt::Display| Problem::unprocessable(error.to_string());
    let after = asked.after.as_deref().map(StationId::parse).transpose().map_err(|error| wrong(&error))?;
    let limit = asked.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(wrong(&format!("limit: choose 1 to {MOST}")));
    }
    let now = stations.clock.now();
    let found = stations.ledger.list(&reach(&person, after.as_ref(), limit), now).await.map_err(StationsError::from)?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().filter(|_| full).map(|listed| listed.station.id.to_string());
    Ok(Json(Page { stations: found.into_iter().map(|listed| StationView::of(listed, now)).collect(), next }))
}

/// One station.
#[utoipa::path(get, path = "/v1/stations/{id}", tag = "stations", params(("id" = String, Path, description = "The station")), security(("token" = [])), responses((status = 200, body = StationView), (status = 400, body = Document), (status = 401, body = Document), (status = 403, body = Document), (status = 404, body = Document), (status = 503, body = Document)))]
pub async fn one(
    State(stations): State<Shared>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<StationView>, Problem> {
    person.require(&MAY_LOOK)?;
    let id = StationId::parse(&id).map_err(|error| Problem::bad_request(error.to_string()))?;
    let listed = stations.listed(&person.tenant, &id).await?;
    visible(listed.as_ref().map(|listed| listed.station.clone()), &person)?;
    let view = listed.map(|listed| StationView::of(listed, stations.clock.now()));
    view.map(Json).ok_or_else(|| Problem::not_found("there is no such station; check the id"))
}
