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

use crate::{error::IngestError, session::Session};

/// A station by its verified certificate.
#[derive(Debug, Clone)]
pub struct Station {
    /// Its agency.
    pub tenant: TenantId,
    /// Its unit.
    pub unit: UnitPath,
    /// Itself.
    pub id: StationId,
    /// The Ed25519 key of its certificate, which also signs its declarations.
    pub key: KeyId,
    /// The certificate, DER in base64, to be kept as evidence.
    pub certificate: String,
}

impl Station {
    /// Whether the session is this station's. Another's is treated as if it did not exist.
    pub fn owns(&self, session: &Session) -> bool {
        let declared = &session.declaration;
        declared.tenant == self.tenant && (declared.station == self.id || session.shared_with.contains(&self.id))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Station {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let refused = |problem: Problem| problem.into_response();
        let identity = StationIdentity::from_request_parts(parts, state).await.map_err(refused)?;
        let Peer(peer) = Peer::from_request_parts(parts, state).await.map_err(refused)?;
        let no_key = "its certificate has no Ed25519 key, which declarations are signed with; have one issued";
        let key = peer.ed25519_key.ok_or_else(|| IngestError::Foreign(no_key.to_owned()).into_response())?;
        Ok(Self {
            tenant: identity.tenant,
            unit: identity.unit,
            id: identity.station,
            key: KeyId(key),
            certificate: STANDARD.encode(&peer.der),
        })
    }
}
