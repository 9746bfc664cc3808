use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};

use crate::telemetry::{counter, meter};

#[derive(Debug, Clone)]
pub(super) struct BusMetrics {
    connected: Gauge<u64>,
    announced: Counter<u64>,
}

/// How an announcement ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Announced {
    Stored,
    Duplicate,
    Failed,
}

impl BusMetrics {
    pub(super) fn new() -> Self {
        let meter = meter();
        let series = [Announced::Stored, Announced::Duplicate, Announced::Failed].map(|outcome| [outcome.label()]);
        let series: Vec<&[KeyValue]> = series.iter().map(<[KeyValue; 1]>::as_slice).collect();
        let connected = meter
            .u64_gauge("custos.bus.connected")
            .with_description("1 while there is a connection to the bus")
            .build();
        connected.record(0, &[]);
        Self {
            connected,
            announced: counter(
                &meter,
                "custos.bus.announcements",
                "{announcement}",
                "announcements by outcome; what failed a reconciler announces again",
                &series,
            ),
        }
    }

    pub(super) fn connected(&self, is: bool) {
        self.connected.record(is.into(), &[]);
    }

    pub(super) fn announced(&self, outcome: Announced) {
        self.announced.add(1, &[outcome.label()]);
    }
}

impl Announced {
    fn label(self) -> KeyValue {
        KeyValue::new(
            "outcome",
            match self {
                Self::Stored => "stored",
                Self::Duplicate => "duplicate",
                Self::Failed => "failed",
            },
        )
    }
}
