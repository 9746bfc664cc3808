//! Files that lost something on the way.

use super::fixtures::{H264, Lab, SOURCE, describe, seconds};
use crate::media::{Derivation, Form, MediaKind, Method, Note, Outcome, Reason, Role};

fn reason(derivation: &Derivation) -> Option<Reason> {
    match derivation.outcome {
        Outcome::Undecodable { reason, .. } => Some(reason),
        _ => None,
    }
}

#[tokio::test]
async fn an_empty_file_is_undecodable() {
    let lab = Lab::new();
    let derivation = lab.derive(&lab.write("a.mp4", ""), MediaKind::Video).await;
    assert_eq!(reason(&derivation), Some(Reason::Empty));
    assert_eq!((derivation.technical, derivation.commands), (None, vec![]));
}

#[tokio::test]
async fn what_is_no_recording_is_not_recognised() {
    let random: Vec<u8> = (0..200_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files: [(&str, &[u8]); 4] =
        [("a.mp4", b"just text\n"), ("b.avi", b"RIFF"), ("c.jpg", &[0; 5000]), ("d.mp4", &random)];
    for (name, contents) in files {
        let lab = Lab::new();
        let derivation = lab.derive(&lab.write(name, contents), MediaKind::Video).await;
        assert_eq!(reason(&derivation), Some(Reason::NotRecognised), "{name}: {derivation:?}");
    }
}

#[tokio::test]
async fn an_mp4_cut_before_its_index_says_so() {
    let lab = Lab::new();
    let whole = lab.ffmpeg(&format!("{SOURCE} {H264} -c:a aac"), "whole.mp4");
    let bytes = std::fs::read(whole).unwrap();
    let input = lab.write("a.mp4", &bytes[..bytes.len() / 2]);
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(reason(&derivation), Some(Reason::IndexMissing), "{derivation:?}");
    let Outcome::Undecodable { detail, .. } = derivation.outcome else { panic!() };
    assert!(detail.contains("moov atom not found"), "{detail}");
}

/// Index first, fragments, AVI, transport stream: half of the file is about half of the recording.
#[tokio::test]
async fn half_a_recording_plays_by_half() {
    let cases = [
        ("a.mp4", format!("{H264} -c:a aac -movflags +faststart"), Method::Copied, true),
        ("b.mp4", format!("{H264} -c:a aac -movflags +frag_keyframe+empty_moov"), Method::Copied, false),
        ("c.avi", "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le".to_owned(), Method::Encoded, true),
        ("d.ts", format!("{H264} -c:a aac"), Method::Copied, false),
        ("e.mkv", format!("{H264} -c:a aac"), Method::Copied, true),
    ];
    for (name, codecs, method, declares_more) in cases {
        let lab = Lab::new();
        let whole = lab.ffmpeg(&format!("{SOURCE} {codecs}"), &format!("whole-{name}"));
        let bytes = std::fs::read(whole).unwrap();
        let input = lab.write(name, &bytes[..bytes.len() / 2]);
        let derivation = lab.derive(&input, MediaKind::Video).await;
        assert_eq!(derivation.outcome, Outcome::Playable { form: Form::Video, method }, "{name}: {derivation:#?}");
        let truncated = derivation.notes.contains(&Note::Truncated);
        assert!(truncated || !declares_more, "{name}: {:?}", derivation.notes);
        let length = seconds(&describe(&lab.output(Role::PlaybackPlaylist)));
        assert!((3.0..7.0).contains(&length), "{name}: {length}");
        assert!(lab.output(Role::Storyboard).is_file(), "{name}");
    }
}

/// The index is whole, but the frames it points to were never written.
#[tokio::test]
async fn an_index_over_nothing_is_undecodable() {
    let lab = Lab::new();
    let whole = lab.ffmpeg(&format!("{SOURCE} {H264} -c:a aac -movflags +faststart"), "whole.mp4");
    let mut bytes = std::fs::read(whole).unwrap();
    let media = bytes.windows(4).position(|window| window == b"mdat").unwrap() + 4;
    for filler in [0, 0xff] {
        bytes[media..].fill(filler);
        let lab = Lab::new();
        let derivation = lab.derive(&lab.write("a.mp4", &bytes), MediaKind::Video).await;
        assert_eq!(reason(&derivation), Some(Reason::NoDecodableFrames), "{derivation:#?}");
        assert!(derivation.technical.is_some());
    }
}

#[tokio::test]
async fn a_bad_stretch_in_the_middle_is_survived() {
    for codecs in [format!("{H264} -c:a aac"), "-c:v mpeg4 -q:v 5 -c:a pcm_s16le".to_owned()] {
        let lab = Lab::new();
        let whole = lab.ffmpeg(&format!("{SOURCE} {codecs}"), "whole.mov");
        let mut bytes = std::fs::read(whole).unwrap();
        let length = bytes.len();
        bytes[length * 4 / 10..length * 6 / 10].fill(0xa5);
        let derivation = lab.derive(&lab.write("a.mov", &bytes), MediaKind::Video).await;
        assert!(matches!(derivation.outcome, Outcome::Playable { form: Form::Video, .. }), "{derivation:#?}");
        assert!(!derivation.notes.is_empty(), "{codecs}");
        let length = seconds(&describe(&lab.output(Role::PlaybackPlaylist)));
        assert!(length > 9.0, "{codecs}: {length}");
    }
}

#[tokio::test]
async fn sound_survives_pictures_nobody_can_decode() {
    let lab = Lab::new();
    // MPEG-1 level codecs are known; this one is not on the allow-list.
    let input = lab.ffmpeg(&format!("{SOURCE} -c:v dvvideo -s 720x576 -r 25 -pix_fmt yuv420p -c:a pcm_s16le"), "a.avi");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(derivation.outcome, Outcome::Playable { form: Form::AudioOnly, method: Method::Encoded });
    assert_eq!(derivation.notes, [Note::VideoDropped]);
}

#[tokio::test]
async fn unknown_codecs_alone_are_not_supported() {
    let lab = Lab::new();
    let input = lab.ffmpeg(&format!("{SOURCE} -an -c:v dvvideo -s 720x576 -r 25 -pix_fmt yuv420p"), "a.avi");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(reason(&derivation), Some(Reason::CodecNotSupported), "{derivation:#?}");
}

#[tokio::test]
async fn heif_is_named_as_what_it_is() {
    let lab = Lab::new();
    let whole = lab.ffmpeg("-f lavfi -i testsrc=s=64x64:d=1 -pix_fmt yuv420p", "whole.mp4");
    let mut bytes = std::fs::read(whole).unwrap();
    bytes[8..12].copy_from_slice(b"heic");
    let derivation = lab.derive(&lab.write("a.heic", &bytes), MediaKind::Photo).await;
    assert_eq!(reason(&derivation), Some(Reason::CodecNotSupported), "{derivation:#?}");
}

#[tokio::test]
async fn pictures_that_end_before_the_sound_are_a_gap() {
    let lab = Lab::new();
    let input =
        lab.ffmpeg(&format!("-f lavfi -i testsrc2=s=320x240:r=30:d=4 -f lavfi -i sine=d=30 {H264} -c:a aac"), "a.mp4");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    let technical = derivation.technical.unwrap();
    assert_eq!((technical.gap_count, technical.gaps[0].from_ms), (1, 4000));
    assert!(technical.gaps[0].to_ms.abs_diff(30_000) < 100);
    assert_eq!(
        (derivation.outcome, derivation.notes),
        (Outcome::Playable { form: Form::Video, method: Method::Copied }, vec![Note::Gaps],)
    );
    assert!(seconds(&describe(&lab.output(Role::PlaybackMedia))) > 29.0);
}

#[tokio::test]
async fn a_single_frame_is_a_recording() {
    for codec in [H264, "-c:v mpeg4"] {
        let lab = Lab::new();
        let input = lab.ffmpeg(&format!("-f lavfi -i testsrc2=s=320x240:r=30 -frames:v 1 {codec}"), "a.mp4");
        let derivation = lab.derive(&input, MediaKind::Video).await;
        assert!(matches!(derivation.outcome, Outcome::Playable { form: Form::Video, .. }), "{derivation:#?}");
        assert!(lab.output(Role::Thumbnail).is_file() && lab.output(Role::Storyboard).is_file());
    }
}

#[tokio::test]
async fn positions_written_as_subtitles_do_not_hinder_a_copy() {
    let lab = Lab::new();
    lab.write("s.srt", "1\n00:00:01,000 --> 00:00:05,000\n30.1N 103.2E\n");
    let input = lab.ffmpeg(&format!("{SOURCE} -i s.srt {H264} -c:a aac -c:s mov_text"), "a.mp4");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    let copied = Outcome::Playable { form: Form::Video, method: Method::Copied };
    assert_eq!((derivation.outcome, derivation.notes), (copied, vec![]));
}
