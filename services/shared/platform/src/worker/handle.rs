use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use custos_proto::{ACTS, Announcement, subject};
use futures::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::{
    Delivery, Fault,
    fault::WHILE_BLOCKED,
    metrics::{Outcome, WorkerMetrics},
};
use crate::{
    bus::{Bus, Delivered},
    telemetry,
};

/// From this delivery on a message that keeps failing is worth a warning.
const MANY_DELIVERIES: u32 = 5;

/// What the slots of one consumer share.
pub(super) struct Work<H> {
    pub(super) bus: Bus,
    pub(super) consumer: &'static str,
    pub(super) handler: H,
    pub(super) metrics: WorkerMetrics,
    pub(super) soft: CancellationToken,
}

impl<H, F> Work<H>
where
    H: Fn(Delivery) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Fault>> + Send + 'static,
{
    /// Handles one message and settles it.
    pub(super) async fn handle(&self, delivered: Delivered) {
        let announcement = delivered.announcement();
        let span = span(self.consumer, announcement.as_ref().ok(), &delivered);
        let begun = Instant::now();
        self.metrics.received(delivered.deliveries(), delivered.pending());
        async {
            let delivered = Arc::new(delivered);
            let result = match announcement {
                Ok(announcement) => {
                    self.call(Delivery::new(announcement, Arc::clone(&delivered), self.soft.clone())).await
                }
                Err(error) => Err(Fault::reject(error)),
            };
            let outcome = self.settle(&delivered, result).await;
            self.metrics.handled(outcome, begun.elapsed());
        }
        .instrument(span)
        .await;
    }

    /// A panic is a bug, and may be one of a moment: the message comes again, and the other slots go on.
    async fn call(&self, delivery: Delivery) -> Result<(), Fault> {
        // Calling the handler may panic as well as polling what it returns.
        let handled = AssertUnwindSafe(async { (self.handler)(delivery).await }).catch_unwind();
        handled.await.unwrap_or_else(|_panic| Err(Fault::retry(anyhow::anyhow!("the handler panicked"))))
    }

    async fn settle(&self, delivered: &Delivered, result: Result<(), Fault>) -> Outcome {
        let deliveries = delivered.deliveries();
        match result {
            Ok(()) => {
                delivered.done().await;
                Outcome::Done
            }
            Err(Fault::Reject { source }) => self.reject(delivered, &source).await,
            Err(Fault::Blocked { source }) => {
                let delay = self.unless_stopping(WHILE_BLOCKED);
                delivered.again(delay).await;
                tracing::warn!(
                    error = format!("{source:#}"),
                    deliveries,
                    ?delay,
                    "a person must mend this; trying again until then"
                );
                Outcome::Retry
            }
            Err(Fault::Retry { after, source }) => {
                let delay = self.unless_stopping(Fault::delay(after, deliveries, rand::random()));
                delivered.again(delay).await;
                let error = format!("{source:#}");
                if deliveries < MANY_DELIVERIES {
                    tracing::info!(error, deliveries, ?delay, "not done yet; trying again");
                } else {
                    tracing::warn!(error, deliveries, ?delay, "keeps failing; trying again");
                }
                Outcome::Retry
            }
        }
    }

    /// The delay, or none while the service stops: somebody else may do it now.
    fn unless_stopping(&self, delay: Duration) -> Duration {
        if self.soft.is_cancelled() { Duration::ZERO } else { delay }
    }

    /// Ends a message only after its dead letter is safe.
    async fn reject(&self, delivered: &Delivered, source: &anyhow::Error) -> Outcome {
        let reason = format!("{source:#}");
        match self.bus.bury(delivered, &reason).await {
            Ok(()) => {
                delivered.never().await;
                tracing::error!(
                    reason,
                    sequence = delivered.sequence(),
                    "rejected a message; see the stream of dead letters"
                );
                Outcome::Reject
            }
            Err(error) => {
                delivered.again(Fault::delay(None, delivered.deliveries(), rand::random())).await;
                tracing::warn!(reason, %error, "the dead letter could not be written; trying again");
                Outcome::Retry
            }
        }
    }
}

/// A child of the span that announced: one item is one trace, however long its messages wait.
fn span(consumer: &str, announcement: Option<&Announcement>, delivered: &Delivered) -> Span {
    // What is not ours is told apart by its log line; a span attribute must not be anybody's text.
    let act = announcement.map(|a| a.act.as_str()).filter(|act| ACTS.contains(act)).unwrap_or("unknown");
    let span = tracing::info_span!(
        "platform.worker.handle",
        otel.name = format!("{consumer}.{act}.handle"),
        otel.kind = "consumer",
        messaging.system = "nats",
        messaging.operation.name = "handle",
        messaging.operation.r#type = "process",
        messaging.destination.template = subject::template(act),
        messaging.consumer.group.name = consumer,
        custos.deliveries = delivered.deliveries(),
        custos.fact = announcement.map(|a| a.fact.as_str()),
        custos.item = announcement.and_then(|a| a.item.as_ref()).map(tracing::field::display),
    );
    if let Some(traceparent) = delivered.traceparent() {
        telemetry::set_parent(&span, traceparent);
    }
    span
}
