//! How the store does, call by call: rate, errors and latency by operation.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, metrics::Histogram};

use crate::telemetry::{SECONDS, meter};

static CALLS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    meter()
        .f64_histogram("custos_store_call_duration")
        .with_description("time of a call to the store, by operation and outcome")
        .with_unit("s")
        .with_boundaries(SECONDS.to_vec())
        .build()
});

/// Counts one call.
pub(super) fn observe(operation: &'static str, outcome: &'static str, took: Duration) {
    CALLS.record(took.as_secs_f64(), &[KeyValue::new("operation", operation), KeyValue::new("outcome", outcome)]);
}
