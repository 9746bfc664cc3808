//! Bytes going one way, and what becomes of them on the way.

use std::time::Duration;

use bytes::Bytes;

use super::{Fault, Side};

/// What to do next with bytes that came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Pass these on.
    Send(Bytes),
    /// Wait.
    Sleep(Duration),
    /// Pass nothing on any more and close.
    Cut,
}

/// One direction, from the byte on at which a fault was struck.
#[derive(Debug, Default)]
pub(super) struct Lane {
    passed: u64,
    cut: Option<u64>,
    flip: Option<u64>,
    drip: Option<(usize, Duration)>,
}

impl Lane {
    /// What `fault` makes of the direction `side`; most faults leave it as it is.
    pub(super) fn of(fault: Option<&Fault>, side: Side) -> Self {
        let mut lane = Self::default();
        match fault {
            Some(Fault::Cut(of, at)) if *of == side => lane.cut = Some(*at),
            Some(Fault::Flip(of, at)) if *of == side => lane.flip = Some(*at),
            Some(Fault::Drip(of, bytes, pause)) if *of == side => lane.drip = Some(((*bytes).max(1), *pause)),
            _ => {}
        }
        lane
    }

    /// What to do with the next bytes.
    pub(super) fn steps(&mut self, mut bytes: Bytes) -> Vec<Step> {
        let start = self.passed;
        if self.cut.is_some_and(|at| at < start) {
            return vec![Step::Cut];
        }
        self.passed += bytes.len() as u64;
        if let Some(index) = self.flip.and_then(|at| index_in(at, start, bytes.len())) {
            let mut changed = bytes.to_vec();
            changed[index] ^= 1;
            bytes = changed.into();
        }
        let mut steps = Vec::new();
        let cut = self.cut.and_then(|at| index_in(at, start, bytes.len()));
        if let Some(index) = cut {
            bytes.truncate(index);
        }
        match self.drip {
            None if !bytes.is_empty() => steps.push(Step::Send(bytes)),
            None => {}
            Some((size, pause)) => {
                while !bytes.is_empty() {
                    steps.extend([Step::Sleep(pause), Step::Send(bytes.split_to(size.min(bytes.len())))]);
                }
            }
        }
        if cut.is_some() {
            steps.push(Step::Cut);
        }
        steps
    }
}

/// The index of byte `at` in a piece of `len` bytes that begins at `start`.
fn index_in(at: u64, start: u64, len: usize) -> Option<usize> {
    let index = usize::try_from(at.checked_sub(start)?).ok()?;
    (index < len).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(lane: &mut Lane, pieces: &[&'static str]) -> (String, bool) {
        let steps: Vec<Step> =
            pieces.iter().flat_map(|piece| lane.steps(Bytes::from_static(piece.as_bytes()))).collect();
        let sent = steps.iter().filter_map(|step| if let Step::Send(bytes) = step { Some(&bytes[..]) } else { None });
        (String::from_utf8_lossy(&sent.collect::<Vec<_>>().concat()).into_owned(), steps.contains(&Step::Cut))
    }

    #[test]
    fn positions_count_over_all_pieces() {
        let pieces = ["abc", "def", "ghi"];
        for (fault, text, cut) in [
            (Fault::Tell, "abcdefghi", false),
            (Fault::Cut(Side::Request, 4), "abcd", true),
            (Fault::Cut(Side::Request, 0), "", true),
            (Fault::Cut(Side::Request, 9), "abcdefghi", false),
            (Fault::Cut(Side::Answer, 4), "abcdefghi", false),
            (Fault::Flip(Side::Request, 3), "abceefghi", false),
            (Fault::Drip(Side::Request, 2, Duration::ZERO), "abcdefghi", false),
        ] {
            let mut lane = Lane::of(Some(&fault), Side::Request);
            assert_eq!(pass(&mut lane, &pieces), (text.to_owned(), cut), "{fault}");
        }
    }

    #[test]
    fn a_drip_pauses_before_every_few_bytes() {
        let mut lane = Lane::of(Some(&Fault::Drip(Side::Answer, 2, Duration::from_secs(1))), Side::Answer);
        let sleeps = lane.steps(Bytes::from_static(b"abcde")).into_iter().filter(|step| matches!(step, Step::Sleep(_)));
        assert_eq!(sleeps.count(), 3);
    }
}
