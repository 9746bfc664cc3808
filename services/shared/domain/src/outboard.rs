//! The outboard: the BLAKE3 value of every MiB and the CRC64NVME of every 8 MiB part, 33 KiB a GiB.
//!
//! The dock sends it before the bytes. From then on any replica of ingest can check any MiB on arrival with nothing to
//! remember, and years later any byte range can be checked against the signed root.
//!
//! This is the only module that touches `blake3::hazmat`. The merge functions there cannot notice a wrong shape, so nothing of
//! them is exposed, and the property tests below compare every shape with `blake3::hash`.

mod growing;

use blake3::hazmat::{ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};

pub use self::growing::{Layout, PartValues};
use crate::digest::{Crc64, Root};

/// Bytes under one BLAKE3 value: the smallest unit that is refused, re-sent or localised when damaged.
pub const GROUP: u64 = 1 << 20;
/// Bytes in one part of a multipart upload; a power of two multiple of [`GROUP`].
pub const PART: u64 = 8 << 20;
/// Longest item: S3 allows 10,000 parts.
pub const MAX_LEN: u64 = 10_000 * PART;

const MAGIC: &[u8; 16] = b"custos-outboard1";

/// The values under an item's root. Valid by construction: lengths fit, and [`Outboard::root`] is what they add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outboard {
    len: u64,
    groups: Vec<[u8; 32]>,
    parts: Vec<Crc64>,
}

/// Why bytes are not an outboard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboardError {
    /// The first bytes are not the format's.
    #[error("not an outboard: it does not start with `custos-outboard1`")]
    Magic,
    /// An empty item has nothing to prove.
    #[error("an item of zero bytes has no outboard")]
    Empty,
    /// Longer than the store takes in one object.
    #[error("an item of {0} bytes is longer than the limit of {MAX_LEN}")]
    TooLong(u64),
    /// The number of values does not fit the length.
    #[error("an item of {len} bytes needs an outboard of {expected} bytes, this one has {found}")]
    Size {
        /// The item's length.
        len: u64,
        /// Bytes the outboard must have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
}

impl Outboard {
    /// Bytes of the encoded outboard of an item of `len` bytes.
    #[must_use]
    pub fn encoded_len(len: u64) -> u64 {
        24 + 32 * len.div_ceil(GROUP) + 8 * len.div_ceil(PART)
    }

    /// Reads `magic | u64 length | 32 bytes a MiB | 8 bytes a part`, integers big-endian.
    pub fn decode(bytes: &[u8]) -> Result<Self, OutboardError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(OutboardError::Magic)?;
        let (len, rest) = rest.split_first_chunk::<8>().ok_or(OutboardError::Magic)?;
        let len = u64::from_be_bytes(*len);
        check_len(len)?;
        let expected = Self::encoded_len(len);
        if bytes.len() as u64 != expected {
            return Err(OutboardError::Size { len, expected, found: bytes.len() as u64 });
        }
        let (groups, parts) = rest.split_at(rest.len() - 8 * parts_of(len));
        let groups = groups.as_chunks::<32>().0.to_vec();
        let parts = parts.as_chunks::<8>().0.iter().map(|crc| Crc64(u64::from_be_bytes(*crc))).collect();
        Ok(Self { len, groups, parts })
    }

    /// Writes what [`Outboard::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.len.to_be_bytes());
        bytes.extend(self.groups.as_flattened());
        bytes.extend(self.parts.iter().flat_map(|crc| crc.0.to_be_bytes()));
        bytes
    }

    /// The item's length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the length of the item, which is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The root the values add up to: equal to BLAKE3 of the whole item.
    #[must_use]
    pub fn root(&self) -> Root {
        match self.groups.as_slice() {
            // A single group has no parent: its value is the root itself.
            [only] => Root(*only),
            groups => {
                let (left, right) = split(groups, self.len);
                Root(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
            }
        }
    }

    /// The full-object CRC64NVME the part values combine to.
    #[must_use]
    pub fn crc(&self) -> Crc64 {
        let mut parts = self.parts.iter().zip(0..);
        let first = parts.next().map_or(Crc64(0), |(crc, _)| *crc);
        parts.fold(first, |crc, (next, index)| crc.then(*next, self.part_len(index)))
    }

    /// How many parts the item has.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The checksum of part `index`, counted from zero.
    #[must_use]
    pub fn part_crc(&self, index: usize) -> Option<Crc64> {
        self.parts.get(index).copied()
    }

    /// Bytes in part `index`; zero past the end.
    #[must_use]
    pub fn part_len(&self, index: usize) -> u64 {
        self.len.saturating_sub(PART.saturating_mul(index as u64)).min(PART)
    }

    /// Bytes in group `index`; zero past the end.
    #[must_use]
    pub fn group_len(&self, index: usize) -> u64 {
        self.len.saturating_sub(GROUP.saturating_mul(index as u64)).min(GROUP)
    }

    /// Whether `bytes` are group `index` of the item.
    #[must_use]
    pub fn group_matches(&self, index: usize, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.group_len(index)
            && self.groups.get(index).is_some_and(|value| *value == group_value(index, bytes, self.groups.len() == 1))
    }
}

/// Builds an outboard while reading an item front to back.
#[derive(Debug)]
pub struct OutboardBuilder {
    group: Vec<u8>,
    groups: Vec<[u8; 32]>,
    part: crc_fast::Digest,
    part_len: u64,
    parts: Vec<Crc64>,
    len: u64,
}

impl Default for OutboardBuilder {
    fn default() -> Self {
        Self { group: Vec::new(), groups: Vec::new(), part: new_crc(), part_len: 0, parts: Vec::new(), len: 0 }
    }
}

impl OutboardBuilder {
    /// Takes the item's next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            // A full group is closed only when more follows: the very first may turn out to be the whole item.
            if self.group.len() as u64 == GROUP {
                self.close_group(false);
            }
            let room = usize::try_from(GROUP).unwrap_or(usize::MAX) - self.group.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.group.extend_from_slice(now);
            self.part.update(now);
            self.part_len += now.len() as u64;
            if self.part_len == PART {
                self.close_part();
            }
            bytes = later;
        }
    }

    /// The outboard of all bytes taken.
    pub fn finish(mut self) -> Result<Outboard, OutboardError> {
        check_len(self.len)?;
        let only = self.groups.is_empty();
        self.close_group(only);
        if self.part_len > 0 {
            self.close_part();
        }
        Ok(Outboard { len: self.len, groups: self.groups, parts: self.parts })
    }

    fn close_group(&mut self, only: bool) {
        self.groups.push(group_value(self.groups.len(), &self.group, only));
        self.group.clear();
    }

    fn close_part(&mut self) {
        self.parts.push(Crc64(self.part.finalize()));
        self.part = new_crc();
        self.part_len = 0;
    }
}

fn new_crc() -> crc_fast::Digest {
    crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme)
}

fn check_len(len: u64) -> Result<(), OutboardError> {
    match len {
        0 => Err(OutboardError::Empty),
        len if len > MAX_LEN => Err(OutboardError::TooLong(len)),
        _ => Ok(()),
    }
}

fn parts_of(len: u64) -> usize {
    usize::try_from(len.div_ceil(PART)).unwrap_or(usize::MAX)
}

/// The value of one group: the root itself when the item has no other.
fn group_value(index: usize, bytes: &[u8], only: bool) -> [u8; 32] {
    if only {
        return *blake3::hash(bytes).as_bytes();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(GROUP * index as u64).update(bytes);
    hasher.finalize_non_root()
}

/// Folds `groups`, which cover `len` bytes, into the two subtrees under their parent. Needs at least two groups.
fn split(groups: &[[u8; 32]], len: u64) -> (ChainingValue, ChainingValue) {
    let left_len = left_subtree_len(len);
    let (left, right) = groups.split_at(usize::try_from(left_len / GROUP).unwrap_or(usize::MAX));
    (subtree(left, left_len), subtree(right, len - left_len))
}

fn subtree(groups: &[[u8; 32]], len: u64) -> ChainingValue {
    match groups {
        [only] => *only,
        groups => {
            let (left, right) = split(groups, len);
            merge_subtrees_non_root(&left, &right, Mode::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from((i * 31 + i / 251) % 251).unwrap_or(0)).collect()
    }

    fn build(bytes: &[u8], step: usize) -> Outboard {
        let mut builder = OutboardBuilder::default();
        bytes.chunks(step).for_each(|chunk| builder.update(chunk));
        builder.finish().expect("outboard")
    }

    #[test]
    fn adds_up_to_blake3_and_crc_at_every_boundary() {
        let mib = 1 << 20;
        for len in [1, 1024, mib - 1, mib, mib + 1, 2 * mib, 3 * mib + 7, 8 * mib, 8 * mib + 1, 17 * mib + 5] {
            let data = bytes(len);
            let outboard = build(&data, 300_007);
            assert_eq!(outboard.root(), Root::of(&data), "{len}");
            assert_eq!(outboard.crc(), Crc64::of(&data), "{len}");
            assert_eq!(outboard.encode().len() as u64, Outboard::encoded_len(len as u64));
            assert_eq!(Outboard::decode(&outboard.encode()), Ok(outboard.clone()));
            for (index, group) in data.chunks(mib).enumerate() {
                assert!(outboard.group_matches(index, group), "{len} group {index}");
                let mut flipped = group.to_vec();
                flipped[group.len() / 2] ^= 1;
                assert!(!outboard.group_matches(index, &flipped), "{len} flipped group {index}");
            }
        }
    }

    #[test]
    fn a_group_is_not_taken_at_another_place() {
        let data = vec![7; 3 << 20];
        let outboard = build(&data, 1 << 20);
        assert!(outboard.group_matches(0, &data[..1 << 20]));
        let swapped = Outboard { groups: vec![outboard.groups[1], outboard.groups[0], outboard.groups[2]], ..outboard };
        assert!(!swapped.group_matches(0, &data[..1 << 20]));
        assert_ne!(swapped.root(), Root::of(&data));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(OutboardBuilder::default().finish(), Err(OutboardError::Empty));
        let mut huge = MAGIC.to_vec();
        huge.extend(u64::MAX.to_be_bytes());
        assert_eq!(Outboard::decode(&huge), Err(OutboardError::TooLong(u64::MAX)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_length_adds_up(len in 1_usize..5_000_000, step in 1_usize..2_000_000) {
            let data = bytes(len);
            let outboard = build(&data, step);
            prop_assert_eq!(outboard.root(), Root::of(&data));
            prop_assert_eq!(outboard.crc(), Crc64::of(&data));
        }

        #[test]
        fn any_bytes_decode_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Outboard::decode(&[MAGIC.as_slice(), &bytes].concat());
        }
    }
}
