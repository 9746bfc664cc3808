//! Work that needs no message: reconcilers that look at everything, every so often, and put right what is not.
//!
//! A round takes no input and may run at any time, also twice at once; so it may be triggered by hand and stopped anywhere.

use std::{fmt::Display, future::Future, sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    lifecycle::Lifecycle,
    telemetry::{counter, meter},
};

/// A sweep: its name, and how often it runs.
#[derive(Debug)]
pub struct Sweep {
    name: &'static str,
    every: Duration,
    now: Trigger,
}

/// Makes a sweep run now; clones trigger the same sweep.
#[derive(Debug, Clone, Default)]
pub struct Trigger(Arc<Notify>);

impl Trigger {
    /// Runs it now, or again when it is running.
    pub fn now(&self) {
        self.0.notify_one();
    }

    /// Completes when somebody wants it now.
    pub(crate) async fn told(&self) {
        self.0.notified().await;
    }
}

impl Sweep {
    /// A sweep called `name` (such as `ingest.reconcile`) that runs about every so often.
    pub fn new(name: &'static str, every: Duration) -> Self {
        Self { name, every, now: Trigger::default() }
    }

    /// What makes it run now.
    pub fn trigger(&self) -> Trigger {
        self.now.clone()
    }

    /// [`Sweep::run`] over `state`, as a part of the service: it stops with it.
    pub fn spawn<T, R, F, E>(self, lifecycle: &Lifecycle, state: &Arc<T>, mut round: R)
    where
        T: Send + Sync + 'static,
        R: FnMut(Arc<T>) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send,
        E: Display + Send,
    {
        let (state, soft) = (Arc::clone(state), lifecycle.soft().clone());
        lifecycle.spawn(self.name, async move {
            self.run(soft, || round(Arc::clone(&state))).await;
            Ok(())
        });
    }

    /// Runs one round after the other until `soft` is cancelled, the first at once. A round under way is finished; a round that
    /// fails is followed by the next one at its time.
    pub async fn run<R, F, E>(self, soft: CancellationToken, mut round: R)
    where
        R: FnMut() -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let metrics = SweepMetrics::new(self.name);
        while !soft.is_cancelled() {
            let span = tracing::info_span!("platform.sweep.round", otel.name = self.name, custos.sweep = self.name);
            let begun = Instant::now();
            let result = round().instrument(span).await;
            metrics.ended(begun.elapsed(), result.is_ok());
            if let Err(error) = result {
                tracing::warn!(sweep = self.name, %error, "a round failed; the next one looks at everything again");
            }
            let wait = async {
                tokio::select! {
                    () = tokio::time::sleep(spread(self.every, rand::random())) => {}
                    () = self.now.told() => {}
                }
            };
            soft.run_until_cancelled(wait).await;
        }
    }
}

/// Within a tenth of the interval, so that replicas that started together do not sweep together.
fn spread(every: Duration, jitter: f64) -> Duration {
    every.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0))
}

struct SweepMetrics {
    name: KeyValue,
    rounds: Counter<u64>,
    duration: Histogram<f64>,
    ok: Gauge<u64>,
}

impl SweepMetrics {
    fn new(name: &'static str) -> Self {
        let (meter, name) = (meter(), KeyValue::new("sweep", name));
        let series = ["ok", "failed"].map(|outcome| [name.clone(), KeyValue::new("outcome", outcome)]);
        let series: Vec<&[KeyValue]> = series.iter().map(<[KeyValue; 2]>::as_slice).collect();
        Self {
            rounds: counter(&meter, "custos.sweep.rounds", "{round}", "rounds, by sweep and outcome", &series),
            duration: meter
                .f64_histogram("custos.sweep.duration")
                .with_unit("s")
                .with_description("how long a round took, by sweep")
                .build(),
            ok: meter
                .u64_gauge("custos.sweep.last_ok")
                .with_description("1 when the last round went well, 0 when it failed, by sweep")
                .build(),
            name,
        }
    }

    fn ended(&self, took: Duration, ok: bool) {
        let outcome = KeyValue::new("outcome", if ok { "ok" } else { "failed" });
        self.rounds.add(1, &[self.name.clone(), outcome]);
        self.duration.record(took.as_secs_f64(), std::slice::from_ref(&self.name));
        self.ok.record(ok.into(), std::slice::from_ref(&self.name));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    const EVERY: Duration = Duration::from_secs(100);

    #[derive(Clone, Default)]
    struct Rounds(Arc<AtomicU32>);

    impl Rounds {
        fn start(&self, sweep: Sweep, soft: &CancellationToken) -> tokio::task::JoinHandle<()> {
            let (rounds, soft) = (self.clone(), soft.clone());
            tokio::spawn(async move {
                sweep
                    .run(soft, || async {
                        let odd = rounds.0.fetch_add(1, SeqCst) % 2 == 1;
                        if odd { Err("every second round fails") } else { Ok(()) }
                    })
                    .await;
            })
        }

        async fn after(&self, seconds: u64) -> u32 {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            self.0.load(SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn runs_at_once_at_intervals_after_failures_and_when_told() {
        let (rounds, soft) = (Rounds::default(), CancellationToken::new());
        let sweep = Sweep::new("test", EVERY);
        let trigger = sweep.trigger();
        let running = rounds.start(sweep, &soft);
        assert_eq!(rounds.after(1).await, 1);
        assert_eq!(rounds.after(EVERY.as_secs() * 11 / 10).await, 2);
        trigger.now();
        assert_eq!(rounds.after(1).await, 3);
        soft.cancel();
        running.await.expect("ends");
        assert_eq!(rounds.after(1000).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn as_a_part_of_the_service_it_runs_over_its_state_and_stops_with_it() {
        let (lifecycle, rounds) = (Lifecycle::new(), Arc::new(AtomicU32::new(0)));
        Sweep::new("test", EVERY).spawn(&lifecycle, &rounds, |rounds| async move {
            rounds.fetch_add(1, SeqCst);
            Ok::<(), &str>(())
        });
        tokio::time::sleep(EVERY * 3 / 2).await;
        assert_eq!(rounds.load(SeqCst), 2);
        assert_eq!(lifecycle.drain(EVERY, std::future::pending()).await, crate::lifecycle::Drained::Softly);
    }

    #[test]
    fn intervals_are_spread_by_a_tenth() {
        assert_eq!(spread(EVERY, 0.0), Duration::from_secs(90));
        assert_eq!(spread(EVERY, 1.0), Duration::from_secs(110));
    }
}
