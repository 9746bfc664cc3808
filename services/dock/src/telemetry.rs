//! Logs, and one trace for each item: it begins here and goes on through ingest and everything after.

use std::{
    collections::HashMap,
    future::Future,
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::MultiProgress;
use opentelemetry::{
    propagation::TextMapPropagator,
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// Longest wait for the last spans to leave.
const FLUSH: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The item's trace where no tracing layer is installed, as when the dock is used as a library.
    static OWN_TRACE: String;
}

/// What is recorded and where it goes.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Filter in the form of `RUST_LOG`, such as `info` or `custos_dock=debug`.
    pub filter: String,
    /// OTLP/gRPC endpoint for traces; without one traces are begun all the same, and only not sent from here.
    pub otlp: Option<String>,
}

/// Keeps tracing alive; end it with [`Telemetry::finish`].
#[derive(Debug)]
pub struct Telemetry(SdkTracerProvider);

impl Telemetry {
    /// Installs logging and tracing for the process. Log lines go to standard error, above the progress `bars`.
    pub fn start(recording: &Recording, bars: Option<MultiProgress>) -> anyhow::Result<Self> {
        let filter = EnvFilter::try_new(&recording.filter)?;
        let resource = Resource::builder().with_service_name("custos-dock").build();
        let mut provider = SdkTracerProvider::builder().with_resource(resource);
        if let Some(endpoint) = &recording.otlp {
            provider =
                provider.with_batch_exporter(SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?);
        }
        let provider = provider.build();
        let lines = tracing_subscriber::fmt::layer().with_writer(AboveBars(bars)).with_target(false);
        let lines = lines.with_ansi(io::stderr().is_terminal()).with_filter(filter);
        // Spans are recorded at every level of logging: the filter is for people, not for the trace.
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("custos-dock"));
        let spans = spans.with_filter(EnvFilter::new("off,custos_dock=info"));
        tracing_subscriber::registry().with(spans).with(lines).try_init()?;
        Ok(Self(provider))
    }

    /// Sends what is still here.
    pub fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Runs work on one item inside its trace: a new one, or the one `before` is the `traceparent` of.
pub async fn item_trace<T>(span: Span, before: Option<&str>, work: impl Future<Output = T>) -> T {
    if let Some(before) = before {
        let carrier = HashMap::from([("traceparent".to_owned(), before.to_owned())]);
        // Fails only where no tracing layer is installed; then there is no span to give a parent to.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
    }
    let new = || format!("00-{:032x}-{:016x}-01", rand::random::<u128>().max(1), rand::random::<u64>().max(1));
    OWN_TRACE.scope(before.map_or_else(new, str::to_owned), work.instrument(span)).await
}

/// The W3C `traceparent` of where the caller is.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    if span.is_valid() {
        let (trace, parent, flags) = (span.trace_id(), span.span_id(), span.trace_flags().to_u8());
        return Some(format!("00-{trace}-{parent}-{flags:02x}"));
    }
    OWN_TRACE.try_with(Clone::clone).ok()
}

/// Standard error, with the progress bars taken away while a line is written.
#[derive(Clone)]
struct AboveBars(Option<MultiProgress>);

impl io::Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Some(bars) => bars.suspend(|| io::stderr().write(line)),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_item_has_one_trace_also_without_a_tracing_layer() {
        assert_eq!(traceparent(), None);
        let (first, second) = item_trace(Span::none(), None, async { (traceparent(), traceparent()) }).await;
        assert_eq!(first, second);
        let first = first.expect("traceparent");
        assert!(first.len() == 55 && first.starts_with("00-") && first.ends_with("-01"), "{first}");
        assert_ne!(item_trace(Span::none(), None, async { traceparent() }).await, Some(first.clone()));
        assert_eq!(item_trace(Span::none(), Some(&first), async { traceparent() }).await, Some(first));
    }

    #[tokio::test]
    async fn requests_of_an_item_carry_its_span() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _guard = tracing_subscriber::registry().with(layer).set_default();
        let trace = |parent: Option<String>| parent.map(|parent| parent[3..35].to_owned());
        let outer = tracing::info_span!("dock.item.deposit");
        let (outside, inside) = item_trace(outer, None, async {
            let inner = async { traceparent() }.instrument(tracing::info_span!("dock.item.read")).await;
            (traceparent(), inner)
        })
        .await;
        assert!(outside.is_some());
        assert_eq!(trace(outside.clone()), trace(inside));
        let erasing =
            item_trace(tracing::info_span!("dock.item.erase"), outside.as_deref(), async { traceparent() }).await;
        assert_eq!(trace(erasing), trace(outside), "erasing belongs to the trace of the deposit");
    }
}
