//! The description of a service's API, served beside it.

use axum::{Json, Router, routing::get};
use utoipa::{
    PartialSchema as _,
    openapi::{
        Components, OpenApi,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::problem::Document;

/// Name of the security scheme of people's tokens, for `#[utoipa::path(security(("token" = [])))]`.
pub const TOKEN: &str = "token";
/// Name of the security scheme of stations' client certificates.
pub const CERTIFICATE: &str = "certificate";

/// `GET /openapi.json`: `api`, completed with the schema `Problem` and the ways to prove who one is.
pub fn routes<S: Clone + Send + Sync + 'static>(api: OpenApi) -> Router<S> {
    let api = complete(api);
    Router::new().route("/openapi.json", get(async move || Json(api)))
}

/// Adds what every API here has in common, and the version.
pub fn complete(mut api: OpenApi) -> OpenApi {
    crate::service::VERSION.clone_into(&mut api.info.version);
    let components = api.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".to_owned(), Document::schema());
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(token));
    let certificate = SecurityScheme::MutualTls {
        description: Some("certificate of a station, with its SAN URI custos://station/…".to_owned()),
        deprecated: None,
        extensions: None,
    };
    components.add_security_scheme(CERTIFICATE, certificate);
    api
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi as _;

    use super::*;

    #[utoipa::path(get, path = "/items", security(("token" = [])), responses((status = 404, body = Document)))]
    #[expect(dead_code, reason = "only its description is used")]
    fn items() {}

    #[derive(utoipa::OpenApi)]
    #[openapi(paths(items))]
    struct Api;

    #[test]
    fn every_reference_in_a_description_resolves() {
        let api = serde_json::to_value(complete(Api::openapi())).expect("JSON");
        let answer = &api["paths"]["/items"]["get"]["responses"]["404"]["content"];
        let body = answer.as_object().and_then(|kinds| kinds.values().next()).expect("a body");
        assert_eq!(body["schema"]["$ref"], "#/components/schemas/Problem");
        let properties = &api["components"]["schemas"]["Problem"]["properties"];
        for field in ["type", "title", "status", "detail", "trace_id"] {
            assert!(properties[field].is_object(), "{properties}");
        }
        assert_eq!(api["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        assert_eq!(api["components"]["securitySchemes"]["certificate"]["type"], "mutualTLS");
        assert_eq!(api["info"]["version"], crate::service::VERSION);
    }
}
