//! Pure: what the packets' timestamps say about a recording.
//!
//! Frames arrive in decoding order; a small heap puts them back into the order of presentation (H.264 and H.265 reorder at
//! most 16). Declared packet durations are not trusted, because in MP4 they stretch over a gap: the usual distance of frames
//! is the median of the last few.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::Gap;

/// A packet as FFprobe prints it; times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Packet {
    pub(super) stream: u32,
    pub(super) time: Option<i64>,
    pub(super) duration: Option<i64>,
    pub(super) key: bool,
}

impl Packet {
    /// Reads one line of `-of compact=p=0`, such as `stream_index=0|pts_time=0.033|dts_time=0.033|duration_time=N/A|flags=K_`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (mut packet, mut stream, mut decoding) = (Self::default(), None, None);
        for field in line.split('|') {
            let Some((name, value)) = field.split_once('=') else { continue };
            match name {
                "stream_index" => stream = value.parse().ok(),
                "pts_time" => packet.time = microseconds(value),
                "dts_time" => decoding = microseconds(value),
                "duration_time" => packet.duration = microseconds(value).filter(|&duration| duration > 0),
                "flags" => packet.key = value.contains('K'),
                _ => {}
            }
        }
        // AVI and raw streams have decoding times only.
        Some(Self { stream: stream?, time: packet.time.or(decoding), ..packet })
    }
}

/// Seconds in decimal notation, within ±30 years: beyond, they are damage.
fn microseconds(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded on this line to far less than an i64 holds")]
    (seconds.abs() < 1e9).then(|| (seconds * 1e6).round() as i64)
}

/// Depth of the heap; more than any codec reorders.
const REORDER: usize = 20;
/// Shorter than this, time without frames is low light or a busy recorder, not a gap.
const SHORTEST_GAP: i64 = 500_000;
pub(super) const GAPS_KEPT: usize = 256;
const KEYFRAMES_KEPT: usize = 4096;
const DISTANCES_KEPT: usize = 31;

/// The analysis of one stream, fed packet by packet in constant memory.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    waiting: BinaryHeap<Reverse<(i64, bool, i64)>>,
    distances: VecDeque<i64>,
    nominal: i64,
    untimed: i64,
    first: Option<i64>,
    last: Option<i64>,
    first_is_key: Option<bool>,
    end: i64,
    last_key: Option<i64>,
    key_distance: Option<i64>,
    /// Every `2^thinned`th keyframe.
    keys: Vec<i64>,
    thinned: u32,
    keys_seen: u64,
    gaps: Vec<(i64, i64)>,
    gap_count: u32,
    gap_total: i64,
    jumps: u32,
    restarts: i64,
}

/// What the timestamps of one stream say; times in microseconds since the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Analysis {
    pub(super) span: u64,
    pub(super) covered: u64,
    pub(super) gaps: Vec<Gap>,
    pub(super) gap_count: u32,
    pub(super) backward_jumps: u32,
    pub(super) keyframe_interval_max: Option<u64>,
    pub(super) starts_with_keyframe: Option<bool>,
    pub(super) keyframes: Vec<u64>,
}

impl Timeline {
    /// `nominal` is the declared distance of frames, microseconds, or 0.
    pub(super) fn new(nominal: i64) -> Self {
        Self { nominal: nominal.clamp(0, 10_000_000), ..Self::default() }
    }

    pub(super) fn push(&mut self, packet: Packet) {
        let step = packet.duration.unwrap_or(self.nominal).clamp(0, 10_000_000);
        let time = packet.time.unwrap_or(self.untimed);
        self.untimed = time.saturating_add(step);
        self.first_is_key.get_or_insert(packet.key);
        if self.last.is_some_and(|last| time < last - SHORTEST_GAP) {
            self.jump_back(time);
        }
        self.waiting.push(Reverse((time, packet.key, step)));
        if self.waiting.len() > REORDER {
            self.settle_one();
        }
    }

    /// How far the presentation has come, milliseconds since the first frame.
    pub(super) fn position_ms(&self) -> u64 {
        milliseconds(self.end.saturating_add(self.restarts).saturating_sub(self.first.unwrap_or(self.end)))
    }

    pub(super) fn finish(mut self) -> Analysis {
        while !self.waiting.is_empty() {
            self.settle_one();
        }
        let Some(first) = self.first else { return Analysis::default() };
        self.close_keyframe_interval();
        let span = self.end.saturating_sub(first).saturating_add(self.restarts).max(0);
        let since_first = |time: i64| time.saturating_sub(first);
        Analysis {
            span: span.unsigned_abs(),
            covered: span.saturating_sub(self.gap_total).max(0).unsigned_abs(),
            gaps: self
                .gaps
                .iter()
                .map(|&(from, to)| Gap {
                    from_ms: milliseconds(since_first(from)),
                    to_ms: milliseconds(since_first(to)),
                })
                .collect(),
            gap_count: self.gap_count,
            backward_jumps: self.jumps,
            keyframe_interval_max: self.key_distance.map(i64::unsigned_abs),
            starts_with_keyframe: self.first_is_key,
            keyframes: self.keys.iter().map(|&key| since_first(key).max(0).unsigned_abs()).collect(),
        }
    }

    /// The clock was set back or the recorder started over: what follows continues where the last frame ended.
    fn jump_back(&mut self, time: i64) {
        while !self.waiting.is_empty() {
            self.settle_one();
        }
        self.jumps = self.jumps.saturating_add(1);
        self.restarts = self.restarts.saturating_add(self.end.saturating_sub(time));
        self.last = None;
        self.end = time;
        self.last_key = None;
    }

    fn settle_one(&mut self) {
        let Some(Reverse((time, key, step))) = self.waiting.pop() else { return };
        self.first.get_or_insert(time);
        let usual = self.usual_distance(step);
        match self.last {
            Some(last) => self.connect(last, time, usual),
            None if self.first == Some(time) => self.end = time,
            None => {}
        }
        if key {
            self.keyframe(time);
        }
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        // The last packet of a sound recording is shorter than usual.
        let lasts = if step > 0 { usual.min(step) } else { usual };
        self.end = self.end.max(time.saturating_add(lasts));
    }

    fn connect(&mut self, last: i64, time: i64, usual: i64) {
        let distance = time.saturating_sub(last);
        if distance > usual.saturating_add(SHORTEST_GAP) && usual > 0 {
            self.gap(last.saturating_add(usual), time);
        }
        // Gaps too: what comes again and again is the rate of a time lapse.
        if distance > 0 {
            self.distances.push_back(distance);
            if self.distances.len() > DISTANCES_KEPT {
                self.distances.pop_front();
            }
        }
    }

    fn gap(&mut self, from: i64, to: i64) {
        self.gap_count = self.gap_count.saturating_add(1);
        self.gap_total = self.gap_total.saturating_add(to - from);
        // Times before a jump back cannot be placed on one line with times after it.
        if self.gaps.len() < GAPS_KEPT && self.jumps == 0 {
            self.gaps.push((from, to));
        }
        // Nobody can seek into a gap: it separates keyframes without making them far apart.
        self.close_keyframe_interval();
        self.last_key = self.last_key.map(|_| to);
    }

    fn usual_distance(&self, step: i64) -> i64 {
        if self.distances.len() < 3 {
            return if self.nominal > 0 { self.nominal } else { step };
        }
        let mut sorted: Vec<i64> = self.distances.iter().copied().collect();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    fn keyframe(&mut self, time: i64) {
        if let Some(last) = self.last_key {
            self.widen(time - last);
        }
        self.last_key = Some(time);
        if self.keys_seen.is_multiple_of(1 << self.thinned) && self.jumps == 0 {
            self.keys.push(time);
        }
        self.keys_seen += 1;
        if self.keys.len() > KEYFRAMES_KEPT {
            let mut even = false;
            self.keys.retain(|_| {
                even = !even;
                even
            });
            self.thinned += 1;
        }
    }

    /// The stretch after the last keyframe counts as well: it cannot be entered either.
    fn close_keyframe_interval(&mut self) {
        match (self.last_key, self.last) {
            (Some(key), Some(last)) => self.widen(last - key),
            (None, Some(last)) => self.widen(last - self.first.unwrap_or(last)),
            _ => {}
        }
    }

    fn widen(&mut self, distance: i64) {
        self.key_distance = Some(self.key_distance.unwrap_or(0).max(distance));
    }
}

fn milliseconds(microseconds: i64) -> u64 {
    microseconds.max(0).unsigned_abs() / 1000
}

#[cfg(test)]
mod tests;
