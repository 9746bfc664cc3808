use std::{error::Error, time::Duration};

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};

use super::{
    Bus,
    topology::{
        ACK_WAIT, CONSUMERS, Consumer, DEAD, DEAD_KEPT, DUPLICATE_WINDOW, FOOTAGE, FOOTAGE_KEPT, MAX_ACK_PENDING,
        MAX_MESSAGE,
    },
};

/// How long to wait for a connection: a provisioner has a person waiting.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// Why the streams are not as declared.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// No server.
    #[error("the bus is not reachable; is nats-server running, and is the provisioner's NKey one of its users?")]
    Away,
    /// The server does not take it.
    #[error("{kind} {name} could not be made as declared")]
    Refused {
        /// Stream or consumer.
        kind: &'static str,
        /// Its name.
        name: &'static str,
        /// What the server said.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}

impl Bus {
    /// Makes the streams and consumers, and changes those that are not as declared. May run any number of times.
    ///
    /// `replicas` is how many servers hold each stream: 1 on one machine, 3 where there are three failure zones. Needs the connection
    /// of [`PROVISIONER`](super::permissions::PROVISIONER).
    pub async fn provision(&self, replicas: usize) -> Result<(), ProvisionError> {
        let connected = tokio::time::timeout(CONNECT_LIMIT, self.connected()).await;
        connected.map_err(|_elapsed| ProvisionError::Away)?;
        for stream in [footage(replicas), dead(replicas)] {
            let name = if stream.name == FOOTAGE { FOOTAGE } else { DEAD };
            let made = self.jetstream.create_or_update_stream(stream).await;
            made.map_err(|error| refused("stream", name, error))?;
        }
        for consumer in &CONSUMERS {
            let made = self.jetstream.create_consumer_on_stream(durable(consumer), FOOTAGE).await;
            made.map_err(|error| refused("consumer", consumer.service, error))?;
        }
        tracing::info!(replicas, "streams and consumers are as declared");
        Ok(())
    }
}

fn footage(replicas: usize) -> Config {
    stream(FOOTAGE, "announcements of facts", custos_proto::subject::EVERY, FOOTAGE_KEPT, replicas)
}

fn dead(replicas: usize) -> Config {
    stream(DEAD, "messages a service rejected, with the reason", "custos.dead.*", DEAD_KEPT, replicas)
}

/// Limits retention: work-queue retention forbids overlapping consumers and replay. Nobody deletes or purges; age does.
fn stream(name: &str, description: &str, subjects: &str, kept: Duration, replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        subjects: vec![subjects.to_owned()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        max_age: kept,
        max_message_size: MAX_MESSAGE,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: replicas,
        deny_delete: true,
        deny_purge: true,
        ..Config::default()
    }
}

/// Delivered without end: a message is given up by its handler, with a reason, and never by a counter.
fn durable(consumer: &Consumer) -> pull::Config {
    pull::Config {
        durable_name: Some(consumer.service.to_owned()),
        description: Some(format!("what {} hears", consumer.service)),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        filter_subjects: consumer.filters(),
        ..pull::Config::default()
    }
}

fn refused(kind: &'static str, name: &'static str, error: impl Error + Send + Sync + 'static) -> ProvisionError {
    ProvisionError::Refused { kind, name, cause: Box::new(error) }
}
