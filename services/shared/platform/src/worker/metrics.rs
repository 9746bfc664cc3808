use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};
use tokio::time::Instant;

use crate::telemetry::{counter, meter};

/// What one consumer's slots measure.
#[derive(Debug)]
pub(super) struct WorkerMetrics {
    handled: Counter<u64>,
    redelivered: Counter<u64>,
    duration: Histogram<f64>,
    pending: Gauge<u64>,
    pulse: Arc<Pulse>,
}

/// How a message ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Done,
    Retry,
    Reject,
}

/// When the bus last gave a sign of life to a slot that waits for a message.
#[derive(Debug)]
struct Pulse {
    origin: Instant,
    last_ms: AtomicU64,
    waiting: AtomicUsize,
}

/// A slot waits for a message as long as this lives.
pub(super) struct Waiting<'a>(&'a Pulse);

impl WorkerMetrics {
    pub(super) fn new(consumer: &'static str) -> Self {
        let meter = meter();
        let pulse = Arc::new(Pulse::new());
        watch(&meter, Arc::clone(&pulse));
        let outcomes = [Outcome::Done, Outcome::Retry, Outcome::Reject].map(|outcome| [outcome.label()]);
        let outcomes: Vec<&[KeyValue]> = outcomes.iter().map(<[KeyValue; 1]>::as_slice).collect();
        tracing::debug!(consumer, "measuring");
        Self {
            handled: counter(
                &meter,
                "custos.worker.messages",
                "{message}",
                "messages handled, by outcome; a reject is a dead letter",
                &outcomes,
            ),
            redelivered: counter(
                &meter,
                "custos.worker.redelivered",
                "{message}",
                "messages that had been delivered before",
                &[&[]],
            ),
            duration: meter
                .f64_histogram("custos.worker.duration")
                .with_unit("s")
                .with_description("from a message's arrival to its end, by outcome")
                .build(),
            pending: meter
                .u64_gauge("custos.worker.pending")
                .with_unit("{message}")
                .with_description("messages waiting behind the one that came last")
                .build(),
            pulse,
        }
    }

    /// A slot begins to wait.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        self.pulse.waiting()
    }

    pub(super) fn received(&self, deliveries: u32, pending: u64) {
        self.pending.record(pending, &[]);
        if deliveries > 1 {
            self.redelivered.add(1, &[]);
        }
    }

    pub(super) fn handled(&self, outcome: Outcome, took: Duration) {
        let labels = [outcome.label()];
        self.handled.add(1, &labels);
        self.duration.record(took.as_secs_f64(), &labels);
    }
}

impl Outcome {
    fn label(self) -> KeyValue {
        let name = match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Reject => "reject",
        };
        KeyValue::new("outcome", name)
    }
}

impl Pulse {
    fn new() -> Self {
        Self { origin: Instant::now(), last_ms: AtomicU64::new(0), waiting: AtomicUsize::new(0) }
    }

    fn waiting(&self) -> Waiting<'_> {
        // What was not asked for could not come: the silence begins with the first slot that waits.
        if self.waiting.fetch_add(1, Relaxed) == 0 {
            self.beat();
        }
        Waiting(self)
    }

    fn beat(&self) {
        self.last_ms.store(self.elapsed_ms(), Relaxed);
    }

    /// How long the bus has been silent. None while every slot is at work.
    fn silence(&self) -> Duration {
        let waits = self.waiting.load(Relaxed) > 0;
        let since = self.elapsed_ms().saturating_sub(self.last_ms.load(Relaxed));
        Duration::from_millis(if waits { since } else { 0 })
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Waiting<'_> {
    /// The bus gave a sign of life.
    pub(super) fn alive(&self) {
        self.0.beat();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

fn watch(meter: &opentelemetry::metrics::Meter, pulse: Arc<Pulse>) {
    // The meter keeps the callback for the life of the process.
    let _ = meter
        .f64_observable_gauge("custos.worker.silence")
        .with_unit("s")
        .with_description(
            "since the bus gave a sign of life to a slot that waits; beyond a minute nothing is delivered",
        )
        .with_callback(move |observer| observer.observe(pulse.silence().as_secs_f64(), &[]))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_counts_only_while_somebody_waits() {
        let pulse = Pulse::new();
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        pass(3600).await;
        assert_eq!(pulse.silence(), Duration::ZERO, "every slot is at work");
        let waiting = pulse.waiting();
        assert_eq!(pulse.silence(), Duration::ZERO, "nothing was asked for before");
        pass(7).await;
        assert_eq!(pulse.silence().as_secs(), 7);
        waiting.alive();
        assert_eq!(pulse.silence(), Duration::ZERO);
        pass(70).await;
        let second = pulse.waiting();
        assert_eq!(pulse.silence().as_secs(), 70, "a slot that joins in says nothing about the bus");
        drop((waiting, second));
        assert_eq!(pulse.silence(), Duration::ZERO);
    }
}
