//! Picture of the loudness of a sound recording.

use std::time::Duration;

use super::bench::{Bench, Step};
use super::outcome::{OutputFile, Role};
use super::progress::Stage;
use super::sandbox::{OUTPUT, Program};
use super::timeline::Analysis;
use super::{outputs, tool};

/// FFmpeg's filter keeps all samples until it draws; this many bytes of them are fine.
const SAMPLES_KEPT: u64 = 64 << 20;

/// How often the filter's progress is told.
const SECONDS_PER_STEP: u64 = 10;

/// Draws the playback copy's sound; nothing if it does not decode.
pub(super) async fn make(bench: &mut Bench<'_>, audio: &Analysis) -> Step<Vec<OutputFile>> {
    bench.begin(Stage::Preview);
    let rate = sample_rate(audio.span / 1_000_000);
    let filter = format!(
        "[0:a:0]aresample={rate},aformat=sample_fmts=s16:channel_layouts=mono,asetnsamples={}:p=0,{},\
         showwavespic=s=1200x160:colors=0x3b6ea5[wave]",
        rate * SECONDS_PER_STEP,
        tool::tell_times("a")
    );
    let mut arguments = tool::ffmpeg_start("repeat+level+error", bench.limits);
    arguments.extend(tool::open(&format!("{OUTPUT}/{}", Role::PlaybackMedia.file_name()), Some("mov"), bench.limits));
    arguments.extend(tool::owned([
        "-filter_complex",
        &filter,
        "-map",
        "[wave]",
        "-frames:v",
        "1",
        "-flags",
        "+bitexact",
    ]));
    let path = format!("{OUTPUT}/{}", Role::Waveform.file_name());
    arguments.extend(tool::owned(["-map_metadata", "-1", "-c:v", "png", "-f", "image2", "-update", "1", &path]));
    let budget = bench.limits.converting(0, Duration::from_micros(audio.covered));
    bench.run_lines(Program::Ffmpeg, Stage::Preview, arguments, &budget, tool::told_time_ms).await?;
    Ok(outputs::accept(bench.out, Role::Waveform).await.into_iter().collect())
}

/// Fewer samples per second for longer recordings; the picture has only 1200 columns anyway.
fn sample_rate(seconds: u64) -> u64 {
    (SAMPLES_KEPT / 2 / seconds.max(1)).clamp(400, 8000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_sound_fits_into_memory() {
        assert_eq!(sample_rate(60), 8000);
        assert!(sample_rate(86_400) * 2 * 86_400 <= 70 << 20);
    }
}
