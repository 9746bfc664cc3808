use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

use crate::lifecycle::Lifecycle;

/// Longest time a check may take before it counts as failed.
const CHECK_LIMIT: Duration = Duration::from_secs(2);
/// How long an answer of a check is good for: many probes must not become many requests to the store.
const FRESH: Duration = Duration::from_secs(1);

type CheckFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// What readiness is made of: ready when every latch is released, every check passes and nobody has asked to stop.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    lifecycle: Lifecycle,
    latches: RwLock<Vec<(&'static str, Arc<AtomicBool>)>>,
    checks: RwLock<Vec<Arc<Check>>>,
}

struct Check {
    name: &'static str,
    run: Box<dyn Fn() -> CheckFuture + Send + Sync>,
    last: Mutex<Option<(Instant, CheckReport)>>,
}

/// Keeps the service unready until [`Latch::release`]. Dropping it without releasing keeps it unready for good: a part
/// that died while starting has not started.
#[derive(Debug)]
#[must_use = "a latch that is never released keeps the service unready"]
pub struct Latch(Arc<AtomicBool>);

/// The body of `/readyz`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether the service should get traffic.
    pub ready: bool,
    /// Every latch and check, in order of registration.
    pub checks: Vec<CheckReport>,
}

/// One latch or check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is fine.
    pub ok: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Health {
    /// Health without latches or checks: ready until the lifecycle drains.
    pub fn new(lifecycle: Lifecycle) -> Self {
        Self(Arc::new(Inner { lifecycle, latches: RwLock::default(), checks: RwLock::default() }))
    }

    /// Adds something that must have started first.
    pub fn latch(&self, name: &'static str) -> Latch {
        let released = Arc::new(AtomicBool::new(false));
        let mut latches = self.0.latches.write().unwrap_or_else(PoisonError::into_inner);
        latches.push((name, Arc::clone(&released)));
        Latch(released)
    }

    /// Adds something that must be reachable now. Its answer is reused for a second, and a check longer than two seconds
    /// counts as failed. Test only what the service cannot work without (ingest: the store alone).
    pub fn check<F, Answer>(&self, name: &'static str, run: F)
    where
        F: Fn() -> Answer + Send + Sync + 'static,
        Answer: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let run = Box::new(move || -> CheckFuture { Box::pin(run()) });
        let check = Arc::new(Check { name, run, last: Mutex::new(None) });
        self.0.checks.write().unwrap_or_else(PoisonError::into_inner).push(check);
    }

    /// Looks at everything.
    pub async fn report(&self) -> Report {
        let mut checks = self.latches();
        let registered = self.0.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        checks.extend(join_all(registered.iter().map(|check| check.report())).await);
        if self.0.lifecycle.is_draining() {
            checks.push(CheckReport::failed("lifecycle", "draining".to_owned()));
        }
        Report { ready: checks.iter().all(|check| check.ok), checks }
    }

    fn latches(&self) -> Vec<CheckReport> {
        let latches = self.0.latches.read().unwrap_or_else(PoisonError::into_inner);
        let report = |(name, released): &(&'static str, Arc<AtomicBool>)| {
            if released.load(Ordering::Acquire) {
                CheckReport::passed(name)
            } else {
                CheckReport::failed(name, "not started yet".to_owned())
            }
        };
        latches.iter().map(report).collect()
    }
}

impl Latch {
    /// The part has started.
    pub fn release(self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Check {
    /// Holding the lock while the check runs lets simultaneous probes share one run.
    async fn report(&self) -> CheckReport {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < FRESH
        {
            return report.clone();
        }
        let report = match tokio::time::timeout(CHECK_LIMIT, (self.run)()).await {
            Ok(Ok(())) => CheckReport::passed(self.name),
            Ok(Err(error)) => CheckReport::failed(self.name, format!("{error:#}")),
            Err(_elapsed) => CheckReport::failed(self.name, format!("no answer in {} s", CHECK_LIMIT.as_secs())),
        };
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

impl CheckReport {
    fn passed(name: &'static str) -> Self {
        Self { name, ok: true, why: None }
    }

    fn failed(name: &'static str, why: String) -> Self {
        Self { name, ok: false, why: Some(why) }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("latches", &self.latches()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::atomic::AtomicUsize};

    use super::*;

    #[tokio::test]
    async fn a_failing_check_says_why_and_is_asked_once_a_second() {
        let health = Health::new(Lifecycle::new());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        health.check("store", move || {
            count.fetch_add(1, Ordering::Relaxed);
            async { anyhow::bail!("connection refused") }
        });
        let (first, second) = tokio::join!(health.report(), health.report());
        assert!(!first.ready && !second.ready);
        assert_eq!(first.checks[0].why.as_deref(), Some("connection refused"));
        assert_eq!(asked.load(Ordering::Relaxed), 1, "simultaneous probes share one run");
        tokio::time::sleep(FRESH).await;
        health.report().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_hanging_check_counts_as_failed() {
        let health = Health::new(Lifecycle::new());
        health.check("bus", pending);
        let report = health.report().await;
        assert_eq!(report.checks[0].why.as_deref(), Some("no answer in 2 s"));
    }

    #[tokio::test]
    async fn a_latch_dropped_unreleased_stays_closed() {
        let health = Health::new(Lifecycle::new());
        drop(health.latch("projection"));
        assert!(!health.report().await.ready);
    }
}
