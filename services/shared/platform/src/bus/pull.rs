//! Asking a consumer for one message at a time.
//!
//! One message for each free slot: what is fetched ahead burns its ack_wait in our buffer. Written on the plain protocol, because
//! the client's `Batch` (0.51) stops listening at the first idle heartbeat, and because heartbeats are our proof of life.

use std::time::Duration;

use async_nats::{StatusCode, Subscriber, jetstream};
use bytes::Bytes;
use futures::StreamExt as _;

use super::{Bus, delivered::Delivered, topology};

/// How long the server keeps a request that finds no message.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often it says meanwhile that it still does.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Silence after which the request counts as lost: two heartbeats and a bit.
const SILENCE: Duration = Duration::from_secs(11);
/// How long to wait for what was under way when we stopped asking.
const LAST_CALL: Duration = Duration::from_millis(200);

/// Asks one consumer for messages.
pub(crate) struct Puller {
    bus: Bus,
    subject: String,
    inbox: String,
    subscriber: Subscriber,
    requests: u64,
}

/// Why a request got no answer. All of it passes, or is mended by the provisioner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    #[error("the bus is not reachable")]
    Away,
    #[error("the bus was silent for {} s", SILENCE.as_secs())]
    Silent,
    #[error("there is no consumer to ask; run the provisioner, which makes it")]
    NoConsumer,
    #[error("the consumer does not serve: {0}")]
    Refused(String),
    #[error("the connection was closed")]
    Closed,
}

impl Puller {
    pub(crate) async fn open(bus: &Bus, consumer: &str) -> Result<Self, PullError> {
        let inbox = bus.client.new_inbox();
        let subscriber = bus.client.subscribe(format!("{inbox}.*")).await.map_err(|_| PullError::Closed)?;
        Ok(Self { bus: bus.clone(), subject: topology::next_subject(consumer), inbox, subscriber, requests: 0 })
    }

    /// The next message, or `None` when there was none for half a minute. `alive` is told of every sign of life.
    pub(crate) async fn next(&mut self, alive: impl Fn()) -> Result<Option<Delivered>, PullError> {
        // Without a connection the client keeps requests, and all of them would be served together later.
        if !self.bus.is_connected() {
            return Err(PullError::Away);
        }
        self.requests += 1;
        let reply = format!("{}.{}", self.inbox, self.requests);
        let asked = self.bus.client.publish_with_reply(self.subject.clone(), reply.clone(), request()).await;
        asked.map_err(|_| PullError::Closed)?;
        loop {
            let message = tokio::time::timeout(SILENCE, self.subscriber.next()).await;
            let message = message.map_err(|_| PullError::Silent)?.ok_or(PullError::Closed)?;
            alive();
            let Some(status) = message.status.filter(|status| *status != StatusCode::OK) else {
                // Also when it answers an earlier request: whoever gets a message handles it.
                return Ok(Some(self.delivered(message)));
            };
            if message.subject.as_str() != reply {
                continue;
            }
            match status {
                StatusCode::IDLE_HEARTBEAT => {}
                StatusCode::TIMEOUT | StatusCode::NOT_FOUND => return Ok(None),
                StatusCode::NO_RESPONDERS => return Err(PullError::NoConsumer),
                other => return Err(PullError::Refused(message.description.unwrap_or_else(|| other.to_string()))),
            }
        }
    }

    /// Stops asking, and hands back what came in that moment: others need not wait for its ack_wait.
    pub(crate) async fn close(mut self) {
        if self.subscriber.unsubscribe().await.is_err() {
            return;
        }
        while let Ok(Some(message)) = tokio::time::timeout(LAST_CALL, self.subscriber.next()).await {
            if message.status.is_none_or(|status| status == StatusCode::OK) {
                self.delivered(message).again(Duration::ZERO).await;
            }
        }
    }

    fn delivered(&self, message: async_nats::Message) -> Delivered {
        Delivered::new(jetstream::Message { message, context: self.bus.jetstream.clone() })
    }
}

fn request() -> Bytes {
    let (expires, heartbeat) = (EXPIRES.as_nanos(), HEARTBEAT.as_nanos());
    format!(r#"{{"batch":1,"expires":{expires},"idle_heartbeat":{heartbeat}}}"#).into()
}
