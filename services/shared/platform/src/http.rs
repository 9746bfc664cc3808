//! HTTPS for people and docks: TLS with reloading files, identities, problems instead of bare statuses, traces.
//!
//! 1. [`server`]: the port itself; [`tls`]: its files, read again while it runs.
//! 2. [`identity`]: who a client certificate speaks for; [`auth`]: who a token speaks for.
//! 3. [`problem`] and [`extract`]: every error is `application/problem+json` (RFC 9457).
//! 4. [`trace`]: a span and measurements for every request; [`openapi`]: the description of an API.

pub mod auth;
pub mod extract;
pub mod identity;
pub mod openapi;
pub mod problem;
pub mod server;
#[cfg(test)]
mod test_pki;
pub mod tls;
pub mod trace;

use axum::{Router, http::Method, middleware::from_fn_with_state};
use opentelemetry::metrics::Meter;

pub use problem::Problem;

/// Dresses a service's routes: every request gets a span and is measured, and what matches no route or method is
/// answered with a problem. Call it last, with all routes in place.
pub fn dress(routes: Router, meter: &Meter) -> Router {
    routes
        .fallback(async || Problem::not_found("there is nothing at this address; see /openapi.json"))
        .method_not_allowed_fallback(async |method: Method| Problem::method_not_allowed(&method))
        .layer(from_fn_with_state(trace::Instruments::new(meter), trace::observe))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::{Request, StatusCode, header},
        routing::{get, post},
    };
    use tower::ServiceExt as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::{
        extract::{Json, Path, Query},
        *,
    };
    use crate::telemetry::Metrics;

    #[derive(serde::Deserialize)]
    struct Asked {
        limit: u8,
    }

    async fn call(router: Router, request: Request<Body>) -> (StatusCode, String, serde_json::Value) {
        let response = router.oneshot(request).await.expect("infallible");
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().expect("text").to_owned());
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("body");
        (status, kind.unwrap_or_default(), serde_json::from_slice(&body).expect("JSON"))
    }

    fn router(metrics: &Metrics) -> Router {
        let routes = Router::new()
            .route("/items/{code}", get(async || "item"))
            .route(
                "/pages/{number}",
                get(async |Path(_): Path<u32>, Query(asked): Query<Asked>| asked.limit.to_string()),
            )
            .route("/items", post(async |Json(_): Json<Vec<u8>>| "made"))
            .route("/bug", get(async || -> &'static str { panic!("bug") }));
        dress(routes, &metrics.meter())
    }

    #[tokio::test]
    async fn whatever_goes_wrong_is_a_problem() {
        let metrics = Metrics::new(opentelemetry_sdk::Resource::builder().build()).expect("metrics");
        let request = |method: &str, path: &str| Request::builder().method(method).uri(path);
        let json = |text: &'static str| {
            request("POST", "/items").header(header::CONTENT_TYPE, "application/json").body(Body::from(text))
        };
        let cases = [
            (request("GET", "/nothing").body(Body::empty()), 404, "not-found"),
            (request("DELETE", "/items/1").body(Body::empty()), 405, "method-not-allowed"),
            (request("POST", "/items").body(Body::from("[]")), 415, "unsupported-media-type"),
            (request("GET", "/pages/first?limit=1").body(Body::empty()), 400, "bad-request"),
            (request("GET", "/pages/1?limit=some").body(Body::empty()), 400, "bad-request"),
            (request("GET", "/pages/1").body(Body::empty()), 400, "bad-request"),
            (json("[1,"), 400, "bad-request"),
            (json("{}"), 422, "unprocessable"),
            (request("GET", "/bug").body(Body::empty()), 500, "internal"),
        ];
        for (request, status, kind) in cases {
            let (got, content_type, body) = call(router(&metrics), request.expect("request")).await;
            assert_eq!((got.as_u16(), content_type.as_str()), (status, "application/problem+json"), "{body}");
            assert_eq!(body["type"], format!("urn:custos:problem:{kind}"));
            assert_eq!(body["status"], status);
            assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        }
    }

    #[tokio::test]
    async fn a_request_continues_its_callers_trace_and_problems_quote_it() {
        let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
        let subscriber = tracing_subscriber::registry().with(crate::telemetry::trace_layer(&provider));
        let _guard = tracing::subscriber::set_default(subscriber);
        let metrics = Metrics::new(opentelemetry_sdk::Resource::builder().build()).expect("metrics");
        let request = Request::builder()
            .uri("/nothing")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let request = request.body(Body::empty()).expect("request");
        let (_, _, body) = call(router(&metrics), request).await;
        assert_eq!(body["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    }

    #[tokio::test]
    async fn requests_are_measured_by_route_not_by_path() {
        let metrics = Metrics::new(opentelemetry_sdk::Resource::builder().build()).expect("metrics");
        for path in ["/items/1", "/items/2", "/secret-path"] {
            let request = Request::builder().uri(path).body(Body::empty()).expect("request");
            router(&metrics).oneshot(request).await.expect("infallible");
        }
        let text = metrics.render().expect("text");
        let series = |labels: &str| format!("http_server_request_duration_seconds_count{{{labels}}}");
        let found = series(r#"http_request_method="GET",http_response_status_class="2xx",http_route="/items/{code}""#);
        assert!(text.contains(&format!("{found} 2\n")), "{text}");
        let lost = series(r#"http_request_method="GET",http_response_status_class="4xx",http_route="unmatched""#);
        assert!(text.contains(&format!("{lost} 1\n")), "{text}");
        assert!(!text.contains("secret-path"), "{text}");
    }
}
