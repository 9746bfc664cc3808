//! The API as a table, and its OpenAPI description.

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    routing::{get, post},
};
use custos_platform::http::{auth::Authenticator, dress, openapi};
use opentelemetry::metrics::Meter;
use utoipa::OpenApi;

use crate::{Shared, codes, enrol, register, renew, revoke, show};

/// Largest body taken, in bytes: a request for a certificate has less than one KiB.
const LARGEST_BODY: usize = 32 * 1024;

/// The description of the API.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Custos stations",
        description = "Which stations may hand in footage, and the certificates they prove themselves with."
    ),
    paths(register::register, show::list, show::one, codes::issue, revoke::revoke, enrol::enrol, renew::renew)
)]
pub struct Api;

/// What handlers are given.
#[derive(Debug, Clone)]
struct Given {
    stations: Shared,
    authenticator: Authenticator,
}

impl FromRef<Given> for Shared {
    fn from_ref(given: &Given) -> Self {
        Self::clone(&given.stations)
    }
}

impl FromRef<Given> for Authenticator {
    fn from_ref(given: &Given) -> Self {
        given.authenticator.clone()
    }
}

/// Every route of the service.
pub(crate) fn routes(stations: Shared, authenticator: Authenticator, meter: &Meter) -> Router {
    let routes = Router::new()
        .route("/v1/stations", post(register::register).get(show::list))
        .route("/v1/stations/{id}", get(show::one))
        .route("/v1/stations/{id}/codes", post(codes::issue))
        .route("/v1/stations/{id}/revoke", post(revoke::revoke))
        .route("/v1/enrol", post(enrol::enrol))
        .route("/v1/renew", post(renew::renew))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Given { stations, authenticator })
        .merge(openapi::routes(Api::openapi()));
    dress(routes, meter)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operation says who may ask and what goes wrong, and every reference leads somewhere.
    #[test]
    fn the_description_is_whole() {
        let api = serde_json::to_value(openapi::complete(Api::openapi())).expect("JSON");
        let paths = api["paths"].as_object().expect("paths");
        assert_eq!(paths.keys().collect::<Vec<_>>(), PATHS);
        for (path, operations) in paths {
            for operation in operations.as_object().expect("operations").values() {
                let security = match path.as_str() {
                    // The code is what proves the caller.
                    "/v1/enrol" => serde_json::Value::Null,
                    "/v1/renew" => serde_json::json!([{ "certificate": [] }]),
                    _ => serde_json::json!([{ "token": [] }]),
                };
                assert_eq!(operation["security"], security, "{path}");
                assert!(operation["summary"].is_string(), "{operation}");
                for (status, answer) in operation["responses"].as_object().expect("responses") {
                    let body = answer["content"].as_object().and_then(|kinds| kinds.values().next()).expect("a body");
                    let name =
                        body["schema"]["$ref"].as_str().expect("a reference").rsplit('/').next().expect("a name");
                    assert!(api["components"]["schemas"][name].is_object(), "{name}");
                    assert_eq!(name == "Problem", !status.starts_with('2'), "{status}: {name}");
                }
            }
        }
    }

    const PATHS: [&str; 6] = [
        "/v1/enrol",
        "/v1/renew",
        "/v1/stations",
        "/v1/stations/{id}",
        "/v1/stations/{id}/codes",
        "/v1/stations/{id}/revoke",
    ];
}
