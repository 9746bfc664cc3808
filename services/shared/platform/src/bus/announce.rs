use std::time::Duration;

use async_nats::{
    HeaderMap, HeaderValue, header,
    jetstream::{
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
        publish::PublishAck,
    },
};
use custos_proto::{Announcement, subject};
use tracing::Instrument;

use super::{Bus, metrics::Announced};
use crate::telemetry;

/// Longest wait for a connection and the server's acknowledgement together.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) const TRACEPARENT: &str = "traceparent";

/// Why the bus does not have a message, as far as we know. It may have it all the same: sending again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// No connection.
    #[error("the bus is not reachable")]
    Away,
    /// No acknowledgement.
    #[error("the bus did not acknowledge within {} s: it is busy, or this service may not publish there", LIMIT.as_secs())]
    Unconfirmed,
    /// The streams were never made, or were deleted.
    #[error("no stream takes `{0}`; run the provisioner, which makes the streams")]
    NoStream(String),
    /// Anything else the server or the client says.
    #[error("the bus does not take `{subject}`: {reason}")]
    Refused {
        /// Where it was sent.
        subject: String,
        /// What was said.
        reason: String,
    },
}

impl Bus {
    /// Tells the others, and returns when the bus has synced it to disk; that it had it already is as good.
    ///
    /// Continues the current trace, or else that of `traceparent`.
    pub async fn announce(&self, announcement: &Announcement, traceparent: Option<&str>) -> Result<(), BusError> {
        let span = tracing::info_span!(
            "platform.bus.announce",
            otel.kind = "producer",
            messaging.system = "nats",
            messaging.operation.name = "publish",
            messaging.operation.r#type = "send",
            messaging.destination.template = subject::template(announcement.act.as_str()),
            custos.fact = %announcement.fact,
        );
        if let (None, Some(parent)) = (telemetry::current_traceparent(), traceparent) {
            telemetry::set_parent(&span, parent);
        }
        let sent = async {
            let trace = telemetry::current_traceparent().or_else(|| traceparent.map(str::to_owned));
            let mut headers = HeaderMap::new();
            // The server cuts duplicates for two minutes: a convenience. Consumers are idempotent anyway.
            headers.insert(header::NATS_MESSAGE_ID, announcement.fact.as_str());
            // A trace that is no header value is dropped: a broken trace must not stop an announcement.
            if let Some(Ok(trace)) = trace.map(|text| text.parse::<HeaderValue>()) {
                headers.insert(TRACEPARENT, trace);
            }
            self.publish(announcement.subject().to_string(), headers, announcement.encode()).await
        };
        let sent = sent.instrument(span).await;
        self.shared.metrics.announced(match &sent {
            Ok(ack) if ack.duplicate => Announced::Duplicate,
            Ok(_) => Announced::Stored,
            Err(_) => Announced::Failed,
        });
        sent.map(drop)
    }

    /// Publishes to a stream and waits for its acknowledgement.
    ///
    /// Without a connection nothing is sent: the client would keep it and send it long after we said it failed.
    pub(super) async fn publish(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Vec<u8>,
    ) -> Result<PublishAck, BusError> {
        let sent = async {
            self.connected().await;
            let message = PublishMessage::build().headers(headers).payload(payload.into());
            let acknowledged = self.jetstream.send_publish(subject.clone(), message).await?;
            acknowledged.await
        };
        match tokio::time::timeout(LIMIT, sent).await {
            Ok(sent) => sent.map_err(|error| of_publish(subject, &error)),
            Err(_elapsed) if self.is_connected() => Err(BusError::Unconfirmed),
            Err(_elapsed) => Err(BusError::Away),
        }
    }
}

fn of_publish(subject: String, error: &PublishError) -> BusError {
    match error.kind() {
        PublishErrorKind::StreamNotFound => BusError::NoStream(subject),
        PublishErrorKind::TimedOut => BusError::Unconfirmed,
        PublishErrorKind::BrokenPipe => BusError::Away,
        _ => BusError::Refused { subject, reason: error.to_string() },
    }
}
