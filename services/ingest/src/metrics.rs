//! What ingest tells its operators. No officer, device or item in any label.

use std::{sync::LazyLock, time::Duration};

use custos_domain::item::ItemKind;
use custos_platform::telemetry::{BYTES, SECONDS, meter};
use jiff::SignedDuration;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};

static DEPOSITS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_deposits", "items stored, locked and described"));
static REFUSED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_refused", "requests not carried out, by problem"));
static LOST: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_lost_sessions", "uploads the store lost or a station gave up"));
static REJECTED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_rejected", "objects that were not what was sent when read back"));
static LOCK_DROPPED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_lock_dropped", "originals the store created without the lock asked for"));

static BYTES_STORED: LazyLock<Histogram<u64>> = LazyLock::new(|| {
    meter()
        .u64_histogram("custos_ingest_item_size")
        .with_description("size of deposited items")
        .with_unit("By")
        .with_boundaries(BYTES.to_vec())
        .build()
});

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    meter()
        .f64_histogram("custos_ingest_deposit_duration")
        .with_description("from declaration to receipt")
        .with_unit("s")
        .with_boundaries(SECONDS.to_vec())
        .build()
});

static REGISTER_SEQUENCE: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let about = "number of the register of stations that holds; 0 while there is none";
    meter().u64_gauge("custos_ingest_register_sequence").with_description(about).build()
});
static REGISTER_AGE: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    let about = "since the register of stations that holds was signed";
    meter().f64_gauge("custos_ingest_register_age").with_description(about).with_unit("s").build()
});

/// Makes every series exist before its first event, so that an alert on it can be trusted.
pub(crate) fn begin() {
    for counter in [&*LOST, &*REJECTED, &*LOCK_DROPPED] {
        counter.add(0, &[]);
    }
    REGISTER_SEQUENCE.record(0, &[]);
}

/// Which register of stations holds.
pub(crate) fn register(sequence: u64, age: SignedDuration) {
    REGISTER_SEQUENCE.record(sequence, &[]);
    REGISTER_AGE.record(age.as_secs_f64(), &[]);
}

/// An item was deposited.
pub(crate) fn deposited(kind: ItemKind, bytes: u64, took: Duration) {
    let kind = [KeyValue::new("kind", kind.as_str())];
    DEPOSITS.add(1, &kind);
    BYTES_STORED.record(bytes, &kind);
    DURATION.record(took.as_secs_f64(), &kind);
}

/// A request was refused.
pub(crate) fn refused(problem: &'static str) {
    REFUSED.add(1, &[KeyValue::new("problem", problem)]);
}

/// An upload was lost.
pub(crate) fn lost() {
    LOST.add(1, &[]);
}

/// An upload was rejected at read-back.
pub(crate) fn rejected() {
    REJECTED.add(1, &[]);
}

/// The store dropped the lock headers.
pub(crate) fn lock_dropped() {
    LOCK_DROPPED.add(1, &[]);
}

fn counter(name: &'static str, what: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_description(what).build()
}
