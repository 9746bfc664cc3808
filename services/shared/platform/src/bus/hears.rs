use std::time::Duration;

use async_nats::{client::RequestErrorKind, jetstream::ErrorCode};
use serde::Deserialize;

use super::{
    Bus,
    topology::{self, FOOTAGE},
};

/// Longest wait for an answer; shorter than a readiness check.
const LIMIT: Duration = Duration::from_millis(1500);

/// Why nothing will ever be delivered to this service, although the bus is there.
#[derive(Debug, thiserror::Error)]
pub enum DeafError {
    /// The stream was never made, or was deleted.
    #[error("the bus has no stream {FOOTAGE}; run the provisioner, which makes it")]
    NoStream,
    /// The consumer was never made, or was deleted.
    #[error("the bus has no consumer {0} on stream {FOOTAGE}; run the provisioner, which makes it")]
    NoConsumer(String),
    /// Nobody answers for streams.
    #[error("the bus runs without JetStream; add `jetstream {{ sync_interval: always }}` to its configuration")]
    NoJetStream,
}

impl Bus {
    /// Whether the bus keeps a consumer for this service, which has its name; what is announced would wait for nobody without it.
    ///
    /// Fails only on the bus's own word. While it is away, or does not answer in time, nothing is known, and nothing is wrong:
    /// the worker asks again until it is back.
    pub async fn hears(&self) -> Result<(), DeafError> {
        if !self.is_connected() {
            return Ok(());
        }
        let asked = self.client.request(topology::info_subject(self.service()), "".into());
        match tokio::time::timeout(LIMIT, asked).await {
            Ok(Ok(answer)) => judge(self.service(), &answer.payload),
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Err(DeafError::NoJetStream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the bus was not asked for the consumer");
                Ok(())
            }
            Err(_elapsed) => {
                tracing::debug!("the bus did not say in time whether there is a consumer");
                Ok(())
            }
        }
    }
}

/// What we look at in an answer of the JetStream API.
#[derive(Debug, Deserialize)]
struct Answer {
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    err_code: ErrorCode,
}

fn judge(service: &str, answer: &[u8]) -> Result<(), DeafError> {
    match serde_json::from_slice(answer) {
        Ok(Answer { error: Some(Refusal { err_code: ErrorCode::STREAM_NOT_FOUND }) }) => Err(DeafError::NoStream),
        Ok(Answer { error: Some(Refusal { err_code: ErrorCode::CONSUMER_NOT_FOUND }) }) => {
            Err(DeafError::NoConsumer(service.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_it_is_missing_say_so() {
        let consumer = br#"{"type":"io.nats.jetstream.api.v1.consumer_info_response","error":{"code":404,"err_code":10014,"description":"consumer not found"}}"#;
        let error = judge("hashing", consumer).expect_err("no consumer").to_string();
        assert!(error.contains("no consumer hashing") && error.contains("run the provisioner"), "{error}");
        let stream = br#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        assert!(matches!(judge("hashing", stream), Err(DeafError::NoStream)));
        for known in
            [&br#"{"stream_name":"FOOTAGE","name":"hashing"}"#[..], br#"{"error":{"code":503,"err_code":10008}}"#, b"?"]
        {
            assert!(judge("hashing", known).is_ok());
        }
    }
}
