//! Signs people in: the stack's stand-in for the agencies' identity provider.

use std::time::Duration;

use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{SigningKey, pkcs8::EncodePrivateKey};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::seeds::Person;

/// `iss` of every token.
pub const ISSUER: &str = "custos-local";

/// `aud` of every token.
pub const AUDIENCE: &str = "custos";

/// Name of the one key (`kid`).
const KEY_ID: &str = "local-1";

/// Makes tokens (JWT, RFC 7519; EdDSA, RFC 8037).
pub struct Issuer(SigningKey);

impl Issuer {
    /// An issuer with this key.
    pub fn new(key: SigningKey) -> Self {
        Self(key)
    }

    /// A token that says who `person` is, good from `now` for `lifetime`.
    pub fn token(&self, person: &Person, now: Timestamp, lifetime: Duration) -> anyhow::Result<String> {
        self.sign(&claims(person, now, lifetime))
    }

    /// A token with these claims, whatever they are; for trying tokens that must be refused.
    pub fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::EdDSA) };
        let key = EncodingKey::from_ed_der(self.0.to_pkcs8_der()?.as_bytes());
        jsonwebtoken::encode(&header, claims, &key).context("signing a token")
    }

    /// The public key as a JWKS document (RFC 7517).
    pub fn jwks(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.0.verifying_key().as_bytes());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID, "x": x}]})
    }
}

/// The claims of a token for `person`.
pub fn claims(person: &Person, now: Timestamp, lifetime: Duration) -> Value {
    let Person { id, name, tenant, unit, roles } = person;
    let now = now.as_second();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": id, "name": name, "tenant": tenant, "unit": unit, "roles": roles,
        "iat": now, "nbf": now, "exp": now.saturating_add_unsigned(lifetime.as_secs()),
    })
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};

    use super::*;
    use crate::seeds;

    #[test]
    fn a_token_is_good_for_whoever_reads_the_published_keys() {
        let issuer = Issuer::new(SigningKey::from_bytes(&[7; 32]));
        let person = seeds::find("e-leader").expect("person");
        let now = Timestamp::from_second(4_000_000_000).expect("now");
        let token = issuer.token(person, now, Duration::from_mins(1)).expect("token");

        let keys: JwkSet = serde_json::from_value(issuer.jwks()).expect("keys");
        let key = DecodingKey::from_jwk(keys.find(KEY_ID).expect("key")).expect("decoding key");
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.validate_nbf = false;
        let read = jsonwebtoken::decode::<Value>(&token, &key, &rules).expect("valid").claims;
        assert_eq!(read, claims(person, now, Duration::from_mins(1)));
        assert_eq!(read["exp"], 4_000_000_060_i64);
    }
}
