//! Gaps, jumps and keyframes of made-up packets.

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
