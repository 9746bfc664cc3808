//! The bus: NATS JetStream as Custos uses it, and the only place that names its client (deny.toml).
//!
//! A message is a wake-up call, never the truth: the fact it points to is durable before it is announced, and whatever is lost
//! here a reconciler announces again. So a service starts, and ingest takes footage in, with the bus away.
//!
//! 1. [`BusArgs`], [`Bus::connect`]: one connection, for ever.
//! 2. [`Bus::verify`]: does the server sync every message before it acknowledges?
//! 3. [`Bus::announce`]: tell the others, and wait until the bus has it.
//! 4. [`topology`], [`Bus::provision`]: streams and consumers; [`permissions`]: who may do what.
//! 5. [`Bus::hears`]: is there a consumer for this service?
//! 6. [`crate::worker`]: acting on what is announced.

mod announce;
mod args;
mod connect;
pub mod dead;
mod delivered;
mod hears;
mod metrics;
pub mod permissions;
mod provision;
mod pull;
pub mod topology;
mod verify;

use std::{fmt, sync::Arc, time::Duration};

use async_nats::{Client, connection::State, jetstream};

pub use announce::BusError;
pub use args::BusArgs;
pub use hears::DeafError;
pub use provision::ProvisionError;
pub use verify::VerifyError;

pub(crate) use delivered::Delivered;
pub(crate) use pull::{PullError, Puller};

/// The connection to the bus; clones share it.
#[derive(Clone)]
pub struct Bus {
    client: Client,
    jetstream: jetstream::Context,
    shared: Arc<Shared>,
}

struct Shared {
    /// Name without `custos-`: in the inbox prefix, dead letters and permissions.
    service: String,
    monitors: Vec<String>,
    http: reqwest::Client,
    metrics: metrics::BusMetrics,
}

impl Bus {
    /// Whether there is a connection right now. Not for readiness: a service without the bus still has work to do.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The service this connection belongs to, without `custos-`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.shared.service
    }

    /// Waits, at most this long, until everything written so far is with the server. Call it last: an acknowledgement that
    /// only reached our buffer is a redelivery.
    pub async fn flush(&self, limit: Duration) {
        if self.is_connected() && tokio::time::timeout(limit, self.client.flush()).await.is_err() {
            tracing::info!("the bus was not flushed in time; some acknowledged messages will be delivered again");
        }
    }

    /// Waits until there is a connection.
    async fn connected(&self) {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        while !self.is_connected() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bus({}, {:?})", self.shared.service, self.client.connection_state())
    }
}
