//! POST /v1/renew: a dock has its next certificate issued, for the one it shows.

use axum::extract::State;
use custos_domain::fact::Act;
use custos_platform::http::{
    Problem,
    extract::Json,
    identity::{Peer, PeerCertificate, StationIdentity},
    problem::Document,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{Shared, Stations, enrol::Enrolled, error::StationsError, facts, metrics, register::now, request::Request};

/// What a dock asks with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renewing {
    /// A certificate signing request in PEM (PKCS #10) for an Ed25519 key, best a new one. Its names are ignored.
    pub csr: String,
}

/// Issues the next certificate of the station whose client certificate is shown: any that the authorities of this port signed, not
/// only one of this service's. The same request again answers the same certificate; a second one for another key is refused and
/// reported, for two have the key then. One that has ended or is revoked does not get so far: TLS refuses it, and a new code is needed.
#[utoipa::path(post, path = "/v1/renew", tag = "docks", request_body = Renewing, security(("certificate" = [])), responses((status = 200, body = Enrolled), (status = 403, body = Document), (status = 409, body = Document), (status = 422, body = Document), (status = 429, body = Document), (status = 503, body = Document)))]
pub async fn renew(
    State(stations): State<Shared>,
    identity: StationIdentity,
    Peer(peer): Peer,
    Json(asked): Json<Renewing>,
) -> Result<Json<Enrolled>, Problem> {
    let outcome = stations.renew(&identity, &peer, &asked).await;
    metrics::answered("renew", outcome.as_ref().err().map_or("done", StationsError::name));
    if let Err(error) = &outcome {
        tracing::info!(station = identity.uri(), serial = peer.serial, %error, "renewal refused");
    }
    Ok(Json(outcome?))
}

impl Stations {
    async fn renew(
        &self,
        identity: &StationIdentity,
        peer: &PeerCertificate,
        asked: &Renewing,
    ) -> Result<Enrolled, StationsError> {
        let request = Request::parse(&asked.csr)?;
        let mut tx = self.ledger.begin().await?;
        let station = self.ledger.take(&mut tx, &identity.tenant, &identity.station).await?;
        let station = station.ok_or(StationsError::NotRegistered)?;
        if station.unit != identity.unit {
            return Err(StationsError::OtherUnit);
        }
        // The port's list is a moment behind the database.
        if station.revoked.is_some() || self.ledger.is_revoked(&mut tx, &peer.serial).await? {
            return Err(StationsError::Revoked);
        }
        let successors = self.ledger.successors(&mut tx, &station, &peer.serial).await?;
        if let Some(before) = successors.iter().find(|s| s.key == request.id && !s.pem.is_empty()) {
            return Ok(self.enrolled(&station, before));
        }
        if let Some(other) = successors.iter().find(|s| s.key != request.id) {
            // A dock keeps the key it asked with until the answer is there: another one asks with a copy of the certificate's key.
            let act = facts::certificate_reused(&peer.serial, &other.serial);
            facts::put(&mut tx, &facts::fact(&station, act, facts::service(), now(self), &peer.serial)).await?;
            tx.commit().await?;
            self.wake();
            return Err(StationsError::Replaced);
        }
        if successors.is_empty() && self.ledger.is_superseded(&mut tx, &station, &peer.serial).await? {
            // What was there before a code was used is not to live on beside it; and another authority's certificate is good for
            // the first step only.
            return Err(StationsError::Superseded);
        }
        let issued = self.issue(&mut tx, &station, &request, Some(&peer.serial)).await?;
        let act = Act::StationRenewed { certificate: (&issued).into(), replaces: peer.serial.clone() };
        let fact = facts::fact(&station, act, facts::station(&station.id), now(self), &issued.serial);
        facts::put(&mut tx, &fact).await?;
        tx.commit().await?;
        let (serial, replaces) = (&issued.serial, &peer.serial);
        tracing::info!(tenant = %station.tenant, station = %station.id, serial, replaces, "certificate renewed");
        self.wake();
        Ok(self.enrolled(&station, &issued))
    }
}
