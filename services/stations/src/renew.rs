//! POST /v1/renew: a dock has its next certificate issued, for the one it shows.

use axum::extract::State;
use custos_domain::fact::Act;
use custos_platform::http::{
    Problem,
    extract::Json,
    identity::{Peer, PeerCertificate, StationIdentity},
    problem::Document,
};
use jiff::Timestamp;
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
/// only one of this service's. The same request again answers the same certificate. One that has ended or is revoked does not get
/// so far: TLS refuses it, and a new code is needed.
#[utoipa::path(post, path = "/v1/renew", tag = "docks", request_body = Renewing, security(("certificate" = [])), responses((status = 200, body = Enrolled), (status = 403, body = Document), (status = 422, body = Document), (status = 429, body = Document), (status = 503, body = Document)))]
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
        // The port's list is a moment behind the database.
        if station.revoked.is_some() || self.ledger.is_revoked(&mut tx, &peer.serial).await? {
            return Err(StationsError::Revoked);
        }
        if self.ledger.ours(std::slice::from_ref(&peer.serial)).await?.is_empty()
            && self.ledger.issued_since(&mut tx, &station, Timestamp::UNIX_EPOCH).await? > 0
            && self.ledger.renewal(&mut tx, &peer.serial, &request.id).await?.is_none()
        {
            // Another authority's certificate is good for the first step only: this register could not revoke it.
            return Err(StationsError::Superseded);
        }
        if let Some(before) = self.ledger.renewal(&mut tx, &peer.serial, &request.id).await? {
            return Ok(self.enrolled(&station, &before));
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
