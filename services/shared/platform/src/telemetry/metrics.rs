use opentelemetry::{KeyValue, metrics::Counter, metrics::Meter, metrics::MeterProvider as _};
use opentelemetry_sdk::{
    Resource,
    metrics::{Aggregation, Instrument, InstrumentKind, SdkMeterProvider, Stream},
};
use prometheus::{Registry, TextEncoder};

/// Bucket limits of every histogram with unit `s`: from a cached answer to an upload of hours.
pub const SECONDS: [f64; 20] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
    7_200.0, 14_400.0,
];

/// Bucket limits of every histogram with unit `By`: 4 KiB to 64 GiB.
pub const BYTES: [f64; 13] = [
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
    17_179_869_184.0,
    68_719_476_736.0,
];

/// The process's metrics: measured through the OpenTelemetry API, shown as Prometheus text.
#[derive(Debug, Clone)]
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
}

/// A counter whose `series` exist, at zero, before anything has happened: an alert on an increase from nothing would
/// otherwise miss the first event.
///
/// Give every combination of labels that can be foreseen; for a counter without labels that is `[[]]`.
pub fn counter(
    meter: &Meter,
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    series: impl IntoIterator<Item: AsRef<[KeyValue]>>,
) -> Counter<u64> {
    let counter = meter.u64_counter(name).with_unit(unit).with_description(description).build();
    for labels in series {
        counter.add(0, labels.as_ref());
    }
    counter
}

impl Metrics {
    /// Metrics that nobody else shares; the shell makes one set global.
    pub fn new(resource: Resource) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let exporter =
            opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false).build()?;
        let provider =
            SdkMeterProvider::builder().with_resource(resource).with_reader(exporter).with_view(buckets).build();
        Ok(Self { provider, registry })
    }

    /// A meter of this set.
    pub fn meter(&self) -> Meter {
        self.provider.meter(super::SCOPE)
    }

    /// Everything measured so far in Prometheus text format 0.0.4.
    pub fn render(&self) -> anyhow::Result<String> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    pub(super) fn make_global(&self) {
        opentelemetry::global::set_meter_provider(self.provider.clone());
    }
}

/// The SDK's default buckets end at 10,000 and mean milliseconds.
fn buckets(instrument: &Instrument) -> Option<Stream> {
    let boundaries = match (instrument.kind(), instrument.unit()) {
        (InstrumentKind::Histogram, "s") => SECONDS.to_vec(),
        (InstrumentKind::Histogram, "By") => BYTES.to_vec(),
        _ => return None,
    };
    let aggregation = Aggregation::ExplicitBucketHistogram { boundaries, record_min_max: false };
    Stream::builder().with_aggregation(aggregation).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_there_before_its_first_event() {
        let metrics = Metrics::new(Resource::builder().with_service_name("test").build()).expect("metrics");
        let labels = [KeyValue::new("outcome", "refused")];
        let counter = counter(&metrics.meter(), "custos.tls.handshakes", "{handshake}", "Handshakes.", [&labels]);
        let before = metrics.render().expect("text");
        assert!(before.contains("custos_tls_handshakes_total{outcome=\"refused\"} 0\n"), "{before}");
        counter.add(2, &labels);
        assert!(metrics.render().expect("text").contains("{outcome=\"refused\"} 2\n"));
    }

    #[test]
    fn histograms_of_seconds_reach_hours_and_carry_no_scope() {
        let metrics = Metrics::new(Resource::builder().with_service_name("test").build()).expect("metrics");
        metrics.meter().f64_histogram("custos.upload.duration").with_unit("s").build().record(5_000.0, &[]);
        let text = metrics.render().expect("text");
        assert!(text.contains("custos_upload_duration_seconds_bucket{le=\"7200\"} 1\n"), "{text}");
        assert!(text.contains("custos_upload_duration_seconds_bucket{le=\"3600\"} 0\n"), "{text}");
        assert!(text.contains("target_info{"), "{text}");
        assert!(!text.contains("otel_scope"), "{text}");
    }
}
