use std::fmt;

use opentelemetry::trace::SpanContext;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer,
    fmt::{
        FmtContext, FormatEvent, FormatFields, Layer as FmtLayer,
        format::{Format, Json, JsonFields, Writer},
    },
    registry::LookupSpan,
};

use super::propagation::current;
use crate::config::LogFormat;

/// Log lines on standard error: standard output belongs to commands whose result somebody pipes.
pub(super) fn layer<S>(service: &'static str, format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = FmtLayer::default().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.fmt_fields(JsonFields::new()).event_format(Lines::new(service)).boxed(),
    }
}

/// Sends panics through the log, where someone looks, instead of as loose text on standard error.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, why = panic.payload_as_str().unwrap_or("no message"), "panicked: this is a bug");
    }));
}

/// JSON lines of tracing-subscriber, with the service and the ids of the current trace in front.
struct Lines {
    service: &'static str,
    json: Format<Json>,
}

impl Lines {
    fn new(service: &'static str) -> Self {
        let json = Format::default().json().flatten_event(true).with_current_span(true).with_span_list(false);
        Self { service, json }
    }
}

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    JsonFields: for<'writer> FormatFields<'writer>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::with_capacity(512);
        self.json.format_event(context, Writer::new(&mut line), event)?;
        write!(writer, r#"{{"service":"{}","#, self.service)?;
        if let Some(span) = current() {
            write_ids(&mut writer, &span)?;
        }
        // The line is an object with at least a timestamp, so what follows its brace joins after our comma.
        writer.write_str(line.strip_prefix('{').unwrap_or(&line))
    }
}

fn write_ids(writer: &mut Writer<'_>, span: &SpanContext) -> fmt::Result {
    write!(writer, r#""trace_id":"{}","span_id":"{}","#, span.trace_id(), span.span_id())
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("sink").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_names_service_trace_and_fields() {
        let sink = Sink::default();
        let (writer, provider) = (sink.clone(), SdkTracerProvider::builder().build());
        let fmt = FmtLayer::default()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(Lines::new("ingest"));
        let subscriber = tracing_subscriber::registry().with(super::super::traces::layer(&provider)).with(fmt);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!(target: "custos_test", "upload", item = "E01");
            span.in_scope(|| tracing::info!(bytes = 7, "stored"));
        });
        let line = String::from_utf8(sink.0.lock().expect("sink").clone()).expect("utf-8");
        let line: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
        assert_eq!(line["service"], "ingest");
        assert_eq!(line["message"], "stored");
        assert_eq!(line["bytes"], 7);
        assert_eq!(line["span"]["item"], "E01");
        assert_eq!(line["trace_id"].as_str().map(str::len), Some(32));
        assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
    }
}
