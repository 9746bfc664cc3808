//! From a stream of bytes to verified parts: every MiB is checked against the outboard, where there is one, before it can reach
//! the store.
//!
//! Pure, so that each shape of stream can be tried.

use bytes::{Buf, Bytes, BytesMut};
use custos_domain::outboard::{GROUP, PART};

use crate::expected::Expected;

/// Collects the part under way.
#[derive(Debug)]
pub struct Assembler<'o> {
    expected: &'o Expected,
    part: usize,
    buffer: BytesMut,
}

/// A MiB that is not the declared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadMib {
    /// Which, counted from zero.
    pub mib: usize,
    /// Where to go on: the offset behind the last good MiB.
    pub offset: u64,
}

/// A whole part, every MiB of it verified where that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullPart {
    /// Index from zero.
    pub index: usize,
    /// Its bytes.
    pub bytes: Bytes,
}

impl<'o> Assembler<'o> {
    /// Goes on in `buffer` behind `part` whole parts and a stored `tail`.
    ///
    /// Fails when the tail itself holds a bad MiB, which can only be one that was acknowledged in pieces.
    pub fn resume(expected: &'o Expected, part: usize, tail: &[u8], mut buffer: BytesMut) -> Result<Self, BadMib> {
        buffer.extend_from_slice(tail);
        let assembler = Self { expected, part, buffer };
        (0..tail.len() / mib()).try_for_each(|group| assembler.check(group))?;
        Ok(assembler)
    }

    /// Takes from the front of `bytes`, up to the end of the part. Answers the part when it is whole; call again while bytes are left.
    pub fn take(&mut self, bytes: &mut Bytes) -> Result<Option<FullPart>, BadMib> {
        while !bytes.is_empty() && (self.buffer.len() as u64) < self.part_len() {
            let group = self.buffer.len() / mib();
            let end = (((group + 1) * mib()) as u64).min(self.part_len());
            let room = usize::try_from(end).unwrap_or(usize::MAX) - self.buffer.len();
            let now = room.min(bytes.len());
            self.buffer.extend_from_slice(&bytes[..now]);
            bytes.advance(now);
            if now == room
                && let Err(bad) = self.check(group)
            {
                // What was bad is forgotten: only verified bytes may still be stored.
                self.buffer.truncate(group * mib());
                return Err(bad);
            }
        }
        if self.buffer.is_empty() || (self.buffer.len() as u64) < self.part_len() {
            return Ok(None);
        }
        let full = FullPart { index: self.part, bytes: std::mem::take(&mut self.buffer).freeze() };
        self.part += 1;
        Ok(Some(full))
    }

    /// Goes on in this buffer with the next part. For when one has just become whole.
    pub fn go_on_in(&mut self, buffer: BytesMut) {
        self.buffer = buffer;
    }

    /// The offset behind the last byte taken.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.base() + self.buffer.len() as u64
    }

    /// Bytes of the part under way: where they begin, and those of them that are whole verified MiB. Without an outboard nothing
    /// can be verified and nothing be refused: all of them.
    #[must_use]
    pub fn verified_tail(&self) -> (u64, &[u8]) {
        match self.expected {
            Expected::Outboard(_) => (self.base(), &self.buffer[..self.buffer.len() / mib() * mib()]),
            Expected::Length(_) => self.tail(),
        }
    }

    /// All bytes of the part under way, the last MiB of them unfinished and so unverified.
    #[must_use]
    pub fn tail(&self) -> (u64, &[u8]) {
        (self.base(), &self.buffer)
    }

    fn base(&self) -> u64 {
        (self.part as u64 * PART).min(self.expected.layout().len())
    }

    fn part_len(&self) -> u64 {
        self.expected.layout().part_len(self.part)
    }

    /// Checks one MiB of the buffer, or the item's last piece.
    fn check(&self, group: usize) -> Result<(), BadMib> {
        let index = self.part * usize::try_from(PART / GROUP).unwrap_or_default() + group;
        let start = group * mib();
        let end = (start + mib()).min(self.buffer.len());
        if self.expected.admits(index, &self.buffer[start..end]) {
            return Ok(());
        }
        Err(BadMib { mib: index, offset: self.base() + start as u64 })
    }
}

fn mib() -> usize {
    usize::try_from(GROUP).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use custos_domain::outboard::{Layout, OutboardBuilder};

    use super::*;

    fn data(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from((i * 7 + i / 509) % 253).unwrap_or(0)).collect()
    }

    fn outboard(data: &[u8]) -> Expected {
        let mut builder = OutboardBuilder::default();
        builder.update(data);
        Expected::Outboard(builder.finish().expect("outboard"))
    }

    /// Sends `data` from the assembler's offset in pieces; answers the parts and what stopped it.
    fn send(assembler: &mut Assembler<'_>, data: &[u8], step: usize) -> (Vec<FullPart>, Option<BadMib>) {
        let mut parts = Vec::new();
        let start = usize::try_from(assembler.offset()).expect("usize");
        for chunk in data[start..].chunks(step) {
            let mut bytes = Bytes::copy_from_slice(chunk);
            while !bytes.is_empty() {
                match assembler.take(&mut bytes) {
                    Ok(part) => parts.extend(part),
                    Err(bad) => return (parts, Some(bad)),
                }
            }
        }
        (parts, None)
    }

    #[test]
    fn any_pieces_make_the_same_parts() {
        for len in [1, mib() - 1, mib(), 8 * mib(), 8 * mib() + 1, 17 * mib() + 3] {
            let (data, step) = (data(len), 333_333);
            let unknown = Expected::Length(Layout::of(len as u64).expect("layout"));
            for expected in [outboard(&data), unknown] {
                let mut assembler = Assembler::resume(&expected, 0, &[], BytesMut::new()).expect("assembler");
                let (parts, bad) = send(&mut assembler, &data, step);
                assert_eq!(bad, None);
                assert_eq!(parts.iter().map(|p| p.bytes.as_ref()).collect::<Vec<_>>().concat(), data);
                assert_eq!(assembler.offset(), len as u64);
                assert!(assembler.tail().1.is_empty());
            }
        }
    }

    #[test]
    fn without_an_outboard_every_byte_is_kept_and_the_number_still_counts() {
        let expected = Expected::Length(Layout::of(9 << 20).expect("layout"));
        let mut assembler = Assembler::resume(&expected, 0, &[], BytesMut::new()).expect("assembler");
        send(&mut assembler, &data(8 * mib() + 77), 4096);
        assert_eq!(assembler.verified_tail(), (8 << 20, &data(8 * mib() + 77)[8 * mib()..]));
        let (parts, _) = send(&mut assembler, &data(9 * mib()), 4096);
        assert_eq!((parts.len(), assembler.offset()), (1, 9 << 20));
        let mut beyond = Bytes::from_static(b"x");
        assert_eq!((assembler.take(&mut beyond), beyond.len()), (Ok(None), 1));
    }

    #[test]
    fn a_flipped_bit_stops_at_its_mib_and_keeps_what_is_before() {
        let good = data(11 * mib() + 5);
        let outboard = outboard(&good);
        let mut bad = good.clone();
        bad[10 * mib() + 77] ^= 0x10;
        let mut assembler = Assembler::resume(&outboard, 0, &[], BytesMut::new()).expect("assembler");
        let (parts, stopped) = send(&mut assembler, &bad, 65_536);
        assert_eq!(stopped, Some(BadMib { mib: 10, offset: 10 << 20 }));
        assert_eq!(parts.len(), 1);
        assert_eq!(assembler.verified_tail(), (8 << 20, &good[8 * mib()..10 * mib()]));
        assert_eq!(assembler.offset(), 10 << 20);
        let (parts, stopped) = send(&mut assembler, &good, 65_536);
        assert_eq!((parts.len(), stopped), (1, None));
    }

    #[test]
    fn a_stored_tail_is_checked_again() {
        let good = data(3 * mib());
        let outboard = outboard(&good);
        let half = mib() + mib() / 2;
        let mut assembler = Assembler::resume(&outboard, 0, &good[..half], BytesMut::new()).expect("assembler");
        assert_eq!(assembler.verified_tail().1.len(), mib());
        assert_eq!(send(&mut assembler, &good, 1000).0.len(), 1);
        let mut rotten = good[..half].to_vec();
        rotten[3] ^= 1;
        assert_eq!(
            Assembler::resume(&outboard, 0, &rotten, BytesMut::new()).map(drop),
            Err(BadMib { mib: 0, offset: 0 })
        );
    }
}
