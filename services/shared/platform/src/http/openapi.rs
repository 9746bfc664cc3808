//! The description of a service's API, served beside it.

use axum::{Json, Router, routing::get};
use utoipa::{
    PartialSchema as _,
    openapi::{
        Components, Content, OpenApi, PathItem, Ref, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
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
    api.paths.paths.values_mut().flat_map(operations).for_each(add_common_answers);
    api
}

/// What the platform answers before or instead of a handler, and no description has to repeat: who is asking is not known or not
/// let in, something we need is away.
fn add_common_answers(operation: &mut Operation) {
    let asks_for = |scheme: &str| {
        let requirement = SecurityRequirement::new(scheme, Vec::<String>::new());
        operation.security.iter().flatten().any(|asked| *asked == requirement)
    };
    let common = [
        ("401", "Sign-in needed", asks_for(TOKEN)),
        ("403", "Client certificate needed", asks_for(CERTIFICATE)),
        ("503", "Temporarily unavailable", asks_for(TOKEN) || asks_for(CERTIFICATE)),
    ];
    for (status, words, _) in common.into_iter().filter(|(.., applies)| *applies) {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let answer = ResponseBuilder::new().description(words).content("application/json", problem).build();
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| answer.into());
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, head, patch, .. } = path;
    [get, put, post, delete, head, patch].into_iter().flatten()
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
        for common in ["401", "503"] {
            let answer = &api["paths"]["/items"]["get"]["responses"][common]["content"]["application/json"];
            assert_eq!(answer["schema"]["$ref"], "#/components/schemas/Problem", "{common}");
        }
        assert!(api["paths"]["/items"]["get"]["responses"]["403"].is_null(), "that is for stations");
        let properties = &api["components"]["schemas"]["Problem"]["properties"];
        for field in ["type", "title", "status", "detail", "trace_id"] {
            assert!(properties[field].is_object(), "{properties}");
        }
        assert_eq!(api["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        assert_eq!(api["components"]["securitySchemes"]["certificate"]["type"], "mutualTLS");
        assert_eq!(api["info"]["version"], crate::service::VERSION);
    }
}
