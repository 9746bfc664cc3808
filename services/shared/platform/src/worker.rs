//! The loop of every consumer: one announcement at a time and slot, from the bus to its end.
//!
//! A handler reads, decides, writes and announces, and is acknowledged only after it returned: whatever stops it, the message comes
//! again. So it may run twice, and stop anywhere (house rule 2).
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use custos_platform::{bus::Bus, lifecycle::Lifecycle, worker::{self, Delivery, Fault}};
//! # struct Hashing;
//! # impl Hashing {
//! #     async fn read(&self, _: &custos_domain::manifest::StoredObject) -> std::io::Result<Vec<u8>> { Ok(Vec::new()) }
//! async fn handle(self: Arc<Self>, delivery: Delivery) -> Result<(), Fault> {
//!     let bytes = self.read(delivery.object()).await.map_err(|e| Fault::retry(e.into()))?;
//!     let text = String::from_utf8(bytes).map_err(|e| Fault::reject(e.into()))?;
//!     delivery.progress().await; // only when something has moved on
//! #   drop(text);
//!     Ok(())
//! }
//! # }
//! # fn start(lifecycle: &Lifecycle, bus: Bus, hashing: Arc<Hashing>) {
//! worker::spawn(lifecycle, bus, "hashing", 2, move |delivery| Arc::clone(&hashing).handle(delivery));
//! # }
//! ```

mod delivery;
mod fault;
mod handle;
mod metrics;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use delivery::Delivery;
pub use fault::Fault;

use self::{handle::Work, metrics::WorkerMetrics};
use crate::{
    backoff::Backoff,
    bus::{Bus, PullError, Puller},
    lifecycle::Lifecycle,
};

/// Between attempts to get a message when the bus or the consumer is away.
const RETRY: Backoff = Backoff { first: Duration::from_millis(250), most: Duration::from_secs(15) };
/// Longest wait for the last acknowledgements.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// [`run`] as a part of the service: it stops with it, and stops it when the bus must not be trusted.
pub fn spawn<H, F>(lifecycle: &Lifecycle, bus: Bus, consumer: &'static str, slots: usize, handler: H)
where
    H: Fn(Delivery) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Fault>> + Send + 'static,
{
    let soft = lifecycle.soft().clone();
    lifecycle.spawn("worker", run(bus, consumer, slots, soft, handler));
}

/// Handles what `consumer` delivers, `slots` messages at a time, until `soft` is cancelled and what was begun has ended. Dropping it
/// drops what runs.
///
/// Outlives everything that happens to the server, the stream and the consumer: it asks again until they are back. Fails
/// only when the server acknowledges what it has not synced ([`Bus::verify`]), or by a bug of its own.
pub async fn run<H, F>(
    bus: Bus,
    consumer: &'static str,
    slots: usize,
    soft: CancellationToken,
    handler: H,
) -> anyhow::Result<()>
where
    H: Fn(Delivery) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Fault>> + Send + 'static,
{
    bus.trusted(&soft).await?;
    let metrics = WorkerMetrics::new(consumer);
    let work = Arc::new(Work { bus: bus.clone(), consumer, handler, metrics, soft });
    let mut running = JoinSet::new();
    for _ in 0..slots.max(1) {
        running.spawn(slot(Arc::clone(&work)));
    }
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    bus.flush(FLUSH_LIMIT).await;
    Ok(())
}

/// One slot: asks for a message only when it is free to handle it.
async fn slot<H, F>(work: Arc<Work<H>>)
where
    H: Fn(Delivery) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Fault>> + Send + 'static,
{
    let soft = work.soft.clone();
    let mut failures = 0;
    while !soft.is_cancelled() {
        let reason = match Puller::open(&work.bus, work.consumer).await {
            Ok(puller) => serve(&work, puller, &mut failures).await,
            Err(error) => Some(error),
        };
        let Some(reason) = reason else { break };
        failures += 1;
        let pause = RETRY.pause(failures, rand::random());
        tracing::info!(consumer = work.consumer, %reason, failures, ?pause, "no message; asking again");
        soft.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// Handles messages until asking for one fails; answers why, or `None` when the service stops.
async fn serve<H, F>(work: &Arc<Work<H>>, mut puller: Puller, failures: &mut u32) -> Option<PullError>
where
    H: Fn(Delivery) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Fault>> + Send + 'static,
{
    let reason = loop {
        let waiting = work.metrics.waiting();
        let next = work.soft.run_until_cancelled(puller.next(|| waiting.alive())).await;
        drop(waiting);
        match next {
            None => break None,
            Some(Err(error)) => break Some(error),
            Some(Ok(delivered)) => {
                *failures = 0;
                if let Some(delivered) = delivered {
                    work.handle(delivered).await;
                }
            }
        }
    };
    puller.close().await;
    reason
}
