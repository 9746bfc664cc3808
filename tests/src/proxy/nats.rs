//! Where a message of a NATS client ends (docs.nats.io, "Client Protocol").

use bytes::{Bytes, BytesMut};

use super::wire::{Message, Piece};

/// Cuts a client's bytes into messages.
#[derive(Debug, Default)]
pub(super) struct NatsMessages(BytesMut);

impl NatsMessages {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.0.extend_from_slice(bytes);
        std::iter::from_fn(|| self.next()).collect()
    }

    fn next(&mut self) -> Option<Piece> {
        let line_end = self.0.windows(2).position(|window| window == b"\r\n")? + 2;
        let line = String::from_utf8_lossy(&self.0[..line_end]).into_owned();
        let Some((message, payload)) = publication(&line) else {
            return Some(Piece { bytes: self.take(line_end), message: None });
        };
        let whole = line_end + payload + 2;
        (self.0.len() >= whole).then(|| Piece { bytes: self.take(whole), message: Some(message) })
    }

    fn take(&mut self, count: usize) -> Bytes {
        self.0.split_to(count).freeze()
    }
}

/// What a control line publishes, and how many bytes follow it.
fn publication(line: &str) -> Option<(Message, usize)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (operation, lengths) = match words.first()?.to_ascii_uppercase().as_str() {
        "PUB" => ("PUB", 1),
        "HPUB" => ("HPUB", 2),
        _ => return None,
    };
    let payload = words.last()?.parse().ok()?;
    let reply = (words.len() > 2 + lengths).then(|| words[2]);
    // Without an address for the answer, the server's PONG tells that it has read the message.
    let (nudge, answer) = reply.map_or(("PING\r\n", "PONG"), |reply| ("", reply));
    let key = (*words.get(1)?).to_owned();
    Some((Message { operation, key, nudge, answer: answer.as_bytes().to_vec() }, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let stream =
            b"CONNECT {\"a\":1}\r\nPING\r\nPUB a.b 5\r\nhe\r\no\r\nHPUB c inbox.1 4 6\r\nNNNNpp\r\nSUB x 1\r\n";
        for size in [1, 2, 7, stream.len()] {
            let mut messages = NatsMessages::default();
            let pieces: Vec<Piece> = stream.chunks(size).flat_map(|chunk| messages.push(chunk)).collect();
            let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
            assert_eq!(joined, stream);
            let found: Vec<Message> = pieces.into_iter().filter_map(|piece| piece.message).collect();
            let told: Vec<_> = found.iter().map(|m| (m.operation, m.key.as_str(), m.nudge, &m.answer[..])).collect();
            assert_eq!(told, [("PUB", "a.b", "PING\r\n", &b"PONG"[..]), ("HPUB", "c", "", b"inbox.1")]);
        }
    }
}
