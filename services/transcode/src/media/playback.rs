//! Makes the playback copy: fragmented MP4 as HLS in a single file (two objects instead of hundreds, served by byte ranges).

use std::time::Duration;

use super::bench::{Bench, Step, is_damaged};
use super::outcome::{Method, Note, OutputFile, Role};
use super::plan::Plan;
use super::progress::Stage;
use super::sandbox::{INPUT, OUTPUT};
use super::scan::{Scan, Source, scan};
use super::technical::TechnicalMetadata;
use super::{outputs, playlist, tool};

/// A playback copy that was read from end to end.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) outputs: Vec<OutputFile>,
    pub(super) scan: Scan,
    /// The decoder complained on the way.
    pub(super) damaged: bool,
    /// It lacks a tenth or more of what the original's timestamps promise.
    pub(super) incomplete: bool,
    /// It is complete, but longer or shorter than the recording lasted.
    pub(super) shifted: bool,
}

/// Why an attempt gave no copy, in the tool's words.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

/// One attempt, on an emptied output folder; `media` is how much of the longest stream there is.
///
/// A copy that lacks much of the recording is refused if it was a stream copy: encoding may save more.
pub(super) async fn attempt(
    bench: &mut Bench<'_>,
    plan: &Plan,
    technical: &TechnicalMetadata,
    media: Duration,
) -> Step<Result<Copy, Failure>> {
    outputs::tidy(bench.out, &[]).await?;
    let covered_ms = technical.covered_ms.unwrap_or(0);
    let budget = bench.limits.converting(technical.bytes, media);
    let finished = bench.convert(Stage::Playback, arguments(bench, plan, technical), &budget).await?;
    if !finished.success {
        return Ok(Err(Failure(finished.stderr)));
    }
    let Some((files, length_ms)) = playback_files(bench).await else {
        return Ok(Err(Failure(finished.stderr)));
    };
    let media_bytes = files.iter().map(|file| file.bytes).sum();
    let source = Source {
        path: &format!("{OUTPUT}/{}", Role::PlaybackMedia.file_name()),
        container: "mov",
        look: tool::Look::Inside,
        video: plan.video.map(|_| 0),
        audio: plan.audio.map(|_| u32::from(plan.video.is_some())),
        frame_rate: technical.video().and_then(|stream| stream.frame_rate),
    };
    let reading = bench.limits.reading(media_bytes);
    let seen = scan(bench, source, &reading, Stage::Verify).await?;
    let main = if plan.video.is_some() { &seen.video } else { &seen.audio };
    let incomplete = main.covered / 1000 * 10 < covered_ms * 9;
    if main.span == 0 || length_ms == 0 || (incomplete && plan.method() == Method::Copied) {
        return Ok(Err(Failure(finished.stderr)));
    }
    let lasts_ms = seen.video.span.max(seen.audio.span) / 1000;
    let shifted = !incomplete && lasts_ms.abs_diff(technical.duration_ms.unwrap_or(0)) > 2000;
    Ok(Ok(Copy { shifted, outputs: files, damaged: is_damaged(&finished.stderr), incomplete, scan: seen }))
}

/// What an accepted copy lacks, compared with the original and with the best plan.
pub(super) fn remarks(copy: &Copy, plan: &Plan, best: &Plan, technical: &TechnicalMetadata) -> Vec<Note> {
    let sound_and_pictures = technical.has(super::StreamKind::Audio) && technical.has(super::StreamKind::Video);
    [
        (copy.damaged || copy.scan.damaged, Note::DecodeErrors),
        (copy.incomplete, Note::PlaybackIncomplete),
        (copy.shifted, Note::TimesDiffer),
        (best.method() == Method::Copied && plan.method() == Method::Encoded, Note::CopyFailed),
        (sound_and_pictures && (plan.audio.is_none() || copy.scan.audio.span == 0), Note::AudioDropped),
        (technical.has(super::StreamKind::Video) && plan.video.is_none(), Note::VideoDropped),
    ]
    .into_iter()
    .filter_map(|(holds, note)| holds.then_some(note))
    .collect()
}

fn arguments(bench: &Bench<'_>, plan: &Plan, technical: &TechnicalMetadata) -> Vec<String> {
    let mut arguments = tool::ffmpeg_start("repeat+level+error", bench.limits);
    // A recording that is mostly damaged still plays where it is not.
    arguments.extend(tool::owned(["-progress", "pipe:1", "-max_error_rate", "1"]));
    if technical.backward_jumps == 0 {
        // FFmpeg closes gaps of transport streams beyond 10 s by itself. Up to an hour, the copy shall keep the recording's
        // times; beyond, or backward, the device's clock was set.
        arguments.extend(tool::owned(["-dts_delta_threshold", "3600"]));
    }
    arguments.extend(tool::open(INPUT, Some(&technical.container), bench.limits));
    arguments.extend(plan.arguments(bench.limits.threads.max(1)));
    let media = format!("{OUTPUT}/{}", Role::PlaybackMedia.file_name());
    let list = format!("{OUTPUT}/{}", Role::PlaybackPlaylist.file_name());
    arguments.extend(tool::owned([
        "-f",
        "hls",
        "-hls_time",
        "4",
        "-hls_playlist_type",
        "vod",
        "-hls_segment_type",
        "fmp4",
        "-hls_flags",
        "single_file",
        "-hls_segment_filename",
        &media,
        &list,
    ]));
    arguments
}

/// Both files and the playlist's length in milliseconds, if the playlist is sound.
async fn playback_files(bench: &Bench<'_>) -> Option<(Vec<OutputFile>, u64)> {
    const LONGEST_PLAYLIST: u64 = 8 << 20;
    let list =
        outputs::accept(bench.out, Role::PlaybackPlaylist).await.filter(|list| list.bytes <= LONGEST_PLAYLIST)?;
    let media = outputs::accept(bench.out, Role::PlaybackMedia).await?;
    let text = tokio::fs::read_to_string(list.path(bench.out)).await.ok()?;
    let length_ms = playlist::check(&text, Role::PlaybackMedia.file_name())?;
    Some((vec![list, media], length_ms))
}
