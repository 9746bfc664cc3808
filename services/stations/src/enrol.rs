//! POST /v1/enrol: a dock has its first certificate issued, for a one-time code.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use custos_domain::fact::Act;
use custos_platform::http::{Problem, extract::Json, identity::StationIdentity, problem::Document};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::PgTransaction;
use utoipa::ToSchema;

use crate::{
    Shared, Stations,
    authority::Issued,
    code::Code,
    error::StationsError,
    facts,
    ledger::{codes::KeptCode, stations::Station},
    metrics,
    register::now,
    request::Request,
};

/// Certificates a station may be issued within a day: each is a fact that is locked for years.
const MOST_A_DAY: i64 = 50;

/// What a dock asks with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolling {
    /// The one-time code, as it was told to the administrator.
    #[schema(example = "7ZK4M-0QW3X-9T2BD-HV6NR-1E5SA-8C")]
    pub code: String,
    /// A certificate signing request in PEM (PKCS #10) for an Ed25519 key. Its names are ignored.
    pub csr: String,
}

/// A certificate for a station.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrolled {
    /// The agency.
    pub tenant: String,
    /// The unit.
    pub unit: String,
    /// The station.
    pub station: String,
    /// The certificate chain in PEM, its own first.
    pub certificate: String,
    /// When the certificate ends.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// Issues a certificate for a one-time code. The same code with the same key again answers the same certificate while the code is
/// good, for the answer may have been lost; with another key it is refused and reported.
#[utoipa::path(post, path = "/v1/enrol", tag = "docks", request_body = Enrolling, responses((status = 200, body = Enrolled), (status = 403, body = Document), (status = 409, body = Document), (status = 422, body = Document), (status = 429, body = Document), (status = 503, body = Document)))]
pub async fn enrol(
    State(stations): State<Shared>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Json(asked): Json<Enrolling>,
) -> Result<Json<Enrolled>, Problem> {
    let outcome = stations.enrol(&asked, address).await;
    metrics::answered("enrol", outcome.as_ref().err().map_or("done", StationsError::name));
    if let Err(error) = &outcome {
        tracing::info!(%address, %error, "enrolment refused");
    }
    Ok(Json(outcome?))
}

impl Stations {
    async fn enrol(&self, asked: &Enrolling, address: SocketAddr) -> Result<Enrolled, StationsError> {
        let now = now(self);
        self.attempts.allowed(address.ip(), now).map_err(StationsError::TooManyAttempts)?;
        // Mistyped is not guessed: it costs nothing and does not count.
        let code = Code::parse(&asked.code)?;
        let request = Request::parse(&asked.csr)?;
        let mut tx = self.ledger.begin().await?;
        let Some((station, kept)) = self.code_taken(&mut tx, &code).await? else {
            self.attempts.wrong(address.ip(), now);
            return Err(StationsError::UnknownCode);
        };
        if kept.void {
            return Err(StationsError::VoidCode);
        }
        if let Some(serial) = &kept.used_for {
            let before = self.ledger.certificate(&mut tx, serial).await?.ok_or(StationsError::VoidCode)?;
            if before.key != request.id {
                self.attempts.wrong(address.ip(), now);
                let act = facts::code_reused(&kept.id, serial);
                facts::put(&mut tx, &facts::fact(&station, act, facts::service(), now, &kept.id)).await?;
                tx.commit().await?;
                self.wake();
                return Err(StationsError::UsedCode);
            }
            return if kept.expires_at > now {
                Ok(self.enrolled(&station, &before))
            } else {
                Err(StationsError::ExpiredCode)
            };
        }
        if kept.expires_at <= now {
            return Err(StationsError::ExpiredCode);
        }
        let issued = self.issue(&mut tx, &station, &request, None).await?;
        self.ledger.use_code(&mut tx, &kept.id, &issued.serial, now).await?;
        let act = Act::StationEnrolled { certificate: (&issued).into() };
        let fact = facts::fact(&station, act, facts::station(&station.id), now, &issued.serial);
        facts::put(&mut tx, &fact).await?;
        tx.commit().await?;
        tracing::info!(tenant = %station.tenant, station = %station.id, serial = issued.serial, "station enrolled");
        self.wake();
        Ok(self.enrolled(&station, &issued))
    }

    /// The code and its station, kept from others until the transaction ends.
    async fn code_taken(
        &self,
        tx: &mut PgTransaction<'_>,
        code: &Code,
    ) -> Result<Option<(Station, KeptCode)>, StationsError> {
        let hash = code.hash();
        let Some(seen) = self.ledger.code(tx, &hash).await? else { return Ok(None) };
        let station = self.ledger.take(tx, &seen.tenant, &seen.station).await?.ok_or(StationsError::NotRegistered)?;
        // Looked at again: until the station was ours, another request may have used it.
        let kept = self.ledger.code(tx, &hash).await?;
        Ok(kept.map(|kept| (station, kept)))
    }

    /// Signs and records a certificate. It is issued when the transaction is committed, and not before.
    pub(crate) async fn issue(
        &self,
        tx: &mut PgTransaction<'_>,
        station: &Station,
        request: &Request,
        replaces: Option<&str>,
    ) -> Result<Issued, StationsError> {
        let now = now(self);
        let yesterday = now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        if self.ledger.issued_since(tx, station, yesterday).await? >= MOST_A_DAY {
            return Err(StationsError::TooManyCertificates);
        }
        let (named, earliest) = (identity(station), station.refused_before);
        let issued = self.authority.issue(&named, request, now, earliest, self.lifetime, &mut rand::rng())?;
        self.ledger.add_certificate(tx, station, &issued, replaces).await?;
        self.ledger.seen(tx, station, now).await?;
        Ok(issued)
    }

    /// The answer to a dock.
    pub(crate) fn enrolled(&self, station: &Station, issued: &Issued) -> Enrolled {
        Enrolled {
            tenant: station.tenant.to_string(),
            unit: station.unit.to_string(),
            station: station.id.to_string(),
            certificate: self.authority.with_chain(&issued.pem),
            until: issued.until,
        }
    }
}

fn identity(station: &Station) -> StationIdentity {
    let Station { tenant, unit, id, .. } = station;
    StationIdentity { tenant: tenant.clone(), unit: unit.clone(), station: id.clone() }
}

impl std::fmt::Debug for Enrolling {
    /// The code is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolling").finish_non_exhaustive()
    }
}
