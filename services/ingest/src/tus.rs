//! What tus 1.0 asks of every request and answer, whatever the verb.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use custos_domain::outboard::MAX_LEN;
use http::{HeaderValue, Method, StatusCode};

use crate::{
    checksum::ALGORITHMS,
    error::IngestError,
    headers::{
        EXTENSIONS, METHOD_OVERRIDE, TUS_CHECKSUM_ALGORITHM, TUS_EXTENSION, TUS_MAX_SIZE, TUS_RESUMABLE, TUS_VERSION,
        VERSION,
    },
};

/// OPTIONS: what of tus is served.
pub(crate) async fn options() -> Response {
    let headers = [
        (TUS_RESUMABLE, VERSION.to_owned()),
        (TUS_VERSION, VERSION.to_owned()),
        (TUS_EXTENSION, EXTENSIONS.to_owned()),
        (TUS_MAX_SIZE, MAX_LEN.to_string()),
        (TUS_CHECKSUM_ALGORITHM, ALGORITHMS.to_owned()),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Every answer names the protocol's version; one to another version says which is spoken.
pub(crate) async fn speak(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    if refused {
        headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    }
    response
}

/// Lets a client that can send only some methods name another one: `X-HTTP-Method-Override` counts, not the method. Must stand
/// before the routes, which are chosen by the method.
pub(crate) fn with_method_override(routes: Router) -> Router {
    Router::new().fallback_service(routes).layer(from_fn(override_method))
}

async fn override_method(mut request: Request, next: Next) -> Response {
    let Some(wanted) = request.headers_mut().remove(&METHOD_OVERRIDE) else {
        return next.run(request).await;
    };
    match Method::from_bytes(wanted.as_bytes()) {
        Ok(method) => {
            *request.method_mut() = method;
            next.run(request).await
        }
        Err(_) => IngestError::Header("X-HTTP-Method-Override must be the name of a method".to_owned()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_named_method_counts() {
        let routes = Router::new().route("/x", get(async || "got").patch(async || "patched"));
        let call = async |method: &str, named: &str| {
            let request = Request::builder().method(method).uri("/x").header(METHOD_OVERRIDE, named);
            let answer =
                with_method_override(routes.clone()).oneshot(request.body(Body::empty()).expect("request")).await;
            let answer = answer.expect("infallible");
            let status = answer.status().as_u16();
            let body = axum::body::to_bytes(answer.into_body(), 100).await.unwrap_or_default();
            (status, String::from_utf8_lossy(&body).into_owned())
        };
        assert_eq!(call("POST", "PATCH").await, (200, "patched".to_owned()));
        assert_eq!(call("PATCH", "GET").await, (200, "got".to_owned()));
        assert_eq!(call("POST", "DELETE").await.0, 405);
        assert_eq!(call("POST", "P@TCH").await.0, 400);
    }
}
