//! What ingest tells its operators. No officer, device or item in any label.

use std::{sync::LazyLock, time::Duration};

use custos_domain::{item::ItemKind, outboard::PART};
use custos_platform::telemetry::{BYTES, SECONDS, meter};
use jiff::{SignedDuration, Timestamp};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};

use crate::audit::Kind;

static DEPOSITS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_deposits", "items stored, locked and described"));
static REFUSED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_refused", "requests not carried out, by problem"));
static LOST: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_lost_sessions", "uploads the store lost; each pages somebody"));
static GIVEN_UP: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_given_up", "uploads their station gave up"));
static CUT: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_cut_senders", "senders cut off, by why; what they sent is kept"));
static BUDGET: LazyLock<Gauge<u64>> =
    LazyLock::new(|| gauge("custos_ingest_budget_in_use", "memory for parts in use, in bytes"));
static WAITING: LazyLock<Gauge<u64>> =
    LazyLock::new(|| gauge("custos_ingest_waiting_for_budget", "uploads that wait for memory, by unit"));
static PARTS_WAITING: LazyLock<Gauge<u64>> =
    LazyLock::new(|| gauge("custos_ingest_parts_waiting", "parts that wait for their turn at the store"));
static REAPED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_reaped", "sessions dealt with by the reaper, by what became of them"));
static RECONCILED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos.reconcile.finished", "what was found half done and finished, by what it was"));
static OLDEST: LazyLock<Gauge<u64>> =
    LazyLock::new(|| gauge("custos.reconcile.oldest_unfinished", "seconds since the oldest upload under way began"));
static WITHOUT_FACT: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    gauge(
        "custos.reconcile.manifests_without_fact",
        "manifests whose deposit had not been stated, in the last full round",
    )
});
static ROUND_END: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    gauge("custos.reconcile.round_end", "when a full round last came to its end, in seconds since 1970, by walk")
});
static ALARMS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("custos_ingest_store_alarms", "incidents found in the locked buckets, by kind; each pages somebody")
});
static REJECTED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_rejected", "objects that were not what was sent when read back"));
static LOCK_DROPPED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_ingest_lock_dropped", "originals the store created without the lock asked for"));
static LOCK_REPAIRED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("custos_ingest_lock_repaired", "originals locked after they were created, as repair mode does")
});

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
    for counter in [&*LOST, &*GIVEN_UP, &*REJECTED, &*LOCK_DROPPED, &*LOCK_REPAIRED] {
        counter.add(0, &[]);
    }
    for gauge in [&*BUDGET, &*PARTS_WAITING, &*OLDEST, &*WITHOUT_FACT, &*REGISTER_SEQUENCE] {
        gauge.record(0, &[]);
    }
    for (counter, label, values) in [
        (&*CUT, "why", &["silent", "slow"][..]),
        (&*REFUSED, "problem", &["busy", "quota", "over-quota", "too-slow"]),
        (&*REAPED, "end", &["abandoned", "cleared", "forgotten", "finished"]),
        (&*RECONCILED, "what", &["commit", "fact"]),
        (&*ALARMS, "kind", &Kind::ALL.map(Kind::as_str)),
    ] {
        for value in values {
            counter.add(0, &[KeyValue::new(label, *value)]);
        }
    }
}

/// How many parts wait for the store.
pub(crate) fn parts_waiting(count: usize) {
    PARTS_WAITING.record(count as u64, &[]);
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

/// A station gave an upload up.
pub(crate) fn given_up() {
    GIVEN_UP.add(1, &[]);
}

/// A sender was cut off.
pub(crate) fn cut(why: &'static str) {
    CUT.add(1, &[KeyValue::new("why", why)]);
}

/// Parts of the budget in use.
pub(crate) fn budget_in_use(parts: usize) {
    BUDGET.record(parts as u64 * PART, &[]);
}

/// Uploads of a unit that wait for memory.
pub(crate) fn waiting(unit: &str, uploads: usize) {
    WAITING.record(uploads as u64, &[KeyValue::new("unit", unit.to_owned())]);
}

/// The reaper dealt with a session.
pub(crate) fn reaped(end: &'static str) {
    REAPED.add(1, &[KeyValue::new("end", end)]);
}

/// Something half done was finished.
pub(crate) fn reconciled(what: &'static str) {
    RECONCILED.add(1, &[KeyValue::new("what", what)]);
}

/// How long the oldest upload under way has been so.
pub(crate) fn oldest_unfinished(age: Duration) {
    OLDEST.record(age.as_secs(), &[]);
}

/// Manifests whose deposit had not been stated.
pub(crate) fn manifests_without_fact(manifests: u64) {
    WITHOUT_FACT.record(manifests, &[]);
}

/// A full round came to its end.
pub(crate) fn round_ended(walk: &'static str, at: Timestamp) {
    ROUND_END.record(u64::try_from(at.as_second()).unwrap_or_default(), &[KeyValue::new("walk", walk)]);
}

/// Something in the locked buckets is not ours, or not locked.
pub(crate) fn alarm(kind: Kind) {
    ALARMS.add(1, &[KeyValue::new("kind", kind.as_str())]);
}

/// An upload was rejected at read-back.
pub(crate) fn rejected() {
    REJECTED.add(1, &[]);
}

/// The store dropped the lock headers.
pub(crate) fn lock_dropped() {
    LOCK_DROPPED.add(1, &[]);
}

/// An original was locked after Complete.
pub(crate) fn lock_repaired() {
    LOCK_REPAIRED.add(1, &[]);
}

fn counter(name: &'static str, what: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_description(what).build()
}

fn gauge(name: &'static str, what: &'static str) -> Gauge<u64> {
    meter().u64_gauge(name).with_description(what).build()
}
