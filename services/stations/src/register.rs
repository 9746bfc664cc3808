//! POST /v1/stations: an administrator registers a station.

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use custos_domain::{
    fact::Act,
    ids::{StationId, TenantId, UnitPath},
};
use custos_platform::{
    db::Moment,
    http::{
        Problem,
        auth::{Person, Role},
        extract::Json,
        problem::Document,
    },
};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    Shared, Stations,
    error::StationsError,
    facts,
    ledger::stations::{Filter, Listed, Station},
    metrics,
    view::StationView,
};

/// Who may register stations and issue codes.
pub(crate) const ADMINISTRATORS: [Role; 1] = [Role::Admin];

/// A station to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStation {
    /// Its id: 1 to 32 of A-Z, 0-9 and _. Chosen once: it is part of every certificate and deposit.
    pub id: String,
    /// Its unit, within the administrator's own.
    pub unit: String,
    /// Whether it may deposit without a signed declaration: a third party's dock, any tus client.
    #[serde(default)]
    pub plain: bool,
}

/// Registers a station of the administrator's agency. The same again changes nothing; the same id with other values is refused.
#[utoipa::path(post, path = "/v1/stations", tag = "stations", request_body = NewStation, security(("token" = [])), responses((status = 201, body = StationView), (status = 200, body = StationView, description = "It was registered before, with the same values"), (status = 401, body = Document), (status = 403, body = Document), (status = 409, body = Document), (status = 422, body = Document), (status = 503, body = Document)))]
pub async fn register(
    State(stations): State<Shared>,
    person: Person,
    Json(new): Json<NewStation>,
) -> Result<Response, Problem> {
    person.require(&ADMINISTRATORS)?;
    let wrong = |field: &str, error: &dyn std::fmt::Display| Problem::unprocessable(format!("{field}: {error}"));
    let id = StationId::parse(&new.id).map_err(|error| wrong("id", &error))?;
    let unit = UnitPath::parse(&new.unit).map_err(|error| wrong("unit", &error))?;
    if unit.as_str().split('/').any(str::is_empty) {
        return Err(wrong("unit", &"write its parts with single slashes between them"));
    }
    person.require_scope(&person.tenant, &unit)?;
    let station = Station {
        tenant: person.tenant.clone(),
        id,
        unit,
        plain: new.plain,
        registered_by: person.id.to_string(),
        registered_at: now(&stations),
        revoked: None,
        refused_before: None,
        seen_at: None,
    };
    let added = stations.add(&station, &person).await?;
    let listed = stations.listed(&station.tenant, &station.id).await?;
    let listed = listed.ok_or_else(|| Problem::internal(&anyhow::anyhow!("station {} is gone", station.id)))?;
    if (&listed.station.unit, listed.station.plain) != (&station.unit, station.plain) {
        return Err(Problem::conflict("a station of this id is registered with other values; choose another id"));
    }
    let location = [(LOCATION, format!("/v1/stations/{}", station.id))];
    let status = if added { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, Json(StationView::of(listed, stations.clock.now()))).into_response())
}

impl Stations {
    async fn add(&self, station: &Station, person: &Person) -> Result<bool, StationsError> {
        let mut tx = self.ledger.begin().await?;
        if !self.ledger.add(&mut tx, station).await? {
            return Ok(false);
        }
        let act = Act::StationRegistered { plain: station.plain };
        let fact = facts::fact(station, act, facts::person(person), station.registered_at, "");
        facts::put(&mut tx, &fact).await?;
        tx.commit().await?;
        metrics::did("registered");
        self.wake();
        Ok(true)
    }

    /// A station with its certificate and code.
    pub(crate) async fn listed(&self, tenant: &TenantId, id: &StationId) -> Result<Option<Listed>, StationsError> {
        let found = self.ledger.one(tenant, id, self.clock.now()).await?;
        Ok(found)
    }
}

/// The station this person may act on, or 404: another unit's is not even known to exist.
pub(crate) fn visible(station: Option<Station>, person: &Person) -> Result<Station, Problem> {
    station
        .filter(|station| person.covers(&station.tenant, &station.unit))
        .ok_or_else(|| Problem::not_found("there is no such station in your unit or below it; check the id"))
}

/// The filter for a person's own reach.
pub(crate) fn reach<'a>(person: &'a Person, after: Option<&'a StationId>, limit: i64) -> Filter<'a> {
    Filter { tenant: &person.tenant, unit: Some(&person.unit), id: None, after, limit }
}

/// A moment as the database will keep it.
pub(crate) fn now(stations: &Stations) -> Timestamp {
    Moment::cut(stations.clock.now()).0
}
