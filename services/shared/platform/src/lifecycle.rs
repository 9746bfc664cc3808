//! How a service stops: softly on the first signal, hard on the second or when the grace period is over.
//!
//! *Soft* means: accept nothing new, finish what runs. *Hard* means: drop what still runs. Every handler may stop
//! anywhere (house rule 2), so hard is safe, only wasteful.

use std::{
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long tasks get to notice the hard token before the process exits without them.
const HARD_LIMIT: Duration = Duration::from_secs(5);

/// The stop signals and running tasks of one service; every clone is the same lifecycle.
#[derive(Clone, Default)]
pub struct Lifecycle(Arc<Inner>);

struct Inner {
    hard: CancellationToken,
    soft: CancellationToken,
    tasks: TaskTracker,
    failure: OnceLock<String>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything finished by itself.
    Softly,
    /// Tasks were dropped by the hard token.
    Hard,
    /// Tasks ignored the hard token and were abandoned; a bug in the task.
    Abandoned,
}

impl Lifecycle {
    /// A lifecycle nobody has asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the service should take no new work and finish the work it has.
    pub fn soft(&self) -> &CancellationToken {
        &self.0.soft
    }

    /// Cancelled when running work is to be dropped. Implies [`Lifecycle::soft`].
    pub fn hard(&self) -> &CancellationToken {
        &self.0.hard
    }

    /// Whether a stop has been asked for.
    pub fn is_draining(&self) -> bool {
        self.0.soft.is_cancelled()
    }

    /// Runs a part the service cannot do without: an error or a panic in it stops the whole service with a failing exit
    /// code. It should watch [`Lifecycle::soft`]; it is dropped at [`Lifecycle::hard`].
    pub fn spawn<F>(&self, name: &'static str, part: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let lifecycle = self.clone();
        self.0.tasks.spawn(async move {
            let outcome = tokio::select! {
                outcome = AssertUnwindSafe(part).catch_unwind() => outcome,
                () = lifecycle.hard().cancelled() => return,
            };
            match outcome {
                Ok(Ok(())) => tracing::debug!(part = name, "part finished"),
                Ok(Err(error)) => lifecycle.fail(format!("{name}: {error:#}")),
                Err(_panic) => lifecycle.fail(format!("{name}: panicked")),
            }
        });
    }

    /// Runs work the drain waits for, whose failure is its own affair (a connection, one job).
    ///
    /// Nothing drops it at [`Lifecycle::hard`]: work better not torn (a Complete call, architecture section 4) runs here
    /// to its end while the process lives, and everything else has to watch the token itself.
    pub fn track<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.tasks.spawn(work)
    }

    /// Stops the service because something is wrong. Only the first reason is kept.
    pub fn fail(&self, why: impl Into<String>) {
        let why = why.into();
        tracing::error!(why, "stopping: a part of the service failed");
        // A later failure is a consequence more often than a cause; it is in the log.
        let _ = self.0.failure.set(why);
        self.0.soft.cancel();
    }

    /// Why the service is stopping, if it is not because someone asked.
    pub fn failure(&self) -> Option<&str> {
        self.0.failure.get().map(String::as_str)
    }

    /// Drains: soft now; hard after `grace` or as soon as `hurry` completes (the second signal). After the hard token,
    /// tracked work that cannot be torn gets a few seconds more.
    pub async fn drain(&self, grace: Duration, hurry: impl Future<Output = ()>) -> Drained {
        self.drain_within(grace, HARD_LIMIT, hurry).await
    }

    async fn drain_within(&self, grace: Duration, limit: Duration, hurry: impl Future<Output = ()>) -> Drained {
        self.0.soft.cancel();
        self.0.tasks.close();
        tokio::select! {
            () = self.0.tasks.wait() => return Drained::Softly,
            () = hurry => tracing::warn!("second signal: dropping what still runs"),
            () = tokio::time::sleep(grace) => {
                tracing::warn!(seconds = grace.as_secs(), "grace period over: dropping what still runs");
            }
        }
        self.0.hard.cancel();
        match tokio::time::timeout(limit, self.0.tasks.wait()).await {
            Ok(()) => Drained::Hard,
            Err(_elapsed) => {
                tracing::error!(tasks = self.0.tasks.len(), "tasks ignored the hard stop: leaving without them");
                Drained::Abandoned
            }
        }
    }
}

impl Default for Inner {
    fn default() -> Self {
        let hard = CancellationToken::new();
        let soft = hard.child_token();
        Self { hard, soft, tasks: TaskTracker::new(), failure: OnceLock::new() }
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("draining", &self.is_draining())
            .field("tasks", &self.0.tasks.len())
            .field("failure", &self.failure())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Instant};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn work_that_heeds_the_soft_token_drains_softly() {
        let lifecycle = Lifecycle::new();
        let soft = lifecycle.soft().clone();
        lifecycle.spawn("part", async move {
            soft.cancelled().await;
            tokio::time::sleep(SHORT).await;
            Ok(())
        });
        assert_eq!(lifecycle.drain(LONG, pending()).await, Drained::Softly);
        assert_eq!(lifecycle.failure(), None);
    }

    #[tokio::test]
    async fn a_deaf_part_is_dropped_when_the_grace_period_is_over() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("deaf", pending());
        let begin = Instant::now();
        assert_eq!(lifecycle.drain(SHORT, pending()).await, Drained::Hard);
        assert!(begin.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn a_second_signal_hardens_at_once() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("deaf", pending());
        assert_eq!(lifecycle.drain(LONG, async {}).await, Drained::Hard);
    }

    #[tokio::test]
    async fn tracked_work_runs_past_the_hard_token_and_is_abandoned_only_at_the_limit() {
        let lifecycle = Lifecycle::new();
        let finished = lifecycle.track(tokio::time::sleep(SHORT * 4));
        assert_eq!(lifecycle.drain(SHORT, pending()).await, Drained::Hard);
        assert!(finished.await.is_ok());

        let lifecycle = Lifecycle::new();
        let _stuck = lifecycle.track(pending::<()>());
        assert_eq!(lifecycle.drain_within(SHORT, SHORT, pending()).await, Drained::Abandoned);
    }

    #[tokio::test]
    async fn an_error_or_a_panic_in_a_part_stops_the_service() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("bus", async { anyhow::bail!("stream is gone") });
        lifecycle.soft().cancelled().await;
        assert_eq!(lifecycle.failure(), Some("bus: stream is gone"));

        let lifecycle = Lifecycle::new();
        lifecycle.spawn("worker", async { panic!("bug") });
        lifecycle.soft().cancelled().await;
        assert_eq!(lifecycle.failure(), Some("worker: panicked"));
    }

    #[tokio::test]
    async fn a_part_may_finish_early_without_stopping_the_service() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("once", async { Ok(()) });
        assert_eq!(lifecycle.drain(LONG, pending()).await, Drained::Softly);
        assert_eq!(lifecycle.failure(), None);
    }
}
