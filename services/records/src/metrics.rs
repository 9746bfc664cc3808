//! What records tells its operators. No officer, device or item in any label.

use std::{sync::LazyLock, time::Duration};

use custos_platform::telemetry::meter;
use jiff::Timestamp;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};

use crate::fold::Step;

static UNDELIVERED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("custos_records_undelivered_facts", "facts found in the store that no announcement had led to in time")
});
static REPEATED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("custos_records_repeated_announcements", "facts announced again since nothing had followed, by act")
});
static DISTURBED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "custos_records_disturbed_keys",
        "create-only keys with a second version or a delete marker, each once; each pages somebody",
    )
});
static UNUSABLE: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    gauge("custos_records_unusable_facts", "objects of the custody log that cannot be read, at the last full walk")
});
static ORPHANS: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    gauge("custos_records_manifests_without_item", "manifests whose deposit was never stated, at the last full walk")
});
static WAITING: LazyLock<Gauge<u64>> =
    LazyLock::new(|| gauge("custos_records_pending_items", "items that wait for a step, by step"));
static OLDEST: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("custos_records_pending_oldest")
        .with_unit("s")
        .with_description("how long the longest-waiting item waits for a step, by step; 0 when none does")
        .build()
});
static WALKED: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("custos_records_walk_duration")
        .with_unit("s")
        .with_description("how long the last complete walk took with its rests, by walk")
        .build()
});

static DIFFERENCES: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    gauge(
        "custos.reconcile.catalogue_differences",
        "what the catalogue lacked of the store, in the last full round, by walk",
    )
});
static ROUND_END: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    gauge("custos.reconcile.round_end", "when a full round last came to its end, in seconds since 1970, by walk")
});

/// Makes every series exist before its first event, so that an alert on it can be trusted.
pub(crate) fn begin() {
    for counter in [&*UNDELIVERED, &*DISTURBED] {
        counter.add(0, &[]);
    }
    for gauge in [&*UNUSABLE, &*ORPHANS] {
        gauge.record(0, &[]);
    }
    for walk in ["full", "manifests"] {
        differences(walk, 0);
    }
    for act in ["deposited", "sealed", "lock_extended", "hold_confirmed"] {
        REPEATED.add(0, &[KeyValue::new("act", act)]);
    }
    for step in Step::ALL {
        pending(step.as_str(), 0, Duration::ZERO);
    }
}

/// Facts were found that should have been announced long ago.
pub(crate) fn undelivered(facts: usize) {
    UNDELIVERED.add(facts as u64, &[]);
}

/// A fact was announced again.
pub(crate) fn repeated(act: &'static str) {
    REPEATED.add(1, &[KeyValue::new("act", act)]);
}

/// A create-only key that something was put over was met for the first time.
pub(crate) fn disturbed() {
    DISTURBED.add(1, &[]);
}

/// Objects of the custody log that are of no use.
pub(crate) fn unusable(objects: usize) {
    UNUSABLE.record(objects as u64, &[]);
}

/// Manifests without an item.
pub(crate) fn orphans(manifests: usize) {
    ORPHANS.record(manifests as u64, &[]);
}

/// How one step stands.
pub(crate) fn pending(step: &'static str, items: u64, oldest: Duration) {
    let step = [KeyValue::new("step", step)];
    WAITING.record(items, &step);
    OLDEST.record(oldest.as_secs_f64(), &step);
}

/// A walk came to its end.
pub(crate) fn walked(walk: &'static str, took: Duration, at: Timestamp) {
    let walk = [KeyValue::new("walk", walk)];
    WALKED.record(took.as_secs_f64(), &walk);
    ROUND_END.record(u64::try_from(at.as_second()).unwrap_or_default(), &walk);
}

/// What the catalogue lacked of what a full round met.
pub(crate) fn differences(walk: &'static str, found: usize) {
    DIFFERENCES.record(found as u64, &[KeyValue::new("walk", walk)]);
}

fn counter(name: &'static str, what: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_description(what).build()
}

fn gauge(name: &'static str, what: &'static str) -> Gauge<u64> {
    meter().u64_gauge(name).with_description(what).build()
}
