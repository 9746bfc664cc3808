//! Pure: from what is in the file to how the playback copy is made.

use super::TechnicalMetadata;
use super::outcome::{Form, Method};
use super::technical::Stream;

/// How to make one playback copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) video: Option<Track<Picture>>,
    pub(super) audio: Option<Track<Sound>>,
}

/// One stream of the original and what to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Track<T> {
    /// Index of the stream in the original.
    pub(super) stream: u32,
    pub(super) action: Action<T>,
}

/// Copy the compressed frames, or decode and encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action<T> {
    Copy,
    Encode(T),
}

/// Target of encoding pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    /// Even, upright, square pixels.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) deinterlace: bool,
}

/// Target of encoding sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sound {
    /// 1 or 2.
    pub(super) channels: u32,
    /// Whether to put silence into gaps so that sound and pictures stay together.
    pub(super) fill_gaps: bool,
}

/// Longest distance of keyframes in a copied stream, milliseconds, with a frame of tolerance. Longer ones make seeking slow
/// and segments large.
const KEYFRAMES_AT_MOST_MS: u64 = 4100;
/// 1920 × 1088: 1080 lines are stored as 1088 by some recorders.
const COPIED_PIXELS: u64 = 1920 * 1088;
/// What an office network carries to several desks at once, bits per second.
const COPIED_BIT_RATE: u64 = 20_000_000;
const ENCODED_BOX: (u32, u32) = (1280, 720);
/// Longest sum of gaps to fill with silence, milliseconds; beyond, the clock was set, and nobody wants to listen to it.
const SILENCE_AT_MOST_MS: u64 = 3_600_000;

/// Containers whose timestamps can be carried over as they are. AVI has none worth the name.
const TIMED_CONTAINERS: [&str; 4] = ["mov", "matroska", "mpegts", "flv"];
/// What every browser's decoder takes: 8 bits, 4:2:0.
const COPIED_PROFILES: [&str; 4] = ["Constrained Baseline", "Baseline", "Main", "High"];
const COPIED_FORMATS: [&str; 2] = ["yuv420p", "yuvj420p"];

/// Ways to make the playback copy, the best first. Each later one asks less of the file; empty when nothing can be played.
pub(super) fn plans(technical: &TechnicalMetadata) -> Vec<Plan> {
    let (video, audio) = (technical.video(), technical.audio());
    let encode_video =
        video.map(|stream| Track { stream: stream.index, action: Action::Encode(picture(technical, stream)) });
    let encode_audio =
        audio.map(|stream| Track { stream: stream.index, action: Action::Encode(sound(technical, stream)) });
    let keep_video = video.filter(|stream| may_copy_video(technical, stream)).map(copy);
    // Beside encoded pictures the sound is encoded too: the decoder smooths what a damaged file left.
    let sound_may_stay = keep_video.is_some() || video.is_none();
    let keep_audio = audio.filter(|stream| sound_may_stay && may_copy_audio(technical, stream)).map(copy);

    let candidates = [
        Plan { video: keep_video.or(encode_video), audio: keep_audio.or(encode_audio) },
        Plan { video: encode_video, audio: encode_audio },
        Plan { video: encode_video, audio: None },
        Plan { video: None, audio: encode_audio },
    ];
    let mut plans: Vec<Plan> = Vec::new();
    for plan in candidates {
        if (plan.video.is_some() || plan.audio.is_some()) && !plans.contains(&plan) {
            plans.push(plan);
        }
    }
    plans
}

/// Gives every packet the time until the next one. The fragmented MP4 muxer trusts durations at the end of a fragment, and
/// misplaces what follows a gap if they do not span it (seen with FFmpeg 5.1 and 8.0).
const SPAN_GAPS: &str = "setts=duration=if(eq(DTS\\,NOPTS)+eq(NEXT_DTS\\,NOPTS)\\,DURATION\\,max(NEXT_DTS-DTS\\,0))";

impl Plan {
    pub(super) fn form(&self) -> Form {
        if self.video.is_some() { Form::Video } else { Form::AudioOnly }
    }

    /// Of the main stream: sound encoded beside copied pictures does not make it an encoded copy.
    pub(super) fn method(&self) -> Method {
        match (self.video, self.audio) {
            (Some(Track { action: Action::Copy, .. }), _) | (None, Some(Track { action: Action::Copy, .. })) => {
                Method::Copied
            }
            _ => Method::Encoded,
        }
    }

    /// FFmpeg's arguments between the input and the output format.
    pub(super) fn arguments(&self, threads: u32) -> Vec<String> {
        let mut arguments = Vec::new();
        for stream in self.video.map(|track| track.stream).into_iter().chain(self.audio.map(|track| track.stream)) {
            arguments.extend(["-map".to_owned(), format!("0:{stream}")]);
        }
        arguments.extend(super::tool::owned(["-map_metadata", "-1", "-map_chapters", "-1", "-dn", "-sn"]));
        arguments.extend(super::tool::owned(["-fflags", "+bitexact", "-flags", "+bitexact"]));
        arguments.extend(self.video.map(|track| track.action.arguments(threads)).unwrap_or_default());
        arguments.extend(self.audio.map(|track| track.action.arguments()).unwrap_or_default());
        arguments
    }
}

impl Action<Picture> {
    fn arguments(self, threads: u32) -> Vec<String> {
        let Self::Encode(Picture { width, height, deinterlace }) = self else {
            return super::tool::owned(["-c:v", "copy", "-bsf:v", SPAN_GAPS]);
        };
        let fields = if deinterlace { "yadif=deint=interlaced," } else { "" };
        let filter = format!("{fields}scale={width}:{height},setsar=1,format=yuv420p");
        super::tool::owned([
            "-filter:v",
            &filter,
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-profile:v",
            "high",
            "-crf",
            "23",
            "-maxrate",
            "3000k",
            "-bufsize",
            "6000k",
            // Decoding order is order of presentation, so that a gap is one place and not a few frames wide.
            "-bf",
            "0",
            // Every 4 s of time, not of frames: recorders drop frames in the dark. Counted from the last one, because
            // n_forced * 4 would force every frame after a long gap.
            "-force_key_frames",
            "expr:isnan(prev_forced_t)+gte(t,prev_forced_t+4)",
            // The HLS muxer would ask for a constant rate and fill gaps with copies of a frame.
            "-fps_mode",
            "vfr",
            "-bsf:v",
            SPAN_GAPS,
            "-threads",
            &threads.to_string(),
        ])
    }
}

impl Action<Sound> {
    fn arguments(self) -> Vec<String> {
        let Self::Encode(Sound { channels, fill_gaps }) = self else {
            // Transport streams frame AAC in another way; where there is nothing to do the filter does nothing.
            return super::tool::owned(["-c:a", "copy", "-bsf:a", &format!("aac_adtstoasc,{SPAN_GAPS}")]);
        };
        let filter = if fill_gaps { "aresample=48000:async=1" } else { "aresample=48000" };
        let bit_rate = if channels == 1 { "64k" } else { "96k" };
        super::tool::owned([
            "-filter:a",
            filter,
            "-c:a",
            "aac",
            "-b:a",
            bit_rate,
            "-ac",
            &channels.to_string(),
            "-bsf:a",
            SPAN_GAPS,
        ])
    }
}

fn copy<T>(stream: &Stream) -> Track<T> {
    Track { stream: stream.index, action: Action::Copy }
}

fn may_copy_video(technical: &TechnicalMetadata, stream: &Stream) -> bool {
    let named = |list: &[&str], value: &Option<String>| value.as_deref().is_some_and(|value| list.contains(&value));
    let pixels = u64::from(stream.width.unwrap_or(0)) * u64::from(stream.height.unwrap_or(0));
    stream.codec == "h264"
        && named(&COPIED_PROFILES, &stream.profile)
        && named(&COPIED_FORMATS, &stream.pixel_format)
        && TIMED_CONTAINERS.contains(&technical.container.as_str())
        && pixels <= COPIED_PIXELS
        && technical.bit_rate.is_some_and(|rate| rate <= COPIED_BIT_RATE)
        && technical.keyframe_interval_max_ms.is_some_and(|interval| interval <= KEYFRAMES_AT_MOST_MS)
        && technical.starts_with_keyframe == Some(true)
        && technical.backward_jumps == 0
        && !stream.interlaced
        // Not every browser turns what arrives as HLS.
        && technical.rotation_degrees == 0
}

fn may_copy_audio(technical: &TechnicalMetadata, stream: &Stream) -> bool {
    stream.codec == "aac"
        && stream.profile.as_deref() == Some("LC")
        && TIMED_CONTAINERS.contains(&technical.container.as_str())
        && matches!(stream.channels, Some(1 | 2))
        && matches!(stream.sample_rate, Some(8_000..=48_000))
        && technical.backward_jumps == 0
}

fn picture(technical: &TechnicalMetadata, stream: &Stream) -> Picture {
    let size = stream.display_size(technical.rotation_degrees);
    let frame = if size.1 > size.0 { (ENCODED_BOX.1, ENCODED_BOX.0) } else { ENCODED_BOX };
    let (width, height) = fit(size, frame);
    Picture { width, height, deinterlace: stream.interlaced }
}

fn sound(technical: &TechnicalMetadata, stream: &Stream) -> Sound {
    let missing = technical.duration_ms.unwrap_or(0).saturating_sub(technical.covered_ms.unwrap_or(0));
    Sound { channels: stream.channels.unwrap_or(1).clamp(1, 2), fill_gaps: missing <= SILENCE_AT_MOST_MS }
}

/// Shrinks `size` into `frame`, keeping its shape; never enlarges. The result is even and at least 16 × 16, which is what
/// H.264 encoders and JPEG blocks want.
pub(super) fn fit(size: (u32, u32), frame: (u32, u32)) -> (u32, u32) {
    let (width, height) = (u64::from(size.0.max(1)), u64::from(size.1.max(1)));
    let (most_wide, most_high) = (u64::from(frame.0), u64::from(frame.1));
    let (wide, high) = if width <= most_wide && height <= most_high {
        (width, height)
    } else if width * most_high >= height * most_wide {
        (most_wide, height * most_wide / width)
    } else {
        (width * most_high / height, most_high)
    };
    let even = |length: u64| u32::try_from(length / 2 * 2).unwrap_or(u32::MAX).max(16);
    (even(wide), even(high))
}

#[cfg(test)]
mod tests;
