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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::technical::{Rational, StreamKind};

    fn recorder() -> TechnicalMetadata {
        let video = Stream {
            index: 0,
            kind: StreamKind::Video,
            codec: "h264".to_owned(),
            profile: Some("High".to_owned()),
            pixel_format: Some("yuv420p".to_owned()),
            width: Some(1920),
            height: Some(1080),
            ..Stream::default()
        };
        let audio = Stream {
            index: 1,
            kind: StreamKind::Audio,
            codec: "aac".to_owned(),
            profile: Some("LC".to_owned()),
            sample_rate: Some(48_000),
            channels: Some(2),
            ..Stream::default()
        };
        TechnicalMetadata {
            container: "mov".to_owned(),
            duration_ms: Some(60_000),
            covered_ms: Some(60_000),
            bit_rate: Some(8_000_000),
            keyframe_interval_max_ms: Some(2000),
            starts_with_keyframe: Some(true),
            streams: vec![video, audio],
            ..TechnicalMetadata::default()
        }
    }

    fn changed(change: impl FnOnce(&mut TechnicalMetadata)) -> Plan {
        let mut technical = recorder();
        change(&mut technical);
        plans(&technical)[0]
    }

    #[test]
    fn an_ordinary_recording_is_copied_and_has_three_ways_out() {
        let plans = plans(&recorder());
        assert_eq!(plans.len(), 4);
        assert_eq!((plans[0].method(), plans[0].form()), (Method::Copied, Form::Video));
        assert_eq!(plans[1].method(), Method::Encoded);
        assert!(plans[2].audio.is_none() && plans[3].video.is_none());
        let arguments = plans[0].arguments(2).join(" ");
        assert!(
            ["-map 0:0 -map 0:1", "-c:v copy", "-c:a copy"].iter().all(|words| arguments.contains(words)),
            "{arguments}"
        );
    }

    #[test]
    fn whatever_a_browser_or_seeking_cannot_take_is_encoded() {
        let changes: [fn(&mut TechnicalMetadata); 12] = [
            |t| t.streams[0].codec = "hevc".to_owned(),
            |t| t.streams[0].profile = Some("High 4:2:2".to_owned()),
            |t| t.streams[0].pixel_format = Some("yuv420p10le".to_owned()),
            |t| t.streams[0].width = Some(3840),
            |t| t.streams[0].interlaced = true,
            |t| t.container = "avi".to_owned(),
            |t| t.keyframe_interval_max_ms = Some(10_000),
            |t| t.keyframe_interval_max_ms = None,
            |t| t.starts_with_keyframe = Some(false),
            |t| t.rotation_degrees = 90,
            |t| t.backward_jumps = 1,
            |t| t.bit_rate = Some(50_000_000),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let plan = changed(change);
            assert_eq!(plan.method(), Method::Encoded, "change {number}");
            assert!(matches!(plan.audio.unwrap().action, Action::Encode(_)), "change {number}");
        }
    }

    #[test]
    fn foreign_sound_is_encoded_beside_copied_pictures() {
        let plan = changed(|t| t.streams[1].codec = "pcm_s16le".to_owned());
        assert_eq!(plan.method(), Method::Copied);
        assert!(matches!(plan.audio.unwrap().action, Action::Encode(Sound { channels: 2, fill_gaps: true })));
    }

    #[test]
    fn an_upright_recording_stays_upright() {
        let plan = changed(|t| t.rotation_degrees = 90);
        let Action::Encode(picture) = plan.video.unwrap().action else { panic!("copied") };
        assert_eq!((picture.width, picture.height), (720, 1280));
    }

    #[test]
    fn sound_alone_is_copied_when_it_is_aac() {
        let plan = changed(|t| {
            t.streams.remove(0);
        });
        assert_eq!((plan.form(), plan.method()), (Form::AudioOnly, Method::Copied));
    }

    #[test]
    fn a_file_of_unknown_codecs_has_no_plan() {
        let mut technical = recorder();
        technical.streams.iter_mut().for_each(|stream| stream.codec = "unknown".to_owned());
        assert!(plans(&technical).is_empty());
    }

    proptest! {
        #[test]
        fn a_fitted_picture_is_even_and_inside(width in 1u32.., height in 1u32.., wide in 16u32..4000, high in 16u32..4000) {
            let (fitted_width, fitted_height) = fit((width, height), (wide, high));
            prop_assert!(fitted_width % 2 == 0 && fitted_height % 2 == 0);
            prop_assert!(fitted_width <= wide.max(16) && fitted_height <= high.max(16));
            prop_assert!(fitted_width >= 16 && fitted_height >= 16);
        }

        #[test]
        fn plans_get_ever_simpler_and_name_existing_streams(
            rotation in prop::sample::select(vec![0u16, 90, 180, 270]),
            codec in prop::sample::select(vec!["h264", "hevc", "mjpeg", "unknown"]),
            sound in prop::sample::select(vec!["aac", "pcm_s16le", "unknown"]),
            interval in any::<Option<u64>>(),
            aspect in any::<(u32, u32)>(),
            size in any::<(Option<u32>, Option<u32>)>(),
        ) {
            let mut technical = recorder();
            technical.rotation_degrees = rotation;
            technical.keyframe_interval_max_ms = interval;
            technical.streams[0].codec = codec.to_owned();
            technical.streams[0].pixel_aspect = Some(Rational { num: aspect.0.max(1), den: aspect.1.max(1) });
            (technical.streams[0].width, technical.streams[0].height) = size;
            technical.streams[1].codec = sound.to_owned();
            let plans = plans(&technical);
            for (number, plan) in plans.iter().enumerate() {
                prop_assert!(number == 0 || plan.method() == Method::Encoded);
                prop_assert!(plan.video.is_none_or(|track| track.stream == 0));
                prop_assert!(plan.audio.is_none_or(|track| track.stream == 1));
                prop_assert!(!plan.arguments(2).is_empty());
            }
        }
    }
}
