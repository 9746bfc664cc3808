use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Level, Subscriber};
use tracing_subscriber::{Layer, filter::FilterFn, registry::LookupSpan};

use super::SCOPE;
use crate::config::CommonArgs;

/// Longest wait for the collector when the process ends.
pub(super) const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// The provider of spans. Without a collector spans still get ids, so that logs correlate and contexts propagate.
pub(super) fn provider(args: &CommonArgs, resource: Resource) -> anyhow::Result<SdkTracerProvider> {
    let fresh = Sampler::TraceIdRatioBased(args.trace_ratio);
    let builder =
        SdkTracerProvider::builder().with_resource(resource).with_sampler(Sampler::ParentBased(Box::new(fresh)));
    let Some(endpoint) = &args.otlp_endpoint else {
        return Ok(builder.build());
    };
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    Ok(builder.with_batch_exporter(exporter).build())
}

/// Turns spans of this project into OpenTelemetry spans.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SCOPE))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        // Libraries' spans too would drown the story of an item; the exporter's own would even feed themselves.
        .with_filter(FilterFn::new(|of| of.target().starts_with(SCOPE) && *of.level() <= Level::INFO))
}
