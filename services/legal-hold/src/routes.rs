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
