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
const GAPS_KEPT: usize = 256;
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: i64 = 33_333;

    fn run(times: impl IntoIterator<Item = i64>, key_every: usize) -> Analysis {
        let mut timeline = Timeline::new(FRAME);
        for (number, time) in times.into_iter().enumerate() {
            let key = number % key_every == 0;
            timeline.push(Packet { stream: 0, time: Some(time), duration: None, key });
        }
        timeline.finish()
    }

    fn frames(range: std::ops::Range<i64>) -> impl Iterator<Item = i64> {
        range.map(|number| number * FRAME)
    }

    #[test]
    fn a_packet_line_is_read() {
        let line = "stream_index=1|pts_time=-0.023220|dts_time=-0.023220|duration_time=0.023220|flags=KD|";
        let packet = Packet { stream: 1, time: Some(-23_220), duration: Some(23_220), key: true };
        assert_eq!(Packet::parse(line), Some(packet));
        let untimed = Packet::parse("stream_index=0|pts_time=N/A|dts_time=0.5|duration_time=N/A|flags=__").unwrap();
        assert_eq!((untimed.time, untimed.duration, untimed.key), (Some(500_000), None, false));
        assert_eq!(Packet::parse("stream_index=0|pts_time=1e300|flags=K_").unwrap().time, None);
        assert_eq!(Packet::parse("pts_time=1"), None);
    }

    #[test]
    fn an_even_recording_has_no_gaps() {
        let analysis = run(frames(0..300), 60);
        assert_eq!((analysis.gap_count, analysis.backward_jumps), (0, 0));
        assert_eq!((analysis.span, analysis.covered), (300 * 33_333, 300 * 33_333));
        assert_eq!(analysis.keyframe_interval_max, Some(60 * 33_333));
        assert_eq!(analysis.keyframes, [0, 60, 120, 180, 240].map(|number| number * 33_333));
    }

    #[test]
    fn reordered_frames_are_no_jumps() {
        let order = (0..50).flat_map(|group| [0, 4, 2, 1, 3].map(|offset| (group * 5 + offset) * FRAME));
        let analysis = run(order, 5);
        assert_eq!((analysis.gap_count, analysis.backward_jumps, analysis.span), (0, 0, 250 * 33_333));
    }

    #[test]
    fn a_pause_is_a_gap_although_the_container_stretches_the_packet_over_it() {
        let mut timeline = Timeline::new(0);
        let mut times: Vec<i64> = frames(0..100).collect();
        times.extend(frames(0..100).map(|time| time + 10_000_000));
        for (number, pair) in times.windows(2).enumerate() {
            let duration = Some(pair[1] - pair[0]);
            timeline.push(Packet { stream: 0, time: Some(pair[0]), duration, key: number % 30 == 0 });
        }
        let analysis = timeline.finish();
        assert_eq!(analysis.gaps, [Gap { from_ms: 3333, to_ms: 10_000 }]);
        assert_eq!(analysis.covered, 199 * 33_333);
        // The pause does not count as distance between keyframes.
        assert_eq!(analysis.keyframe_interval_max, Some(30 * 33_333));
    }

    #[test]
    fn time_lapse_has_no_gaps() {
        let analysis = run((0..50).map(|number| number * 2_000_000), 10);
        // The declared rate is wrong for the first few frames only.
        assert!(analysis.gap_count <= 3, "{analysis:?}");
    }

    #[test]
    fn a_clock_set_back_is_a_jump_and_the_time_before_it_counts() {
        let analysis = run(frames(3000..3100).chain(frames(0..100)), 50);
        assert_eq!((analysis.backward_jumps, analysis.gap_count), (1, 0));
        assert_eq!(analysis.span, 200 * 33_333);
    }

    #[test]
    fn packets_without_any_time_follow_the_nominal_rate() {
        let mut timeline = Timeline::new(40_000);
        for number in 0..100 {
            timeline.push(Packet { stream: 0, time: None, duration: None, key: number % 25 == 0 });
        }
        assert_eq!(timeline.finish().span, 4_000_000);
    }

    #[test]
    fn lists_stay_bounded() {
        let analysis = run((0..100_000).map(|number| number * 2_000_000 + i64::from(number % 4 == 3) * 1_900_000), 1);
        assert!(analysis.keyframes.len() <= KEYFRAMES_KEPT && analysis.keyframes.len() > KEYFRAMES_KEPT / 4);
        assert!(analysis.gaps.len() <= GAPS_KEPT);
        assert_eq!(analysis.keyframes.first(), Some(&0));
    }

    proptest! {
        #[test]
        fn nothing_a_file_says_makes_it_panic(
            packets in prop::collection::vec((any::<Option<i64>>(), any::<Option<i64>>(), any::<bool>()), 0..200),
            nominal in any::<i64>(),
        ) {
            let mut timeline = Timeline::new(nominal);
            for (time, duration, key) in packets {
                let bounded = |value: i64| value % 1_000_000_000_000_000;
                timeline.push(Packet { stream: 0, time: time.map(bounded), duration: duration.map(bounded), key });
                let _position = timeline.position_ms();
            }
            let analysis = timeline.finish();
            prop_assert!(analysis.covered <= analysis.span);
            prop_assert!(analysis.gaps.iter().all(|gap| gap.from_ms <= gap.to_ms));
        }

        #[test]
        fn any_line_is_a_packet_or_nothing(line in "\\PC{0,80}") {
            let _packet = Packet::parse(&line);
        }
    }
}
