//! Dead letters: messages a service rejected, with the reason, in a stream of their own for a person to look at.

use async_nats::{HeaderMap, HeaderValue, header};

use super::{Bus, BusError, delivered::Delivered, topology};

/// Header of a dead letter: why it was rejected.
pub const REASON: &str = "Custos-Reason";
/// Header of a dead letter: the subject it came on.
pub const SUBJECT: &str = "Custos-Subject";
/// Header of a dead letter: its id as a message, which is the fact's id.
pub const MESSAGE_ID: &str = "Custos-Message-Id";
/// Header of a dead letter: its place in its stream.
pub const SEQUENCE: &str = "Custos-Sequence";
/// Header of a dead letter: how often it had been delivered.
pub const DELIVERIES: &str = "Custos-Deliveries";

/// Longest reason, in characters; a whole error chain fits.
const MAX_REASON: usize = 1000;

impl Bus {
    /// Writes a message to the stream of dead letters.
    pub(crate) async fn bury(&self, delivered: &Delivered, reason: &str) -> Result<(), BusError> {
        let headers = headers(self.service(), delivered, reason);
        let payload = delivered.message().payload.to_vec();
        self.publish(topology::dead_subject(self.service()), headers, payload).await.map(drop)
    }
}

fn headers(service: &str, delivered: &Delivered, reason: &str) -> HeaderMap {
    let message = delivered.message();
    let (sequence, deliveries) = (delivered.sequence().to_string(), delivered.deliveries().to_string());
    let original =
        message.headers.as_ref().and_then(|headers| headers.get_last(header::NATS_MESSAGE_ID)).map(HeaderValue::as_str);
    let mut headers = carried(message.headers.as_ref());
    // One for each service and message: a second service's rejection of the same fact is another letter.
    put(&mut headers, header::NATS_MESSAGE_ID, &format!("{service}.{sequence}.{}", original.unwrap_or_default()));
    put(&mut headers, REASON, reason);
    put(&mut headers, SUBJECT, message.subject.as_str());
    put(&mut headers, MESSAGE_ID, original.unwrap_or_default());
    put(&mut headers, SEQUENCE, &sequence);
    put(&mut headers, DELIVERIES, &deliveries);
    headers
}

/// The original's own headers, without those that would tell the server what to do.
fn carried(original: Option<&HeaderMap>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in original.into_iter().flat_map(HeaderMap::iter) {
        if !name.to_string().to_ascii_lowercase().starts_with("nats-") {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    headers
}

fn put(headers: &mut HeaderMap, name: impl async_nats::header::IntoHeaderName, text: &str) {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect();
    if let Ok(value) = line.parse::<HeaderValue>() {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_carries_no_orders_for_the_server() {
        let mut original = HeaderMap::new();
        original.insert("traceparent", "00-a-b-01");
        original.insert("Nats-Rollup", "all");
        original.insert("NATS-TTL", "1s");
        original.append("X", "1");
        original.append("X", "2");
        let carried = carried(Some(&original));
        assert_eq!(carried.len(), 2);
        assert_eq!(carried.get("traceparent").map(HeaderValue::as_str), Some("00-a-b-01"));
        assert_eq!(carried.get_all("X").count(), 2);
    }

    #[test]
    fn a_reason_of_any_text_is_one_header_line() {
        let mut headers = HeaderMap::new();
        put(&mut headers, REASON, &format!("壞\r\nNats-Rollup: all\0{}", "x".repeat(2 * MAX_REASON)));
        let reason = headers.get(REASON).expect("reason").as_str();
        assert!(reason.starts_with("壞  Nats-Rollup: all x"), "{reason}");
        assert_eq!(reason.chars().count(), MAX_REASON);
    }
}
