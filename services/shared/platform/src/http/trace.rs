//! A span and measurements for every request, after OpenTelemetry's HTTP conventions (stable part).

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode, header::HeaderName},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use futures::FutureExt as _;
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter, UpDownCounter},
};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field::Empty};

use super::{Problem, identity::PeerCertificate};
use crate::telemetry::set_parent;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is measured about requests. The histogram's count is the number of requests.
#[derive(Debug, Clone)]
pub struct Instruments {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

impl Instruments {
    /// Creates the instruments; one set for a server.
    pub fn new(meter: &Meter) -> Self {
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("Time from a request's head to its answer's head, by route and class of status.")
            .build();
        let active = meter
            .i64_up_down_counter("http.server.active_requests")
            .with_unit("{request}")
            .with_description("Requests being answered.")
            .build();
        active.add(0, &[]);
        Self { duration, active }
    }
}

/// Counts a request as active for as long as it lives, also when its connection is dropped.
struct Active(UpDownCounter<i64>);

impl Active {
    fn begin(counter: &UpDownCounter<i64>) -> Self {
        counter.add(1, &[]);
        Self(counter.clone())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}

/// Middleware: runs the request in its span, which continues the caller's trace, and measures it. A panic in a handler
/// becomes a 500 and is measured as one.
pub async fn observe(State(instruments): State<Instruments>, request: Request, next: Next) -> Response {
    let (begin, _active) = (Instant::now(), Active::begin(&instruments.active));
    // The template, never the path: paths hold ids, and a label per id would drown the metrics (convention http.route).
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = method_label(request.method());
    let span = span_of(&request, method, &route);

    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let response = match answer {
        Ok(response) => response,
        // The panic hook has logged it.
        Err(_panic) => span.in_scope(|| Problem::internal_logged().into_response()),
    };
    let status = response.status();
    instruments.duration.record(begin.elapsed().as_secs_f64(), &labels(method, route, status));
    span.in_scope(|| finish(&span, status));
    response
}

fn span_of(request: &Request, method: &'static str, route: &str) -> Span {
    let span = tracing::info_span!(
        "http.server",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        custos.station = Empty,
        custos.person = Empty,
    );
    if let Some(parent) = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()) {
        set_parent(&span, parent);
    }
    if let Some(peer) = request.extensions().get::<Arc<PeerCertificate>>()
        && let Ok(station) = peer.station()
    {
        span.record("custos.station", station.station.as_str());
    }
    span
}

fn finish(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        tracing::warn!(status = status.as_u16(), "request answered");
    } else {
        tracing::debug!(status = status.as_u16(), "request answered");
    }
}

fn labels(method: &'static str, route: String, status: StatusCode) -> [KeyValue; 3] {
    let class = match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    [
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route),
        KeyValue::new("http.response.status_class", class),
    ]
}

/// A caller may invent methods; labels may not grow with them (convention: `_OTHER`).
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}
