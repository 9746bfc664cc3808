//! The admin port: liveness, readiness and metrics over plain HTTP, for the cluster only.

mod checks;
mod health;

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

pub use health::{CheckReport, Health, Latch, Report};

use crate::{config::ConfigError, telemetry::Metrics};

/// Opens the admin port and serves it until the process ends: it answers during a drain, too, so that the drain can be
/// watched. Returns the address it listens on.
pub async fn open(listen: SocketAddr, health: Health, metrics: Metrics) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| ConfigError::new("--admin-listen", format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr().context("ask for the admin port's address")?;
    let routes = routes(health, metrics);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "admin port closed");
        }
    });
    tracing::info!(%address, "admin port open");
    Ok(address)
}

fn routes(health: Health, metrics: Metrics) -> Router {
    Router::new()
        // Says only that the process runs its event loop: restarting us does not repair a store that is down.
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(health)
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn ready(State(health): State<Health>) -> Response {
    let report = health.report().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "metrics cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::Resource;

    use super::*;
    use crate::lifecycle::Lifecycle;

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{address}{path}")).await.expect("answer");
        (answer.status().as_u16(), answer.text().await.expect("body"))
    }

    #[tokio::test]
    async fn readiness_follows_latches_while_liveness_does_not() {
        let lifecycle = Lifecycle::new();
        let health = Health::new(lifecycle.clone());
        let metrics = Metrics::new(Resource::builder().build()).expect("metrics");
        metrics.meter().u64_counter("custos.items").build().add(3, &[]);
        let address = open(([127, 0, 0, 1], 0).into(), health.clone(), metrics).await.expect("open");

        let latch = health.latch("catalogue");
        let (status, body) = get(address, "/readyz").await;
        assert_eq!(status, 503);
        assert!(body.contains(r#"{"name":"catalogue","ok":false,"why":"not started yet"}"#), "{body}");
        assert_eq!(get(address, "/livez").await.0, 200);

        latch.release();
        assert_eq!(
            get(address, "/readyz").await,
            (200, r#"{"ready":true,"checks":[{"name":"catalogue","ok":true}]}"#.to_owned())
        );
        assert!(get(address, "/metrics").await.1.contains("custos_items_total 3\n"));

        lifecycle.soft().cancel();
        let (status, body) = get(address, "/readyz").await;
        assert_eq!(status, 503);
        assert!(body.contains("draining"), "{body}");
        assert_eq!(get(address, "/livez").await.0, 200);
    }
}
