//! The API as a table, and its OpenAPI description.

use std::sync::Arc;

use axum::{Router, extract::FromRef, routing::get};
use custos_platform::http::{auth::Authenticator, dress, openapi};
use opentelemetry::metrics::Meter;
use utoipa::OpenApi;

use crate::{Retention, eligible, obligations, policy_view};

/// The description of retention's API.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Custos retention", description = "How long every item is kept, and by which article."),
    paths(obligations::obligations, policy_view::policies, eligible::eligible)
)]
pub struct Api;

/// What handlers are given.
#[derive(Debug, Clone)]
struct Shared {
    retention: Arc<Retention>,
    authenticator: Authenticator,
}

impl FromRef<Shared> for Arc<Retention> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.retention)
    }
}

impl FromRef<Shared> for Authenticator {
    fn from_ref(shared: &Shared) -> Self {
        shared.authenticator.clone()
    }
}

/// Every route of retention.
pub(crate) fn routes(retention: Arc<Retention>, authenticator: Authenticator, meter: &Meter) -> Router {
    let routes = Router::new()
        .route("/v1/obligations/{code}", get(obligations::obligations))
        .route("/v1/policies", get(policy_view::policies))
        .route("/v1/eligible", get(eligible::eligible))
        .with_state(Shared { retention, authenticator })
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

    const PATHS: [&str; 3] = ["/v1/eligible", "/v1/obligations/{code}", "/v1/policies"];
}
