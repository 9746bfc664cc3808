//! What retention tells its operators. No officer, device or item in any label.

use std::{sync::LazyLock, time::Duration};

use custos_domain::fact::IncidentClass;
use custos_platform::telemetry::meter;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};

static EXTENDED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_retention_locks_extended", "versions whose lock was extended and read back"));
static DRIFTED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "custos_retention_drift",
        "items whose lock in the store was not what it had been, or that were gone; each pages",
    )
});
static FAILED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_retention_looks_failed", "looks at an item that could not be finished"));
static OVERDUE: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("custos_retention_overdue")
        .with_unit("s")
        .with_description("for how long the most overdue item waits to have its locks read again; 0 when none does")
        .build()
});

/// Makes every series exist before its first event, so that an alert on it can be trusted.
pub(crate) fn begin() {
    EXTENDED.add(0, &[]);
    FAILED.add(0, &[]);
    OVERDUE.record(0.0, &[]);
    for class in [IncidentClass::LockDrift, IncidentClass::StoreFault] {
        DRIFTED.add(0, &[KeyValue::new("class", class.as_str())]);
    }
}

/// A version's lock was extended.
pub(crate) fn extended() {
    EXTENDED.add(1, &[]);
}

/// The store did not keep an item as it must.
pub(crate) fn drifted(class: IncidentClass) {
    DRIFTED.add(1, &[KeyValue::new("class", class.as_str())]);
}

/// A look failed.
pub(crate) fn look_failed() {
    FAILED.add(1, &[]);
}

/// How far the auditor is behind.
pub(crate) fn overdue(by: Duration) {
    OVERDUE.record(by.as_secs_f64(), &[]);
}

fn counter(name: &'static str, what: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_description(what).build()
}
