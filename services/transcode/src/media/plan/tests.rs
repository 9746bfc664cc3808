//! Which files are copied, which encoded, and how large.

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
