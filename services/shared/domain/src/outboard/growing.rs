//! An outboard that grows part by part, for a client that brings none: what every MiB is becomes known only as it arrives.

use super::{GROUP, Outboard, OutboardError, PART, check_len, group_value, parts_of};
use crate::digest::Crc64;

/// How an item of a known length is cut into parts and MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    len: u64,
}

impl Layout {
    /// The cuts of an item of `len` bytes; none of an empty or overlong one.
    pub fn of(len: u64) -> Result<Self, OutboardError> {
        check_len(len)?;
        Ok(Self { len })
    }

    /// The item's length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the length of the item, which is never empty")]
    pub fn len(self) -> u64 {
        self.len
    }

    /// How many parts the item has.
    #[must_use]
    pub fn parts(self) -> usize {
        parts_of(self.len)
    }

    /// Bytes in part `index`, counted from zero; zero past the end.
    #[must_use]
    pub fn part_len(self, index: usize) -> u64 {
        self.len.saturating_sub(PART.saturating_mul(index as u64)).min(PART)
    }

    /// Whether the item has a single group: then its value is the root itself.
    fn only_group(self) -> bool {
        self.len <= GROUP
    }

    /// MiB in part `index`.
    fn groups(self, index: usize) -> usize {
        usize::try_from(self.part_len(index).div_ceil(GROUP)).unwrap_or(usize::MAX)
    }
}

/// What one part adds to the outboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartValues {
    groups: Vec<[u8; 32]>,
    crc: Crc64,
}

impl PartValues {
    /// The values of part `index`; none when `bytes` have another length than this part has.
    #[must_use]
    pub fn of(layout: Layout, index: usize, bytes: &[u8]) -> Option<Self> {
        let fits = !bytes.is_empty() && bytes.len() as u64 == layout.part_len(index);
        let first = index * usize::try_from(PART / GROUP).ok()?;
        let chunks = bytes.chunks(usize::try_from(GROUP).ok()?).zip(first..);
        let groups = chunks.map(|(group, at)| group_value(at, group, layout.only_group())).collect();
        fits.then(|| Self { groups, crc: Crc64::of(bytes) })
    }

    /// The checksum of the part.
    #[must_use]
    pub fn crc(&self) -> Crc64 {
        self.crc
    }

    /// The values of the MiB, 32 bytes each. The checksum is not among them: whoever keeps them names them by it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.groups.as_flattened().to_vec()
    }

    /// Reads what [`PartValues::encode`] wrote for part `index`; none when it has another size than this part needs.
    #[must_use]
    pub fn decode(layout: Layout, index: usize, crc: Crc64, bytes: &[u8]) -> Option<Self> {
        let (groups, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && !groups.is_empty() && groups.len() == layout.groups(index);
        fits.then(|| Self { groups: groups.to_vec(), crc })
    }
}

impl Outboard {
    /// The outboard of an item by the values of all its parts, in order.
    pub fn of_parts(layout: Layout, parts: &[PartValues]) -> Result<Self, OutboardError> {
        let groups: Vec<[u8; 32]> = parts.iter().flat_map(|part| part.groups.iter().copied()).collect();
        let found = Self { len: layout.len, groups, parts: parts.iter().map(|part| part.crc).collect() };
        let (expected, size) = (Self::encoded_len(layout.len), found.encode().len() as u64);
        if size != expected || parts.len() != layout.parts() {
            return Err(OutboardError::Size { len: layout.len, expected, found: size });
        }
        Ok(found)
    }

    /// How the item is cut.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout { len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Root, outboard::OutboardBuilder};

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from((i * 31 + i / 251) % 251).unwrap_or(0)).collect()
    }

    fn values(data: &[u8]) -> Vec<PartValues> {
        let layout = Layout::of(data.len() as u64).expect("layout");
        let parts = data.chunks(usize::try_from(PART).expect("part")).enumerate();
        parts.map(|(index, part)| PartValues::of(layout, index, part).expect("values")).collect()
    }

    #[test]
    fn parts_in_any_company_add_up_to_the_outboard_of_the_whole() {
        let mib = 1 << 20;
        for len in [1, mib - 1, mib, mib + 1, 8 * mib - 1, 8 * mib, 8 * mib + 1, 9 * mib, 17 * mib + 5, 24 * mib] {
            let data = bytes(len);
            let mut builder = OutboardBuilder::default();
            builder.update(&data);
            let whole = builder.finish().expect("outboard");
            let layout = Layout::of(len as u64).expect("layout");
            let parts = values(&data);
            let again: Vec<_> =
                (0..).zip(&parts).map(|(i, p)| PartValues::decode(layout, i, p.crc(), &p.encode())).collect();
            let again: Vec<_> = again.into_iter().map(|part| part.expect("kept")).collect();
            let grown = Outboard::of_parts(layout, &again).expect("grown");
            assert_eq!(grown, whole, "{len}");
            assert_eq!(grown.root(), Root::of(&data), "{len}");
            assert_eq!(grown.layout(), layout);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let data = bytes(17 << 20);
        let (layout, parts) = (Layout::of(17 << 20).expect("layout"), values(&data));
        assert!(PartValues::of(layout, 0, &data[..5]).is_none());
        assert!(PartValues::of(layout, 3, &[]).is_none());
        assert!(PartValues::decode(layout, 0, Crc64(0), &[0; 33]).is_none());
        assert!(PartValues::decode(layout, 2, Crc64(0), &parts[0].encode()).is_none());
        assert!(PartValues::decode(layout, 9, Crc64(0), &[]).is_none());
        assert!(Outboard::of_parts(layout, &parts[..2]).is_err());
        assert!(Outboard::of_parts(layout, &[&parts[..], &parts[2..]].concat()).is_err());
        assert_eq!(Layout::of(0), Err(OutboardError::Empty));
    }
}
