//! The API as a table, and its OpenAPI description.

use std::sync::Arc;

use axum::{
    Router,
    extract::FromRef,
    routing::{get, post},
};
use custos_platform::http::{auth::Authenticator, dress, openapi};
use opentelemetry::metrics::Meter;
use utoipa::OpenApi;

use crate::{LegalHold, decide, place, show};

/// The description of legal-hold's API.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Custos legal hold", description = "What may not be let go, why, and who said so."),
    paths(
        place::place,
        show::list,
        show::one,
        show::of_item,
        decide::confirm,
        decide::propose_release,
        decide::release
    )
)]
pub struct Api;

/// What handlers are given.
#[derive(Debug, Clone)]
struct Shared {
    service: Arc<LegalHold>,
    authenticator: Authenticator,
}

impl FromRef<Shared> for Arc<LegalHold> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.service)
    }
}

impl FromRef<Shared> for Authenticator {
    fn from_ref(shared: &Shared) -> Self {
        shared.authenticator.clone()
    }
}

/// Every route of legal-hold.
pub(crate) fn routes(service: Arc<LegalHold>, authenticator: Authenticator, meter: &Meter) -> Router {
    let routes = Router::new()
        .route("/v1/holds", post(place::place).get(show::list))
        .route("/v1/holds/{id}", get(show::one))
        .route("/v1/holds/{id}/confirm", post(decide::confirm))
        .route("/v1/holds/{id}/propose-release", post(decide::propose_release))
        .route("/v1/holds/{id}/release", post(decide::release))
        .route("/v1/items/{code}/holds", get(show::of_item))
        .with_state(Shared { service, authenticator })
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
        for operation in paths.values().flat_map(|path| path.as_object().expect("operations").values()) {
            assert_eq!(operation["security"], serde_json::json!([{ "token": [] }]), "{operation}");
            assert!(operation["summary"].is_string(), "{operation}");
            for (status, answer) in operation["responses"].as_object().expect("responses") {
                let body = answer["content"].as_object().and_then(|kinds| kinds.values().next()).expect("a body");
                let name = body["schema"]["$ref"].as_str().expect("a reference").rsplit('/').next().expect("a name");
                assert!(api["components"]["schemas"][name].is_object(), "{name}");
                assert_eq!(name == "Problem", !status.starts_with('2'), "{status}: {name}");
            }
        }
    }

    const PATHS: [&str; 6] = [
        "/v1/holds",
        "/v1/holds/{id}",
        "/v1/holds/{id}/confirm",
        "/v1/holds/{id}/propose-release",
        "/v1/holds/{id}/release",
        "/v1/items/{code}/holds",
    ];
}
