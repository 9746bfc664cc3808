//! Who is asking: the station in the client certificate, and nobody else.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use custos_domain::{
    dsse::KeyId,
    ids::{StationId, TenantId, UnitPath},
};
use custos_platform::http::{
    Problem,
    identity::{Peer, StationIdentity},
};
use http::request::Parts;

use crate::{
    basis::Origin,
    session::{Admitted, Session},
};

/// A station by its verified certificate.
#[derive(Debug, Clone)]
pub struct Station {
    /// Its agency.
    pub tenant: TenantId,
    /// Its unit.
    pub unit: UnitPath,
    /// Itself.
    pub id: StationId,
    /// The key of its certificate, which also signs its declarations. None when it is not Ed25519: such a station can declare
    /// nothing.
    pub key: Option<KeyId>,
    /// The certificate, DER in base64, to be kept as evidence.
    pub certificate: String,
}

impl Station {
    /// Whether the session is this station's. Another's is treated as if it did not exist.
    #[must_use]
    pub fn owns(&self, session: &Session) -> bool {
        let admitted = |other: &Admitted| other.unit == self.unit && other.station == self.id;
        self.began(session) || (session.tenant() == &self.tenant && session.admitted.iter().any(admitted))
    }

    /// Whether this station began the session, and did not only join it. A station that moved to another unit is another one.
    #[must_use]
    pub fn began(&self, session: &Session) -> bool {
        session.basis.origin() == Origin { tenant: &self.tenant, unit: &self.unit, station: &self.id }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Station {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let refused = |problem: Problem| problem.into_response();
        let identity = StationIdentity::from_request_parts(parts, state).await.map_err(refused)?;
        let Peer(peer) = Peer::from_request_parts(parts, state).await.map_err(refused)?;
        Ok(Self {
            tenant: identity.tenant,
            unit: identity.unit,
            id: identity.station,
            key: peer.ed25519_key.map(KeyId),
            certificate: STANDARD.encode(&peer.der),
        })
    }
}
