//! Logs, traces and metrics of one process, started once by the shell and flushed on every way out.
//!
//! A trace is not the audit log: it is sampled and short-lived. Custody facts are stored whatever happens here.

mod logs;
mod metrics;
mod propagation;
mod traces;

use opentelemetry::{KeyValue, metrics::Meter};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

pub use metrics::{BYTES, Metrics, SECONDS, counter};
#[cfg(test)]
pub(crate) use traces::layer as trace_layer;

pub use propagation::{add_link, current_trace_id, current_traceparent, set_parent};

use crate::config::{CommonArgs, ConfigError};

/// Instrumentation scope of everything Custos measures.
const SCOPE: &str = "custos";

/// The process's meter: every instrument comes from here. Before the shell has started it measures nothing.
pub fn meter() -> Meter {
    opentelemetry::global::meter(SCOPE)
}

/// The running telemetry of this process.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Metrics,
    traces: SdkTracerProvider,
}

impl Telemetry {
    /// Starts logging, tracing and measuring under the name `service`. Needs a running tokio runtime.
    ///
    /// Fails when the log filter cannot be parsed, or when telemetry was started before in this process.
    pub fn start(service: &'static str, args: &CommonArgs) -> anyhow::Result<Self> {
        // The SDK tells at length that it has started; whoever wants that names it in the filter.
        let filter = EnvFilter::try_new(format!("opentelemetry=warn,{}", args.log_filter))
            .map_err(|error| ConfigError::new("--log", format!("{error}; try `info` or `info,custos_ingest=debug`")))?;
        let resource = resource(service);
        let traces = traces::provider(args, resource.clone())?;
        let metrics = Metrics::new(resource)?;

        tracing_subscriber::registry()
            .with(traces::layer(&traces))
            .with(logs::layer(service, args.log_format).with_filter(filter))
            .try_init()?;
        opentelemetry::global::set_tracer_provider(traces.clone());
        metrics.make_global();
        logs::log_panics();
        Ok(Self { metrics, traces })
    }

    /// What the admin port shows at `/metrics`.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Sends what is still buffered; gives up after a few seconds, since nobody waits longer for a trace.
    pub async fn shutdown(self) {
        let traces = self.traces;
        // The exporter blocks its thread until the collector has answered.
        let flushed = tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(traces::FLUSH_LIMIT)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "traces were not flushed");
        }
    }
}

fn resource(service: &'static str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.namespace", SCOPE))
        .with_attribute(KeyValue::new("service.version", crate::service::VERSION))
        .build()
}
