use std::time::Duration;

use async_nats::jetstream::{self, AckKind};
use custos_proto::Announcement;

use super::announce::TRACEPARENT;

/// One message as a consumer gave it to us.
#[derive(Debug)]
pub(crate) struct Delivered {
    message: jetstream::Message,
    sequence: u64,
    deliveries: u32,
    pending: u64,
}

impl Delivered {
    pub(super) fn new(message: jetstream::Message) -> Self {
        let (sequence, deliveries, pending) = message
            .info()
            .map_or((0, 1, 0), |info| (info.stream_sequence, u32::try_from(info.delivered).unwrap_or(1), info.pending));
        Self { message, sequence, deliveries, pending }
    }

    pub(super) fn message(&self) -> &async_nats::Message {
        &self.message
    }

    /// What it says, or why it says nothing.
    ///
    /// Permissions are given by subject, so a message that speaks of another act than its subject is a lie.
    pub(crate) fn announcement(&self) -> Result<Announcement, anyhow::Error> {
        let announcement = Announcement::decode(&self.message.payload)?;
        let expected = announcement.subject().to_string();
        anyhow::ensure!(expected == self.message.subject.as_str(), "the payload belongs on `{expected}`");
        Ok(announcement)
    }

    pub(crate) fn traceparent(&self) -> Option<&str> {
        Some(self.message.headers.as_ref()?.get_last(TRACEPARENT)?.as_str())
    }

    /// Its place in the stream.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How often it was delivered, this time included.
    pub(crate) fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// How many messages wait behind it.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// It is done with.
    pub(crate) async fn done(&self) {
        self.answer(AckKind::Ack).await;
    }

    /// It shall come again, after `delay`.
    pub(crate) async fn again(&self, delay: Duration) {
        self.answer(AckKind::Nak(Some(delay))).await;
    }

    /// It shall never come again.
    pub(crate) async fn never(&self) {
        self.answer(AckKind::Term).await;
    }

    /// It is being worked on: do not give it to anybody else yet.
    pub(crate) async fn progress(&self) {
        self.answer(AckKind::Progress).await;
    }

    /// An answer that is lost is a redelivery, which every handler must bear (house rule 2).
    async fn answer(&self, kind: AckKind) {
        if let Err(error) = self.message.ack_with(kind).await {
            tracing::info!(%error, "the bus did not hear our answer; the message will be delivered again");
        }
    }
}
