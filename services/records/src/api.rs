//! The API for people. Metadata is visible within one's scope; the picture is not served here (A-16.1, B-4.7, E-16).
//!
//! Every answer that shows a record is preceded by a fact saying who is about to see it. What is outside one's scope is not
//! even said to exist: 404, never 403. A *filter* outside it is refused aloud, since an empty list would be a lie.

pub mod close;
pub mod dockings;
pub mod incidents;
pub mod item;
pub mod items;
mod page;
pub mod playback;
pub mod timeline;

use std::sync::Arc;

use axum::{
    Router,
    extract::FromRef,
    routing::{get, post},
};
use custos_domain::{
    ids::{TenantId, UnitPath},
    item::{CodeError, UnifiedCode},
};
use custos_platform::http::{
    Problem,
    auth::{Authenticator, Person},
    dress, openapi,
};
use http::StatusCode;
use opentelemetry::metrics::Meter;
use utoipa::OpenApi;

use crate::{
    Records,
    catalogue::{NarrowError, Scope},
};

/// The description of the API.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Custos records",
        description = "The catalogue: search, one item's record and custody timeline, why it is kept until when, dockings, incidents."
    ),
    paths(
        items::items,
        item::item,
        timeline::timeline,
        playback::playback,
        dockings::dockings,
        dockings::docking,
        incidents::incidents,
        close::close
    )
)]
pub struct Api;

/// What handlers are given.
#[derive(Debug, Clone)]
struct Shared {
    records: Arc<Records>,
    authenticator: Authenticator,
}

impl FromRef<Shared> for Arc<Records> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.records)
    }
}

impl FromRef<Shared> for Authenticator {
    fn from_ref(shared: &Shared) -> Self {
        shared.authenticator.clone()
    }
}

/// Every route of records.
pub fn routes(records: Arc<Records>, authenticator: Authenticator, meter: &Meter) -> Router {
    let routes = Router::new()
        .route("/v1/items", get(items::items))
        .route("/v1/items/{code}", get(item::item))
        .route("/v1/items/{code}/timeline", get(timeline::timeline))
        .route("/v1/items/{code}/playback", get(playback::playback))
        .route("/v1/dockings", get(dockings::dockings))
        .route("/v1/dockings/{station}/{docking}", get(dockings::docking))
        .route("/v1/incidents", get(incidents::incidents))
        .route("/v1/incidents/{incident}/close", post(close::close))
        .with_state(Shared { records, authenticator })
        .merge(openapi::routes(Api::openapi()));
    dress(routes, meter)
}

/// A code as a person typed it. A typing mistake is answered with the code they may have meant (D-12.2).
fn code(text: &str) -> Result<UnifiedCode, Problem> {
    UnifiedCode::parse(&text.trim().to_ascii_uppercase()).map_err(|error| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "mistyped-code", "No unified code", error.to_string());
        match error {
            CodeError::Check { code, .. } => problem.with("did_you_mean", code),
            _ => problem,
        }
    })
}

fn no_such_item() -> Problem {
    Problem::not_found("there is no such item in your unit or below it; check the code")
}

/// The part of what this person may see that a filter asks for, or the refusal.
fn scope(person: &Person, tenant: Option<TenantId>, unit: Option<UnitPath>) -> Result<Scope, Problem> {
    Scope::of(person).narrow(tenant, unit).map_err(|error| match error {
        NarrowError::Beyond => Problem::forbidden(error.to_string()),
        NarrowError::WhichTenant => Problem::unprocessable(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_code_is_answered_with_the_one_that_was_meant() {
        assert!(code("e-dsj00012-20261123091500_0007-00-v ").is_ok());
        let problem = code("E-DSJ00021-20261123091500_0007-00-V").expect_err("mistyped");
        assert_eq!((problem.status().as_u16(), problem.kind()), (400, "mistyped-code"));
        assert!(problem.detail().contains("did you mean E-DSJ00021-20261123091500_0007-00-"), "{}", problem.detail());
        assert_eq!(code("nonsense").expect_err("malformed").kind(), "mistyped-code");
    }

    #[test]
    fn every_route_is_described() {
        let api = serde_json::to_value(openapi::complete(Api::openapi())).expect("JSON");
        let paths = api["paths"].as_object().expect("paths");
        assert_eq!(paths.len(), 8);
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().expect("methods") {
                assert_eq!(operation["security"][0]["token"], serde_json::json!([]), "{method} {path}");
                assert!(operation["responses"]["503"].is_object(), "{method} {path}");
            }
        }
    }
}
