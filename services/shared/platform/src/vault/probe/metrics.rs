//! What a probe found, as gauges: an alert needs no log.

use std::sync::LazyLock;

use opentelemetry::{KeyValue, metrics::Gauge};

use super::Report;
use crate::telemetry::meter;

static CHECK: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter()
        .u64_gauge("custos_store_capability")
        .with_description("1 when the store did what the check asks, 0 when it did not or could not be tried, by check")
        .build()
});
static PROBED: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("custos_store_probed")
        .with_unit("s")
        .with_description("when the store was last probed, in seconds since 1970")
        .build()
});

/// Shows a report.
pub(super) fn record(report: &Report) {
    for finding in &report.findings {
        let weight = if finding.mandatory { "mandatory" } else { "advisory" };
        let labels = [KeyValue::new("check", finding.id.clone()), KeyValue::new("weight", weight)];
        CHECK.record(finding.outcome.is_kept().into(), &labels);
    }
    PROBED.record(report.at.as_duration().as_secs_f64(), &[]);
}
