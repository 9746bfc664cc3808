//! Tokens made by a test issuer: which count, which do not, and what the refused are told.

use std::{path::PathBuf, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header::WWW_AUTHENTICATE},
    routing::get,
};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode, jwk::Jwk};
use opentelemetry_sdk::Resource;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::{
    config::{JwksSource, TlsArgs},
    http::{
        server::Server,
        test_pki::{Pki, context},
    },
    telemetry::Metrics,
};

const NOW: i64 = 1_900_000_000;

struct SigningKey {
    id: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    public: DecodingKey,
}

impl SigningKey {
    fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let of = match algorithm {
            Algorithm::EdDSA => &PKCS_ED25519,
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            _ => &PKCS_RSA_SHA256,
        };
        let pair = KeyPair::generate_for(of).expect("key");
        let (pem, raw) = (pair.serialize_pem(), pair.public_key_raw());
        let (private, public) = match algorithm {
            Algorithm::EdDSA => (EncodingKey::from_ed_pem(pem.as_bytes()), DecodingKey::from_ed_der(raw)),
            Algorithm::ES256 => (EncodingKey::from_ec_pem(pem.as_bytes()), DecodingKey::from_ec_der(raw)),
            _ => (EncodingKey::from_rsa_pem(pem.as_bytes()), DecodingKey::from_rsa_der(raw)),
        };
        Self { id, algorithm, private: private.expect("private key"), public }
    }

    fn public(&self) -> Value {
        let mut jwk = Jwk::from_decoding_key(&self.public, Some(self.algorithm)).expect("public key");
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).expect("JSON")
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.to_owned());
        encode(&header, claims, &self.private).expect("token")
    }
}

struct Bench {
    files: TempDir,
    clock: Clock,
    auth: Authenticator,
}

impl Bench {
    async fn new(keys: &[&SigningKey]) -> Self {
        let files = tempfile::tempdir().expect("dir");
        let clock = Clock::manual(Timestamp::from_second(NOW).expect("time"));
        publish(&files, keys);
        let auth = Authenticator::new(&args(path(&files)), clock.clone()).expect("authenticator");
        auth.0.keys.load().await.expect("keys");
        Self { files, clock, auth }
    }

    async fn refusal(&self, token: &str) -> String {
        let problem = self.auth.person(token).await.expect_err("refused");
        assert_eq!(problem.status(), StatusCode::UNAUTHORIZED);
        problem.detail().to_owned()
    }
}

#[tokio::test]
async fn every_permitted_algorithm_tells_who_is_asking() {
    for algorithm in token::ALGORITHMS {
        let key = SigningKey::new("k1", algorithm);
        let bench = Bench::new(&[&key]).await;
        let person = bench.auth.person(&key.sign(&claims())).await.expect("person");
        assert_eq!(person.id.as_str(), "p.wang");
        assert_eq!(person.unit.as_str(), "NJ/XW");
        assert_eq!(person.roles, BTreeSet::from([Role::Leader, Role::LegalReviewer]));
        assert_eq!(person.token_id.as_deref(), Some("t-1"));
    }
}

#[tokio::test]
async fn a_token_counts_only_in_its_time() {
    let key = SigningKey::new("k1", Algorithm::EdDSA);
    let bench = Bench::new(&[&key]).await;
    assert!(bench.auth.person(&key.sign(&with(&claims(), "nbf", json!(NOW + 30)))).await.is_ok(), "30 s of leeway");
    let early = key.sign(&with(&claims(), "nbf", json!(NOW + 31)));
    assert!(bench.refusal(&early).await.contains("not valid before"));
    let token = key.sign(&claims());
    bench.clock.advance(Duration::from_secs(329));
    assert!(bench.auth.person(&token).await.is_ok(), "30 s of leeway");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.refusal(&token).await, "the token expired at 2030-03-17T17:51:40Z; sign in again");
    let timeless = key.sign(&without(&claims(), "nbf"));
    assert!(bench.refusal(&timeless).await.contains("(nbf)"));
    let endless = key.sign(&without(&claims(), "exp"));
    assert!(bench.refusal(&endless).await.contains("exp"));
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let key = SigningKey::new("k1", Algorithm::RS256);
    let bench = Bench::new(&[&key]).await;

    let impostor = SigningKey::new("k1", Algorithm::RS256);
    assert_eq!(bench.refusal(&impostor.sign(&claims())).await, "the token's signature is wrong; sign in again");

    // The classic: the public key, which everybody has, used as the secret of an HMAC (RFC 8725 2.1).
    let public = serde_json::to_vec(&key.public()).expect("JSON");
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".to_owned());
    let confused = encode(&header, &claims(), &EncodingKey::from_secret(&public)).expect("token");
    assert!(bench.refusal(&confused).await.contains("HS256 are not accepted"));

    let (_, rest) = confused.split_once('.').expect("token");
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", rest.split_once('.').expect("token").0);
    assert!(bench.refusal(&unsigned).await.contains("no permitted signature algorithm"));

    let genuine = key.sign(&claims());
    let elevated = genuine.replacen('.', ".e", 1);
    assert!(!bench.refusal(&elevated).await.is_empty());
    // Right key, wrong algorithm in the header: the key is not for it.
    let other = SigningKey::new("k1", Algorithm::ES256);
    assert!(bench.refusal(&other.sign(&claims())).await.contains("does not publish"));
}

#[tokio::test]
async fn tokens_for_others_and_incomplete_ones_are_refused() {
    let key = SigningKey::new("k1", Algorithm::EdDSA);
    let bench = Bench::new(&[&key]).await;
    let told = async |claims: Value| bench.refusal(&key.sign(&claims)).await;
    assert!(told(with(&claims(), "iss", json!("https://elsewhere"))).await.contains("another issuer"));
    assert!(told(with(&claims(), "aud", json!("payroll"))).await.contains("another system"));
    assert!(told(without(&claims(), "tenant")).await.contains("tenant"));
    assert!(told(with(&claims(), "unit", json!("nj/../xw"))).await.contains("unit path"));
    assert!(told(without(&claims(), "sub")).await.contains("sub"));
}

#[tokio::test]
async fn keys_rotate_and_withdrawn_ones_stop_counting() {
    let (old, new) = (SigningKey::new("old", Algorithm::EdDSA), SigningKey::new("new", Algorithm::EdDSA));
    let bench = Bench::new(&[&old]).await;
    publish(&bench.files, &[&new]);
    assert!(bench.refusal(&new.sign(&claims())).await.contains("does not publish"), "looked a moment ago");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(bench.auth.person(&new.sign(&claims())).await.is_ok());
    assert!(bench.refusal(&old.sign(&claims())).await.contains("does not publish"));
}

#[tokio::test]
async fn a_key_file_that_cannot_work_names_its_option() {
    let files = tempfile::tempdir().expect("dir");
    let load = async || {
        let auth = Authenticator::new(&args(path(&files)), Clock::system()).expect("authenticator");
        auth.0.keys.load().await.expect_err("refused").to_string()
    };
    assert!(load().await.starts_with("--jwks: cannot read"));
    let secret = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]});
    std::fs::write(path(&files), secret.to_string()).expect("write");
    assert_eq!(load().await, "--jwks: the JWKS document holds no EdDSA, ES256 or RS256 signature key");
}

#[tokio::test]
async fn keys_come_over_https_from_a_trusted_provider_only() {
    let (key, pki, files) = (SigningKey::new("k1", Algorithm::EdDSA), Pki::new(), tempfile::tempdir().expect("dir"));
    let metrics = Metrics::new(Resource::builder().build()).expect("metrics");
    let context = context(Clock::manual(Timestamp::from_second(NOW).expect("time")), &metrics);
    let jwks = json!({ "keys": [key.public()] });
    let provider = Server::bind(&provider(&files, &pki), &context).await.expect("server");
    let url = format!("https://{}/jwks", provider.address().expect("address"));
    provider.start(Router::new().route("/jwks", get(async move || axum::Json(jwks))));

    let mut args = args(path(&files));
    args.jwks = JwksSource::Url(url);
    args.jwks_ca = Some(files.path().join("ca.pem"));
    let auth = Authenticator::start(&args, &context).await.expect("authenticator");
    assert!(auth.person(&key.sign(&claims())).await.is_ok());
    assert!(context.health.report().await.ready);

    std::fs::write(files.path().join("ca.pem"), Pki::new().ca.pem()).expect("write");
    let auth = Authenticator::start(&args, &context).await.expect("starts all the same");
    let problem = auth.person(&key.sign(&claims())).await.expect_err("no keys");
    assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!context.health.report().await.ready);
}

#[tokio::test]
async fn handlers_get_persons_and_callers_get_challenges() {
    let key = SigningKey::new("k1", Algorithm::EdDSA);
    let bench = Bench::new(&[&key]).await;
    let routes = Router::new()
        .route("/me", get(async |person: Person| person.id.to_string()))
        .route("/audit", get(async |person: Person| person.require(&[Role::Auditor]).map(|()| "log")))
        .with_state(bench.auth.clone());
    let call = async |path: &str, token: Option<&str>| {
        let mut request = Request::builder().uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("bearer {token}"));
        }
        let response = routes.clone().oneshot(request.body(Body::empty()).expect("request")).await.expect("infallible");
        let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().expect("text").to_owned());
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 4096).await.expect("body");
        (status, challenge, String::from_utf8(body.to_vec()).expect("text"))
    };
    let token = key.sign(&claims());
    assert_eq!(call("/me", Some(&token)).await, (200, None, "p.wang".to_owned()));
    let (status, challenge, body) = call("/me", None).await;
    assert_eq!((status, challenge.as_deref()), (401, Some("Bearer realm=\"custos\"")));
    assert!(body.contains("Authorization: Bearer"), "{body}");
    let (status, challenge, _) = call("/me", Some("rubbish")).await;
    assert_eq!((status, challenge.as_deref()), (401, Some("Bearer realm=\"custos\", error=\"invalid_token\"")));
    let (status, _, body) = call("/audit", Some(&token)).await;
    assert_eq!(status, 403);
    assert!(body.contains("needs the role auditor"), "{body}");
}

#[test]
fn a_leader_answers_for_the_subtree_of_the_own_agency_only() {
    let person = Person {
        id: PersonId::parse("p.wang").expect("id"),
        name: None,
        tenant: TenantId::parse("E").expect("id"),
        unit: UnitPath::parse("NJ/XW").expect("unit"),
        roles: BTreeSet::new(),
        token_id: None,
    };
    let covers = |tenant: &str, unit: &str| {
        person.require_scope(&TenantId::parse(tenant).expect("id"), &UnitPath::parse(unit).expect("unit")).is_ok()
    };
    assert!(covers("E", "NJ/XW") && covers("E", "NJ/XW/01"));
    assert!(!covers("E", "NJ") && !covers("E", "NJ/XW2") && !covers("A", "NJ/XW"));
}

fn claims() -> Value {
    json!({
        "iss": "https://idp", "aud": ["custos", "other"], "sub": "p.wang", "name": "王", "jti": "t-1",
        "tenant": "E", "unit": "NJ/XW", "roles": ["leader", "legal_reviewer", "pilot"],
        "nbf": NOW, "exp": NOW + 300,
    })
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().expect("object").remove(name);
    claims
}

fn provider(files: &TempDir, pki: &Pki) -> TlsArgs {
    let (server, file) = (pki.server(), |name| files.path().join(name));
    std::fs::write(file("ca.pem"), pki.ca.pem()).expect("write");
    std::fs::write(file("cert.pem"), server.cert.pem()).expect("write");
    std::fs::write(file("key.pem"), server.key.serialize_pem()).expect("write");
    TlsArgs {
        listen: ([127, 0, 0, 1], 0).into(),
        tls_cert: file("cert.pem"),
        tls_key: file("key.pem"),
        client_ca: None,
        client_crl: None,
        tls_reload: Duration::from_secs(5),
        max_connections: 8.try_into().expect("not zero"),
    }
}

fn path(files: &TempDir) -> PathBuf {
    files.path().join("jwks.json")
}

fn publish(files: &TempDir, keys: &[&SigningKey]) {
    let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
    std::fs::write(path(files), json!({ "keys": keys }).to_string()).expect("write");
}

fn args(path: PathBuf) -> AuthArgs {
    AuthArgs {
        jwks: JwksSource::File(path),
        jwks_ca: None,
        jwt_issuer: "https://idp".to_owned(),
        jwt_audience: "custos".to_owned(),
    }
}
