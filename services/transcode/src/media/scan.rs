//! Reads every timestamp of a file, in constant memory.

use std::time::Duration;

use super::bench::{Bench, Step, is_damaged};
use super::limits::Budget;
use super::progress::Stage;
use super::sandbox::Program;
use super::technical::Rational;
use super::timeline::{Analysis, Packet, Timeline};
use super::tool::{self, Look};

/// The streams to follow, and where they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// Path inside the sandbox.
    pub(super) path: &'a str,
    pub(super) container: &'a str,
    pub(super) look: Look,
    /// Index of the video stream.
    pub(super) video: Option<u32>,
    /// Index of the audio stream.
    pub(super) audio: Option<u32>,
    /// Declared frames per second.
    pub(super) frame_rate: Option<Rational>,
}

/// What was found in the streams that were followed.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) video: Analysis,
    pub(super) audio: Analysis,
    /// The reader complained; what it did read counts all the same.
    pub(super) damaged: bool,
}

impl Scan {
    /// The stream that decides how long the recording is: the pictures where there are any.
    pub(super) fn main(&self) -> &Analysis {
        if self.video.span > 0 { &self.video } else { &self.audio }
    }

    /// How much there is to decode.
    pub(super) fn media(&self) -> Duration {
        Duration::from_micros(self.video.covered.max(self.audio.covered))
    }
}

/// Reads all packets of `source` without decoding them.
pub(super) async fn scan(bench: &mut Bench<'_>, source: Source<'_>, budget: &Budget, stage: Stage) -> Step<Scan> {
    let mut arguments = tool::ffprobe_start();
    arguments.extend(tool::owned([
        "-show_entries",
        "packet=stream_index,pts_time,dts_time,duration_time,flags",
        "-of",
        "compact=p=0",
    ]));
    arguments.extend(tool::look(source.path, Some(source.container), bench.limits, source.look));

    let mut video = source.video.map(|index| (index, Timeline::new(nominal_distance(source.frame_rate))));
    let mut audio = source.audio.map(|index| (index, Timeline::new(0)));
    let each = |line: &str| {
        let packet = Packet::parse(line)?;
        let followed = [&mut video, &mut audio].into_iter().flatten().find(|(index, _)| *index == packet.stream);
        let (_, timeline) = followed?;
        timeline.push(packet);
        Some(timeline.position_ms())
    };
    let finished = bench.run_lines(Program::Ffprobe, stage, arguments, budget, each).await?;
    let analysis = |stream: Option<(u32, Timeline)>| stream.map(|(_, timeline)| timeline.finish()).unwrap_or_default();
    Ok(Scan {
        video: analysis(video),
        audio: analysis(audio),
        damaged: !finished.success || is_damaged(&finished.stderr),
    })
}

/// Microseconds between frames at the declared rate, or 0.
fn nominal_distance(rate: Option<Rational>) -> i64 {
    rate.map_or(0, |rate| 1_000_000 * i64::from(rate.den) / i64::from(rate.num.max(1)))
}
