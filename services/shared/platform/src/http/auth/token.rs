use custos_domain::ids::{PersonId, TenantId, UnitPath};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

use super::{Person, keys::Keys};
use crate::clock::Clock;

/// The only ways a token may be signed. Never HS*: whoever can check such a token can make one (RFC 8725 2.1).
pub(super) const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];

/// Difference of clocks that is forgiven, seconds.
const LEEWAY: i64 = 30;

/// Why a token does not count. Each says what the person can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("sign in and send the token in the header `Authorization: Bearer <token>`")]
    Missing,
    #[error("the keys of the identity provider have not been loaded yet; try again in a moment")]
    NoKeys,
    #[error("the token cannot be read, or names no permitted signature algorithm; sign in again")]
    Malformed,
    #[error("tokens signed with {0:?} are not accepted; the identity provider must use EdDSA, ES256 or RS256")]
    Algorithm(Algorithm),
    #[error("the token is signed with a key the identity provider does not publish; sign in again")]
    UnknownKey,
    #[error("the token's signature is wrong; sign in again")]
    Signature,
    #[error("the token expired at {0}; sign in again")]
    Expired(Timestamp),
    #[error("the token is not valid before {0}; check the clocks, then sign in again")]
    TooEarly(Timestamp),
    #[error("the token comes from another issuer; sign in at this system's identity provider")]
    Issuer,
    #[error("the token is meant for another system; sign in to this one")]
    Audience,
    #[error("the token lacks what this system needs ({0}); the administrator must complete the account")]
    Claims(String),
}

/// Checks tokens against keys, issuer, audience and time.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) keys: Keys,
    issuer: String,
    audience: String,
    clock: Clock,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: PersonId,
    name: Option<String>,
    tenant: TenantId,
    unit: UnitPath,
    #[serde(default)]
    roles: Vec<String>,
    jti: Option<String>,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
}

impl Verifier {
    pub(super) fn new(keys: Keys, issuer: String, audience: String, clock: Clock) -> Self {
        Self { keys, issuer, audience, clock }
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Person, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Refusal::Algorithm(header.alg));
        }
        let key = self.keys.find(header.kid.as_deref(), header.alg).await?;
        let decoded = decode::<Claims>(token, &key, &self.validation(header.alg)).map_err(refusal)?;
        self.check_time(&decoded.claims)?;
        Ok(person(decoded.claims))
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        // Time is an argument here: see `check_time`.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation
    }

    /// A token must say when it begins; `iat` will do, since some providers write no `nbf`.
    fn check_time(&self, claims: &Claims) -> Result<(), Refusal> {
        let now = self.clock.now().as_second();
        let begin = claims.nbf.or(claims.iat).ok_or_else(|| Refusal::Claims("nbf".to_owned()))?;
        if now >= claims.exp.saturating_add(LEEWAY) {
            return Err(Refusal::Expired(moment(claims.exp)));
        }
        if now < begin.saturating_sub(LEEWAY) {
            return Err(Refusal::TooEarly(moment(begin)));
        }
        Ok(())
    }
}

fn person(claims: Claims) -> Person {
    let known = |text: &String| {
        text.parse().inspect_err(|_| tracing::debug!(role = text, "role ignored: not one of Custos")).ok()
    };
    Person {
        roles: claims.roles.iter().filter_map(known).collect(),
        id: claims.sub,
        name: claims.name,
        tenant: claims.tenant,
        unit: claims.unit,
        token_id: claims.jti,
    }
}

fn refusal(error: jsonwebtoken::errors::Error) -> Refusal {
    match error.into_kind() {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => Refusal::Signature,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidAudience => Refusal::Audience,
        ErrorKind::MissingRequiredClaim(claim) => Refusal::Claims(claim),
        ErrorKind::Json(error) => Refusal::Claims(error.to_string()),
        _ => Refusal::Malformed,
    }
}

fn moment(second: i64) -> Timestamp {
    let range = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    Timestamp::from_second(second.clamp(*range.start(), *range.end())).unwrap_or(Timestamp::MAX)
}
