//! Where a message of a PostgreSQL client ends, and which statement it runs (PostgreSQL manual, 54.7 "Message Formats").

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use super::wire::{Message, Piece};

/// Request codes of the untyped first messages: TLS and GSSAPI asked for, a query cancelled. All others begin a session.
const NOT_A_START: [u32; 3] = [80_877_103, 80_877_104, 80_877_102];

/// ReadyForQuery: every answer ends with it.
const READY: &[u8] = b"Z\0\0\0\x05";

/// Cuts a client's bytes into messages.
#[derive(Debug, Default)]
pub(super) struct PostgresMessages {
    buffer: BytesMut,
    started: bool,
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
    /// The statement run last: Sync ends it.
    last: String,
}

impl PostgresMessages {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.buffer.extend_from_slice(bytes);
        std::iter::from_fn(|| self.next()).collect()
    }

    fn next(&mut self) -> Option<Piece> {
        // The type byte is missing from the first messages, and not counted in the length.
        let type_len = usize::from(self.started);
        let length = u32::from_be_bytes(self.buffer.get(type_len..type_len + 4)?.try_into().ok()?);
        let whole = type_len + usize::try_from(length).ok()?.max(4);
        if self.buffer.len() < whole {
            return None;
        }
        let bytes = self.buffer.split_to(whole).freeze();
        if self.started {
            return Some(Piece { message: self.message(&bytes), bytes });
        }
        let code = bytes.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
        self.started = code.is_some_and(|code| !NOT_A_START.contains(&code));
        Some(Piece { bytes, message: None })
    }

    fn message(&mut self, bytes: &Bytes) -> Option<Message> {
        let mut texts = bytes.get(5..)?.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let mut text = || texts.next().unwrap_or_default();
        let (operation, key) = match bytes[0] {
            b'Q' => ("Query", text()),
            b'P' => {
                let (name, statement) = (text(), text());
                self.statements.insert(name, statement.clone());
                ("Parse", statement)
            }
            b'B' => {
                let (portal, name) = (text(), text());
                let statement = self.statements.get(&name).cloned().unwrap_or_default();
                self.portals.insert(portal, statement);
                return None;
            }
            b'E' => ("Execute", self.portals.get(&text()).cloned().unwrap_or_default()),
            b'S' => ("Sync", self.last.clone()),
            _ => return None,
        };
        self.last.clone_from(&key);
        Some(Message { operation, key, nudge: "", answer: READY.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    #[test]
    fn messages_and_their_statements_are_found_however_the_bytes_are_cut() {
        let start = [&16_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"user\0x\0\0"].concat();
        let start = [&u32::try_from(start.len()).expect("short").to_be_bytes()[..], &start[4..]].concat();
        let stream = [
            [8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat(),
            start,
            typed(b'p', b"secret\0"),
            typed(b'P', b"s1\0SELECT 1\0\0\0"),
            typed(b'B', b"\0s1\0\0\0\0\0\0\0"),
            typed(b'E', b"\0\0\0\0\0"),
            typed(b'S', b""),
            typed(b'Q', b"COMMIT\0"),
        ]
        .concat();
        for size in [1, 3, stream.len()] {
            let mut messages = PostgresMessages::default();
            let pieces: Vec<Piece> = stream.chunks(size).flat_map(|chunk| messages.push(chunk)).collect();
            let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
            assert_eq!(joined, stream);
            let found: Vec<Message> = pieces.into_iter().filter_map(|piece| piece.message).collect();
            let told: Vec<_> = found.iter().map(|message| (message.operation, message.key.as_str())).collect();
            let expected = [("Parse", "SELECT 1"), ("Execute", "SELECT 1"), ("Sync", "SELECT 1"), ("Query", "COMMIT")];
            assert_eq!(told, expected);
        }
    }
}
