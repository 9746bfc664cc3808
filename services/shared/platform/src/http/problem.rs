//! Problem details (RFC 9457): the one shape of every error this system answers with.

use std::time::Duration;

use axum::{
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::telemetry::current_trace_id;

/// When to ask again for what is away now.
const SOON: Duration = Duration::from_secs(5);

/// An error as an HTTP answer. `detail` speaks to the caller and says what to do.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    fields: Map<String, Value>,
    headers: HeaderMap,
}

/// The body of every error (RFC 9457), `application/problem+json`. Some problems carry further fields.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// What kind of problem this is: `urn:custos:problem:<name>`
    #[serde(rename = "type")]
    #[schema(example = "urn:custos:problem:not-found")]
    kind: String,
    /// The kind in words, the same for every occurrence
    title: &'static str,
    /// HTTP status code
    status: u16,
    /// What went wrong this time, and what to do about it
    detail: String,
    /// Quote this when asking for help: it leads to the traces and logs of the request
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    fields: Map<String, Value>,
}

impl Problem {
    /// A problem of the kind `urn:custos:problem:<kind>`; `kind` is kebab-case and, like `title`, the same every time.
    pub fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let (detail, fields, headers) = (detail.into(), Map::new(), HeaderMap::new());
        Self(Box::new(Parts { status, kind, title, detail, fields, headers }))
    }

    /// Adds a field to the body. The fields every problem has cannot be replaced.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        if !["type", "title", "status", "detail", "trace_id"].contains(&field) {
            self.0.fields.insert(field.to_owned(), value.into());
        }
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Tells the caller when to come back: whole seconds, rounded up.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request", detail)
    }

    /// 400: the parameter `name` of the path, the query or the headers cannot be read. One that can be read, but whose value is
    /// not accepted, is [`Problem::unprocessable`].
    pub fn unreadable(name: &str, why: &dyn std::fmt::Display) -> Self {
        Self::bad_request(format!("{name}: {why}"))
    }

    /// 401: who is asking is not known. `challenge` is the `WWW-Authenticate` header (RFC 9110 11.6.1).
    pub fn unauthenticated(challenge: HeaderValue, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Sign-in needed", detail)
            .header(WWW_AUTHENTICATE, challenge)
    }

    /// 403: who is asking may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not permitted", detail)
    }

    /// 404: there is no such thing, or the caller may not know of it.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 405: the address exists, but not for this method.
    pub fn method_not_allowed(method: &Method) -> Self {
        let detail = format!("this address does not take {method}; see /openapi.json");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    /// 409: the request contradicts the present state.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Conflict", detail)
    }

    /// 413: more bytes than are taken here.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
    }

    /// 422: understood, but the values cannot be right.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "Unprocessable", detail)
    }

    /// 503: cannot now, may well later.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable", detail)
            .retry_after(retry_after)
    }

    /// 503: `what` we need (such as `the store`) is away. Logs `error`; the caller learns nothing of its addresses.
    pub fn away(what: &str, error: &dyn std::fmt::Display) -> Self {
        tracing::warn!(%error, "request failed");
        Self::unavailable(format!("{what} is not available; send the same request again in a few seconds"), SOON)
    }

    /// 500: our fault. Logs `error` with its causes; the caller learns nothing but how to ask for help.
    pub fn internal(error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "request failed");
        Self::internal_logged()
    }

    /// 500 for an error that is in the log already.
    pub(super) fn internal_logged() -> Self {
        let detail = "something went wrong on our side; try again, and quote the trace id if it stays";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The last part of its type, such as `not-found`.
    pub fn kind(&self) -> &'static str {
        self.0.kind
    }

    /// What it tells the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { status, kind, title, detail, fields, headers } = *self.0;
        let document = Document {
            kind: format!("urn:custos:problem:{kind}"),
            title,
            status: status.as_u16(),
            detail,
            trace_id: current_trace_id(),
            fields,
        };
        let mut response = (status, headers, axum::Json(document)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_carries_its_fields_and_headers_and_keeps_its_shape() {
        let problem = Problem::unavailable("the store is busy; upload again later", Duration::from_millis(1500))
            .with("offset", 42)
            .with("status", "forged");
        let response = problem.into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.expect("body");
        let expected = serde_json::json!({
            "type": "urn:custos:problem:unavailable",
            "title": "Temporarily unavailable",
            "status": 503,
            "detail": "the store is busy; upload again later",
            "offset": 42,
        });
        assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), expected);
    }
}
