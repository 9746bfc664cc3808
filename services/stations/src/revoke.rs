//! POST /v1/stations/{id}/revoke: a person shuts a station out.

use axum::extract::State;
use custos_domain::{fact::Act, ids::StationId};
use custos_platform::http::{
    Problem,
    auth::{Person, Role},
    extract::{Json, Path},
    problem::Document,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    Shared, Stations,
    error::StationsError,
    facts, metrics,
    register::{now, visible},
    view::StationView,
};

/// Who may shut a station out: whoever answers for the unit does not wait for an administrator.
const MAY_REVOKE: [Role; 2] = [Role::Admin, Role::Leader];
/// Longest reason, in characters.
const LONGEST: usize = 2000;

/// Why a station is shut out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoking {
    /// What happened, such as `stolen`: 1 to 2000 characters.
    pub reason: String,
}

/// Shuts a station out: its certificates are revoked and its codes void. Ingest ends its connections within seconds, and takes
/// nothing from it any more. Sent again it changes nothing.
#[utoipa::path(post, path = "/v1/stations/{id}/revoke", tag = "stations", params(("id" = String, Path, description = "The station")), request_body = Revoking, security(("token" = [])), responses((status = 200, body = StationView), (status = 400, body = Document), (status = 401, body = Document), (status = 403, body = Document), (status = 404, body = Document), (status = 422, body = Document), (status = 503, body = Document)))]
pub async fn revoke(
    State(stations): State<Shared>,
    person: Person,
    Path(id): Path<String>,
    Json(revoking): Json<Revoking>,
) -> Result<Json<StationView>, Problem> {
    person.require(&MAY_REVOKE)?;
    let id = StationId::parse(&id).map_err(|error| Problem::bad_request(error.to_string()))?;
    let reason = revoking.reason.trim();
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    if reason.is_empty() || reason.chars().count() > LONGEST || reason.chars().any(odd) {
        let detail = format!("reason: write 1 to {LONGEST} characters and no control characters");
        return Err(Problem::unprocessable(detail));
    }
    stations.shut_out(&id, &person, reason).await?;
    let listed = stations.listed(&person.tenant, &id).await?;
    let listed = listed.ok_or_else(|| Problem::internal(&anyhow::anyhow!("station {id} is gone")))?;
    Ok(Json(StationView::of(listed, stations.clock.now())))
}

impl Stations {
    async fn shut_out(&self, id: &StationId, person: &Person, reason: &str) -> Result<(), Problem> {
        let mut tx = self.ledger.begin().await.map_err(StationsError::from)?;
        let station = self.ledger.take(&mut tx, &person.tenant, id).await.map_err(StationsError::from)?;
        let station = visible(station, person)?;
        let now = now(self);
        let written = async {
            self.ledger.void_codes(&mut tx, &station, now).await?;
            if station.revoked.is_some() {
                // It could come back by a code only, and that is void now.
                return tx.commit().await.map_err(StationsError::from);
            }
            let certificates = self.ledger.revoke_all(&mut tx, &station, now).await?;
            self.ledger.shut_out(&mut tx, &station, &person.id, now, reason).await?;
            let act = Act::StationRevoked { reason: reason.to_owned(), certificates };
            let fact = facts::fact(&station, act, facts::person(person), now, &now.to_string());
            facts::put(&mut tx, &fact).await?;
            tx.commit().await?;
            tracing::info!(tenant = %station.tenant, station = %station.id, "station shut out");
            metrics::did("revoked");
            Ok(())
        };
        written.await?;
        self.wake();
        Ok(())
    }
}
