//! W3C trace context as text, for HTTP headers, NATS headers, outbox rows and documents in the store: one item, one trace.

use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator as _,
    trace::{SpanContext, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The `traceparent` (W3C Trace Context, version 00) of the current span; `None` outside any span.
pub fn current_traceparent() -> Option<String> {
    let span = current()?;
    let sampled = u8::from(span.is_sampled());
    Some(format!("00-{}-{}-{sampled:02x}", span.trace_id(), span.span_id()))
}

/// The trace id of the current span, 32 hex digits; for people to quote.
pub fn current_trace_id() -> Option<String> {
    current().map(|span| span.trace_id().to_string())
}

/// Makes `span` a child of the span that `traceparent` names: the hop of one item.
///
/// Call it before `span` is entered; afterwards its parent is fixed. Text that is no traceparent changes nothing, since
/// a caller's broken header must not stop work.
pub fn set_parent(span: &Span, traceparent: &str) {
    let Some(parent) = parse(traceparent) else {
        return;
    };
    if let Err(error) = span.set_parent(Context::new().with_remote_span_context(parent)) {
        tracing::debug!(%error, "span keeps its own parent");
    }
}

/// Links `span` to the span that `traceparent` names, for work on many items at once (sweeps, batches).
pub fn add_link(span: &Span, traceparent: &str) {
    if let Some(other) = parse(traceparent) {
        span.add_link(other);
    }
}

/// The OpenTelemetry context follows the entered tracing span (`with_context_activation`, on by default).
pub(super) fn current() -> Option<SpanContext> {
    let context = Context::current();
    let span = context.span();
    span.span_context().is_valid().then(|| span.span_context().clone())
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let span = context.span();
    span.span_context().is_valid().then(|| span.span_context().clone())
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn traced(test: impl FnOnce()) {
        let provider = SdkTracerProvider::builder().build();
        let subscriber = tracing_subscriber::registry().with(super::super::traces::layer(&provider));
        tracing::subscriber::with_default(subscriber, test);
    }

    #[test]
    fn a_trace_goes_on_across_a_hop() {
        traced(|| {
            let span = tracing::info_span!(target: "custos_test", "hop");
            set_parent(&span, PARENT);
            let inside = span.in_scope(current_traceparent).expect("traceparent");
            let parts: Vec<_> = inside.split('-').collect();
            assert_eq!(parts[1], "0af7651916cd43dd8448eb211c80319c");
            assert_ne!(parts[2], "b7ad6b7169203331", "a new span of the same trace");
            assert_eq!(parts[3], "01");
            assert_eq!(current_traceparent(), None, "outside the span there is no context");
        });
    }

    #[test]
    fn a_broken_header_begins_a_fresh_trace() {
        traced(|| {
            for text in ["", "00-zz-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
                let span = tracing::info_span!(target: "custos_test", "hop");
                set_parent(&span, text);
                let id = span.in_scope(current_trace_id).expect("trace id");
                assert_ne!(id, "0".repeat(32));
            }
        });
    }
}
