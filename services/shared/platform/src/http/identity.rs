//! Who a client certificate speaks for: a SAN URI `custos://station/<tenant>/<unit path>/<station>`.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use custos_domain::ids::{IdError, StationId, TenantId, UnitPath};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::{
    extensions::GeneralName,
    oid_registry::OID_SIG_ED25519,
    prelude::{FromDer as _, X509Certificate},
};

use super::Problem;

const PREFIX: &str = "custos://station/";

/// The station a certificate was issued to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationIdentity {
    /// 機關 the station belongs to.
    pub tenant: TenantId,
    /// 單位 where it stands.
    pub unit: UnitPath,
    /// 採集站 itself.
    pub station: StationId,
}

/// Why a certificate names no station.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Nothing in it is addressed to us.
    #[error("the certificate has no SAN URI beginning with {PREFIX}; have one issued for this station")]
    Missing,
    /// Two answers to who is asking are none.
    #[error("the certificate has several SAN URIs beginning with {PREFIX}; have one issued with exactly one")]
    Several,
    /// The path has too few or empty parts.
    #[error("the SAN URI `{0}` is not of the form {PREFIX}<tenant>/<unit path>/<station>")]
    Shape(String),
    /// A part is not what it should be.
    #[error("the SAN URI does not name a station: {0}")]
    Id(#[from] IdError),
}

/// A client certificate the TLS layer has verified: chain, time, possession of the key, revocation.
#[derive(Debug, Clone)]
pub struct PeerCertificate {
    station: Result<StationIdentity, IdentityError>,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Begin of validity.
    pub not_before: Timestamp,
    /// End of validity. The server closes the connection then.
    pub not_after: Timestamp,
    /// The certificate itself, DER.
    pub der: Vec<u8>,
    /// The key whose possession was proven, if it is Ed25519: the one a station's declarations are signed with.
    pub ed25519_key: Option<[u8; 32]>,
}

impl PeerCertificate {
    /// Reads a certificate; `None` when it is not one, which a verified certificate cannot be.
    pub fn parse(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let key = certificate.public_key();
        let is_ed25519 = key.algorithm.algorithm == OID_SIG_ED25519;
        Some(Self {
            station: station_of(&certificate),
            serial: certificate.raw_serial_as_string().replace(':', ""),
            not_before: Timestamp::from_second(certificate.validity().not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?,
            der: der.to_vec(),
            ed25519_key: is_ed25519.then(|| key.subject_public_key.data.as_ref().try_into().ok()).flatten(),
        })
    }

    /// The station it was issued to, or why there is none.
    pub fn station(&self) -> Result<&StationIdentity, &IdentityError> {
        self.station.as_ref()
    }
}

impl StationIdentity {
    /// Takes a SAN URI apart: the first part is the tenant, the last the station, what lies between the unit.
    pub fn parse(uri: &str) -> Result<Self, IdentityError> {
        let shape = || IdentityError::Shape(uri.escape_debug().take(200).collect());
        let path = uri.strip_prefix(PREFIX).ok_or_else(shape)?;
        if path.split('/').any(str::is_empty) {
            return Err(shape());
        }
        let (tenant, rest) = path.split_once('/').ok_or_else(shape)?;
        let (unit, station) = rest.rsplit_once('/').ok_or_else(shape)?;
        Ok(Self { tenant: TenantId::parse(tenant)?, unit: UnitPath::parse(unit)?, station: StationId::parse(station)? })
    }

    /// The SAN URI that names this station.
    pub fn uri(&self) -> String {
        format!("{PREFIX}{}/{}/{}", self.tenant, self.unit, self.station)
    }
}

impl<S: Sync> FromRequestParts<S> for StationIdentity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let peer = peer(parts)?;
        peer.station().cloned().map_err(|why| {
            tracing::info!(serial = peer.serial, %why, "certificate refused");
            Problem::new(StatusCode::FORBIDDEN, "not-a-station", "Not a station", why.to_string())
        })
    }
}

/// Extracts the whole certificate, for handlers that record it as evidence.
#[derive(Debug, Clone)]
pub struct Peer(pub Arc<PeerCertificate>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        peer(parts).map(Self)
    }
}

fn peer(parts: &Parts) -> Result<Arc<PeerCertificate>, Problem> {
    parts.extensions.get::<Arc<PeerCertificate>>().cloned().ok_or_else(|| {
        let detail = "present the station's client certificate when connecting";
        Problem::new(StatusCode::FORBIDDEN, "certificate-needed", "Client certificate needed", detail)
    })
}

fn station_of(certificate: &X509Certificate<'_>) -> Result<StationIdentity, IdentityError> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Err(IdentityError::Missing);
    };
    let mut uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) if uri.starts_with(PREFIX) => Some(*uri),
        _ => None,
    });
    let uri = uris.next().ok_or(IdentityError::Missing)?;
    if uris.next().is_some() {
        return Err(IdentityError::Several);
    }
    StationIdentity::parse(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::test_pki::Pki;

    #[test]
    fn the_uri_is_taken_apart_and_put_together_again() {
        let uri = "custos://station/E/NANJING/XUANWU/01/S7";
        let station = StationIdentity::parse(uri).expect("station");
        assert_eq!(station.tenant.as_str(), "E");
        assert_eq!(station.unit.as_str(), "NANJING/XUANWU/01");
        assert_eq!(station.station.as_str(), "S7");
        assert_eq!(station.uri(), uri);
    }

    #[test]
    fn other_uris_are_refused_with_the_reason() {
        for bad in
            ["https://station/E/NJ/S7", "custos://station/E/S7", "custos://station/E//S7", "custos://station/E/NJ/"]
        {
            assert!(matches!(StationIdentity::parse(bad), Err(IdentityError::Shape(_))), "{bad}");
        }
        let error = StationIdentity::parse("custos://station/E/NJ/s7").expect_err("lower case");
        assert!(error.to_string().contains("`s7` is not a station id"), "{error}");
    }

    #[test]
    fn a_certificate_tells_station_serial_and_key() {
        let pki = Pki::new();
        let leaf = pki.station(&["custos://station/E/NJ/S7"]);
        let peer = PeerCertificate::parse(leaf.cert.der()).expect("certificate");
        assert_eq!(peer.station().expect("station").station.as_str(), "S7");
        assert_eq!(peer.ed25519_key.expect("Ed25519"), leaf.key.public_key_raw());
        assert!(!peer.serial.is_empty());
    }

    #[test]
    fn a_certificate_must_name_exactly_one_station() {
        let pki = Pki::new();
        let read = |uris: &[&str]| {
            let peer = PeerCertificate::parse(pki.station(uris).cert.der()).expect("certificate");
            peer.station().cloned().map_err(Clone::clone)
        };
        assert_eq!(read(&["https://elsewhere"]), Err(IdentityError::Missing));
        assert_eq!(read(&["custos://station/E/NJ/S7", "custos://station/E/NJ/S8"]), Err(IdentityError::Several));
    }
}
