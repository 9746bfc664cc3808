//! What the request that brought an item's last byte knows of it, so that its commit need not ask the store for it again.

use std::collections::BTreeMap;

use custos_domain::manifest::StoredObject;
use custos_platform::vault::multipart::Part;

use crate::{progress::Received, target::Made};

/// What is known of an item whose bytes are all in the store. Knowing nothing is always right: then the store is asked.
#[derive(Debug, Default)]
pub struct Landed {
    /// The object, when it is made, or the parts to make it of.
    pub bytes: Option<Bytes>,
    /// Whether the upload left nothing in the intake bucket but its session.
    pub clean: bool,
}

/// Where an item's bytes are.
#[derive(Debug)]
pub enum Bytes {
    /// In the one object that was created with them.
    Object(StoredObject),
    /// In these parts, each of which the store acknowledged.
    Parts(Received),
}

impl Landed {
    /// What was there before an append, and what it made.
    #[must_use]
    pub fn of(before: &Received, made: Vec<Made>, parts: usize) -> Self {
        let mut all: BTreeMap<usize, Part> = before.parts.clone();
        for made in made {
            match made {
                Made::Object(object) => return Self { bytes: Some(Bytes::Object(object)), clean: false },
                Made::Part(index, part) => {
                    all.insert(index, part);
                }
                Made::Before => {}
            }
        }
        let whole = (0..parts).all(|index| all.contains_key(&index));
        let bytes = whole.then_some(Bytes::Parts(Received { parts: all, contiguous: parts, tail: None }));
        Self { bytes, clean: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: i32) -> Part {
        Part { number, length: 8, etag: "e".into(), crc: None }
    }

    #[test]
    fn parts_of_before_and_now_make_a_whole_and_a_missing_one_does_not() {
        let before = Received { parts: BTreeMap::from([(0, part(1))]), contiguous: 1, tail: None };
        let now = || vec![Made::Part(1, part(2)), Made::Before];
        match Landed::of(&before, now(), 2).bytes {
            Some(Bytes::Parts(received)) => assert_eq!((received.parts.len(), received.contiguous), (2, 2)),
            other => panic!("{other:?}"),
        }
        assert!(Landed::of(&before, now(), 3).bytes.is_none());
        assert!(Landed::of(&Received::default(), now(), 2).bytes.is_none());
    }
}
