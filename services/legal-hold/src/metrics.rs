//! What legal-hold tells its operators. No officer, device or item in any label.

use std::sync::LazyLock;

use custos_domain::{fact::IncidentClass, hold::Permanence};
use custos_platform::telemetry::meter;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};

use crate::hold::Origin;

static PLACED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_legal_hold_placed", "holds placed, by origin and permanence"));
static DECIDED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_legal_hold_decided", "decisions on holds, by the stage they led to"));
static SWITCHED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("custos_legal_hold_switched", "versions whose hold in the store was switched and read back")
});
static DRIFTED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "custos_legal_hold_drift",
        "items whose hold in the store was off when it had been on, or that were gone; each pages",
    )
});
static FAILED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_legal_hold_looks_failed", "looks at a held item that could not be finished"));
static REMINDED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "custos_legal_hold_reminders",
        "confirmed permanent holds announced again because the lock is not at the horizon",
    )
});
static WAITING: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter()
        .u64_gauge("custos_legal_hold_waiting")
        .with_description("items whose hold in the store waits to be looked at, by whether the look is a routine one")
        .build()
});
static OVERDUE: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("custos_legal_hold_overdue")
        .with_unit("s")
        .with_description("for how long the longest waiting of them waits, by whether the look is a routine one")
        .build()
});

/// Makes every series exist before its first event, so that an alert on it can be trusted.
pub(crate) fn begin() {
    FAILED.add(0, &[]);
    REMINDED.add(0, &[]);
    for class in [IncidentClass::LockDrift, IncidentClass::StoreFault] {
        DRIFTED.add(0, &[KeyValue::new("class", class.as_str())]);
    }
    for on in [true, false] {
        SWITCHED.add(0, &[KeyValue::new("on", on)]);
    }
    for routine in [false, true] {
        waiting(routine, 0, 0.0);
    }
}

/// A hold was placed.
pub(crate) fn placed(origin: Origin, permanence: Permanence) {
    let permanence = match permanence {
        Permanence::Open => "open",
        Permanence::Permanent => "permanent",
    };
    PLACED.add(1, &[KeyValue::new("origin", origin.as_str()), KeyValue::new("permanence", permanence)]);
}

/// A person decided on a hold.
pub(crate) fn decided(stage: &'static str) {
    DECIDED.add(1, &[KeyValue::new("stage", stage)]);
}

/// A version was switched.
pub(crate) fn switched(on: bool) {
    SWITCHED.add(1, &[KeyValue::new("on", on)]);
}

/// The store did not keep an item as it must.
pub(crate) fn drifted(class: IncidentClass) {
    DRIFTED.add(1, &[KeyValue::new("class", class.as_str())]);
}

/// A look failed.
pub(crate) fn look_failed() {
    FAILED.add(1, &[]);
}

/// A permanent hold was announced again.
pub(crate) fn reminded() {
    REMINDED.add(1, &[]);
}

/// How much there is to do.
pub(crate) fn waiting(routine: bool, items: u64, seconds: f64) {
    let kind = [KeyValue::new("routine", routine)];
    WAITING.record(items, &kind);
    OVERDUE.record(seconds.max(0.0), &kind);
}

fn counter(name: &'static str, what: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_description(what).build()
}
