//! POST /v1/stations/{id}/codes: an administrator is given a one-time code for a station.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use custos_domain::{fact::Act, ids::StationId};
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Path},
    problem::Document,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Shared, Stations,
    code::Code,
    error::StationsError,
    facts,
    ledger::codes::KeptCode,
    metrics,
    register::{ADMINISTRATORS, now, visible},
};

/// A code, told once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewCode {
    /// For `custos-dock enrol --code`. It is not kept here: note it now.
    #[schema(example = "7ZK4M-0QW3X-9T2BD-HV6NR-1E5SA-8C")]
    pub code: String,
    /// When it is no longer good.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// Issues a one-time code with which this station can have a certificate issued. Codes issued for it before and not used are void.
/// A station that was shut out comes back with it.
#[utoipa::path(post, path = "/v1/stations/{id}/codes", tag = "stations", params(("id" = String, Path, description = "The station")), security(("token" = [])), responses((status = 201, body = NewCode), (status = 400, body = Document), (status = 401, body = Document), (status = 403, body = Document), (status = 404, body = Document), (status = 503, body = Document)))]
pub async fn issue(
    State(stations): State<Shared>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    person.require(&ADMINISTRATORS)?;
    let id = StationId::parse(&id).map_err(|error| Problem::bad_request(error.to_string()))?;
    let code = stations.issue_code(&id, &person).await?;
    // A code in a proxy's cache could be used by whoever reads it there.
    Ok((StatusCode::CREATED, [("cache-control", "no-store")], Json(code)).into_response())
}

impl Stations {
    async fn issue_code(&self, id: &StationId, person: &Person) -> Result<NewCode, Problem> {
        let mut tx = self.ledger.begin().await.map_err(StationsError::from)?;
        let station = self.ledger.take(&mut tx, &person.tenant, id).await.map_err(StationsError::from)?;
        let station = visible(station, person)?;
        let (code, now) = (Code::random(&mut rand::rng()), now(self));
        let until = now.saturating_add(self.code_lifetime).unwrap_or(Timestamp::MAX);
        let kept = KeptCode {
            id: uuid::Uuid::new_v4().to_string(),
            tenant: station.tenant.clone(),
            station: station.id.clone(),
            expires_at: until,
            void: false,
            used_for: None,
        };
        let wrote = self.ledger.add_code(&mut tx, &kept, &code.hash(), &person.id, now).await;
        wrote.map_err(StationsError::from)?;
        let act = Act::EnrolmentCodeIssued { until };
        facts::put(&mut tx, &facts::fact(&station, act, facts::person(person), now, &kept.id)).await?;
        tx.commit().await.map_err(StationsError::from)?;
        metrics::did("code_issued");
        self.wake();
        Ok(NewCode { code: code.reveal(), until })
    }
}
