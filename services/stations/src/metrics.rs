//! What the service tells its operators. No station in any label.

use std::sync::LazyLock;

use custos_platform::telemetry::meter;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};

static DECIDED: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("custos_stations_decided", "what people did with stations, by kind"));
static ANSWERED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("custos_stations_answered", "docks that asked for a certificate, by how (enrol, renew) and outcome")
});
static STRANGERS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("custos_stations_register_strangers", "registers found in the store that our key did not sign; each pages")
});
static SEQUENCE: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter()
        .u64_gauge("custos_stations_register_sequence")
        .with_description("sequence of the register in the store")
        .build()
});
static AGE: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("custos_stations_register_age")
        .with_unit("s")
        .with_description("how long ago the register in the store was signed")
        .build()
});
static AUTHORITY_ENDS: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("custos_stations_authority_valid_until_timestamp")
        .with_unit("s")
        .with_description("when the station authority's own certificate ends, Unix time")
        .build()
});

/// Makes every series exist before its first event, so that an alert on it can be trusted.
#[expect(clippy::cast_precision_loss, reason = "seconds of this millennium fit a double exactly")]
pub(crate) fn begin(authority_ends: jiff::Timestamp) {
    STRANGERS.add(0, &[]);
    for what in ["registered", "code_issued", "revoked"] {
        DECIDED.add(0, &[KeyValue::new("what", what)]);
    }
    for how in ["enrol", "renew"] {
        ANSWERED.add(0, &[KeyValue::new("how", how), KeyValue::new("outcome", "done")]);
    }
    for (how, outcome) in [("enrol", "code-used"), ("renew", "certificate-replaced")] {
        ANSWERED.add(0, &[KeyValue::new("how", how), KeyValue::new("outcome", outcome)]);
    }
    AUTHORITY_ENDS.record(authority_ends.as_second() as f64, &[]);
}

/// A person did something.
pub(crate) fn did(what: &'static str) {
    DECIDED.add(1, &[KeyValue::new("what", what)]);
}

/// A dock was answered.
pub(crate) fn answered(how: &'static str, outcome: &'static str) {
    ANSWERED.add(1, &[KeyValue::new("how", how), KeyValue::new("outcome", outcome)]);
}

/// A register that is not ours.
pub(crate) fn stranger() {
    STRANGERS.add(1, &[]);
}

/// How the register in the store stands.
pub(crate) fn published(sequence: u64, age_seconds: f64) {
    SEQUENCE.record(sequence, &[]);
    AGE.record(age_seconds.max(0.0), &[]);
}

fn counter(name: &'static str, what: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_description(what).build()
}
