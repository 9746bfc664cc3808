//! Storyboard and thumbnail of a playback copy.
//!
//! Made from the copy, not from the original: its keyframes are known to be at most some seconds apart, its times are the
//! times a player shows, and only keyframes are decoded.

use std::fmt::Write;
use std::time::Duration;

use super::bench::{Bench, Step};
use super::outcome::{OutputFile, Role};
use super::plan::fit;
use super::progress::Stage;
use super::sandbox::{OUTPUT, Program};
use super::timeline::Analysis;
use super::{outputs, tool};

const TILES: usize = 100;
const COLUMNS: usize = 10;
const TILE_BOX: (u32, u32) = (160, 160);
const THUMBNAIL_BOX: (u32, u32) = (640, 640);
/// A second apart at least: closer pictures tell nothing more.
const CLOSEST: u64 = 1_000_000;

/// Storyboard, its index and a thumbnail; empty if not one keyframe decodes.
pub(super) async fn make(bench: &mut Bench<'_>, video: &Analysis, size: (u32, u32)) -> Step<Vec<OutputFile>> {
    bench.begin(Stage::Preview);
    let tile = fit(size, TILE_BOX);
    let interval = (video.span / TILES as u64).max(CLOSEST);
    let rows = pick(&video.keyframes, interval).len().clamp(1, TILES).div_ceil(COLUMNS);
    let times = draw(bench, video, tile, interval, rows).await?;
    if times.is_empty() || outputs::accept(bench.out, Role::Storyboard).await.is_none() {
        return Ok(Vec::new());
    }
    outputs::write(bench.out, Role::StoryboardIndex, index(&times, video.span / 1000, tile).as_bytes()).await?;
    thumbnail(bench, video, fit(size, THUMBNAIL_BOX)).await?;
    let mut files = Vec::new();
    for role in [Role::Storyboard, Role::StoryboardIndex, Role::Thumbnail] {
        files.extend(outputs::accept(bench.out, role).await);
    }
    Ok(files)
}

/// The keyframes FFmpeg will select: the first, and each that is `interval` after the one before.
fn pick(keyframes: &[u64], interval: u64) -> Vec<u64> {
    let mut picked: Vec<u64> = Vec::new();
    for &time in keyframes {
        if picked.last().is_none_or(|last| time >= last + interval) {
            picked.push(time);
        }
    }
    picked
}

/// Draws the grid and returns the time of each picture in it, milliseconds.
async fn draw(bench: &mut Bench<'_>, video: &Analysis, tile: (u32, u32), interval: u64, rows: usize) -> Step<Vec<u64>> {
    let (seconds, micros) = (interval / 1_000_000, interval % 1_000_000);
    let filter = format!(
        "select='isnan(prev_selected_t)+gte(t-prev_selected_t,{seconds}.{micros:06})',\
         scale={}:{},setsar=1,format=yuvj420p,{},tile={COLUMNS}x{rows}",
        tile.0,
        tile.1,
        tool::tell_times("")
    );
    let mut arguments = tool::ffmpeg_start("repeat+level+error", bench.limits);
    arguments.extend(tool::owned(["-skip_frame", "nokey"]));
    arguments.extend(tool::open(&playback(), Some("mov"), bench.limits));
    arguments.extend(tool::owned(["-an", "-filter:v", &filter, "-frames:v", "1"]));
    arguments.extend(jpeg_output(Role::Storyboard, "5"));
    let media_bytes = outputs::accept(bench.out, Role::PlaybackMedia).await.map_or(0, |file| file.bytes);
    let budget = bench.limits.converting(media_bytes, Duration::from_micros(video.covered));
    let mut times = Vec::new();
    let each = |line: &str| {
        let at = tool::told_time_ms(line)?;
        if times.len() < rows * COLUMNS {
            times.push(at);
        }
        Some(at)
    };
    let finished = bench.run_lines(Program::Ffmpeg, Stage::Preview, arguments, &budget, each).await?;
    Ok(if finished.success { times } else { Vec::new() })
}

/// WebVTT whose cues are places in the storyboard (W3C Media Fragments, `xywh`).
fn index(times: &[u64], length_ms: u64, tile: (u32, u32)) -> String {
    let mut text = "WEBVTT\n".to_owned();
    for (number, &time) in times.iter().enumerate() {
        let from = if number == 0 { 0 } else { time };
        let to = times.get(number + 1).copied().unwrap_or(length_ms).max(from + 1);
        let (column, row) = (number % COLUMNS, number / COLUMNS);
        let (x, y) = (column * tile.0 as usize, row * tile.1 as usize);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{} --> {}\n{}#xywh={x},{y},{},{}\n",
            clock(from),
            clock(to),
            Role::Storyboard.file_name(),
            tile.0,
            tile.1
        );
    }
    text
}

fn clock(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// One picture a tenth into the recording, where people tend to be in view; the very first one if that does not decode.
async fn thumbnail(bench: &mut Bench<'_>, video: &Analysis, size: (u32, u32)) -> Step<()> {
    let wanted = video.keyframes.iter().rev().find(|&&time| time <= video.span / 10).copied().unwrap_or(0);
    for time in [wanted, 0] {
        let mut arguments = tool::ffmpeg_start("repeat+level+error", bench.limits);
        arguments.extend(["-noaccurate_seek".to_owned(), "-ss".to_owned(), format!("{time}us")]);
        arguments.extend(tool::open(&playback(), Some("mov"), bench.limits));
        let filter = format!("scale={}:{},setsar=1,format=yuvj420p", size.0, size.1);
        arguments.extend(tool::owned(["-an", "-filter:v", &filter, "-frames:v", "1"]));
        arguments.extend(jpeg_output(Role::Thumbnail, "4"));
        let budget = bench.limits.small();
        bench.run(Program::Ffmpeg, arguments, &budget, |_| super::sandbox::Flow::Quiet).await?;
        if outputs::accept(bench.out, Role::Thumbnail).await.is_some() {
            break;
        }
    }
    Ok(())
}

fn playback() -> String {
    format!("{OUTPUT}/{}", Role::PlaybackMedia.file_name())
}

/// Arguments that write one JPEG of this quality (2 best, 31 worst).
pub(super) fn jpeg_output(role: Role, quality: &str) -> Vec<String> {
    let path = format!("{OUTPUT}/{}", role.file_name());
    tool::owned([
        "-map_metadata",
        "-1",
        "-flags",
        "+bitexact",
        "-c:v",
        "mjpeg",
        "-q:v",
        quality,
        "-f",
        "image2",
        "-update",
        "1",
        &path,
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_index_covers_the_recording_without_holes() {
        let times: Vec<u64> = (0..12).map(|number| 80 + number * 4000).collect();
        let text = index(&times, 50_000, (160, 90));
        assert!(text.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:04.080\nstoryboard.jpg#xywh=0,0,160,90\n"));
        assert!(text.contains("\n00:00:40.080 --> 00:00:44.080\nstoryboard.jpg#xywh=0,90,160,90\n"));
        assert!(text.ends_with("\n00:00:44.080 --> 00:00:50.000\nstoryboard.jpg#xywh=160,90,160,90\n"));
    }

    #[test]
    fn hours_do_not_wrap() {
        assert_eq!(clock(100 * 3_600_000 + 61_001), "100:01:01.001");
    }

    proptest! {
        #[test]
        fn never_more_pictures_than_the_grid_and_a_few(mut keyframes in prop::collection::vec(0u64..40_000_000_000, 1..500)) {
            keyframes.sort_unstable();
            let span = keyframes[keyframes.len() - 1] + 1;
            let interval = (span / TILES as u64).max(CLOSEST);
            let picked = pick(&keyframes, interval);
            prop_assert!(picked.len() <= TILES + 1);
            prop_assert!(picked.windows(2).all(|pair| pair[1] - pair[0] >= interval));
        }
    }
}
