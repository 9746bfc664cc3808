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
