//! Moving pictures that are in order.

use super::fixtures::{H264, Lab, SOURCE, describe, picture, seconds};
use crate::media::{Form, Gap, MediaKind, Method, Note, Outcome, Role, Stage, StreamKind};

fn playable(method: Method) -> Outcome {
    Outcome::Playable { form: Form::Video, method }
}

#[tokio::test]
async fn h264_with_aac_is_copied() {
    let lab = Lab::new();
    let input = lab.ffmpeg(
        &format!("{SOURCE} {H264} -c:a aac -metadata creation_time=2025-06-01T08:00:00Z -metadata comment=SECRET"),
        "a.mp4",
    );
    let original = std::fs::read(&input).unwrap();
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(derivation.outcome, playable(Method::Copied));
    assert_eq!(derivation.notes, []);
    let roles: Vec<Role> = derivation.outputs.iter().map(|file| file.role).collect();
    let expected =
        [Role::PlaybackPlaylist, Role::PlaybackMedia, Role::Storyboard, Role::StoryboardIndex, Role::Thumbnail];
    assert_eq!(roles, expected);
    assert_eq!(std::fs::read(&input).unwrap(), original);

    let technical = derivation.technical.unwrap();
    assert_eq!((technical.container.as_str(), technical.duration_ms), ("mov", Some(10_000)));
    assert_eq!(technical.created_declared.as_deref(), Some("2025-06-01T08:00:00.000000Z"));
    assert_eq!((technical.keyframe_interval_max_ms, technical.gap_count), (Some(2000), 0));
    assert_eq!(technical.streams[0].kind, StreamKind::Video);
    assert_eq!((technical.streams[0].width, technical.streams[1].channels), (Some(640), Some(1)));

    let played = lab.play();
    assert!((seconds(&played) - 10.0).abs() < 0.1, "{played}");
    let media = std::fs::read(lab.output(Role::PlaybackMedia)).unwrap();
    assert!(!media.windows(6).any(|window| window == b"SECRET"), "metadata travelled");
    assert!(derivation.tool.version.starts_with(|c: char| c.is_ascii_digit() || c == 'n' || c == 'N'));
    assert!(derivation.commands.iter().all(|command| !command.iter().any(|part| part.contains("/tmp/"))));
}

#[tokio::test]
async fn the_storyboard_shows_the_times_it_names() {
    let lab = Lab::new();
    // A second of black, then white: the tiles must change where the index says.
    let graph = "color=black:s=320x240:r=10:d=4[a];color=white:s=320x240:r=10:d=4[b];[a][b]concat=n=2";
    let input = lab.ffmpeg(&format!("-f lavfi -i {graph} -c:v libx264 -g 10 -pix_fmt yuv420p"), "a.mp4");
    lab.derive(&input, MediaKind::Video).await;
    let index = std::fs::read_to_string(lab.output(Role::StoryboardIndex)).unwrap();
    let cues: Vec<&str> = index.split("\n\n").skip(1).map(str::trim_end).collect();
    assert_eq!(cues.len(), 8, "{index}");
    assert_eq!(cues[3], "00:00:03.000 --> 00:00:04.000\nstoryboard.jpg#xywh=480,0,160,120");
    assert_eq!(cues[7], "00:00:07.000 --> 00:00:08.000\nstoryboard.jpg#xywh=1120,0,160,120");
    assert_eq!(picture(&lab.output(Role::Storyboard)), ("mjpeg".to_owned(), 1600, 120));
    for (tile, bright) in [(0, false), (3, false), (4, true), (7, true)] {
        let colour = super::fixtures::colour(&lab.output(Role::Storyboard), &format!("160:120:{}:0", tile * 160));
        assert_eq!(colour[0] > 128, bright, "tile {tile}: {colour:?}");
    }
    assert_eq!(picture(&lab.output(Role::Thumbnail)), ("mjpeg".to_owned(), 320, 240));
}

#[tokio::test]
async fn h265_is_encoded_to_720p() {
    let lab = Lab::new();
    let input = lab.ffmpeg(
        "-f lavfi -i testsrc2=s=1920x1080:r=15:d=4 -f lavfi -i sine=d=4 -c:v libx265 -preset ultrafast \
         -x265-params log-level=none -pix_fmt yuv420p10le -tag:v hvc1 -c:a aac",
        "a.mp4",
    );
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!((derivation.outcome, derivation.notes), (playable(Method::Encoded), vec![]));
    let played = lab.play();
    let video = &played["streams"][0];
    assert_eq!((video["codec_name"].as_str(), video["height"].as_u64()), (Some("h264"), Some(720)));
    assert_eq!(video["pix_fmt"], "yuv420p");
    assert_eq!(played["streams"][1]["codec_name"], "aac");
}

#[tokio::test]
async fn mjpeg_with_pcm_in_avi_is_encoded() {
    let lab = Lab::new();
    let input = lab.ffmpeg(&format!("{SOURCE} -c:v mjpeg -q:v 5 -pix_fmt yuvj420p -c:a pcm_s16le"), "a.avi");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!((derivation.outcome, derivation.notes), (playable(Method::Encoded), vec![]));
    let technical = derivation.technical.unwrap();
    assert_eq!((technical.container.as_str(), technical.gap_count), ("avi", 0));
    let played = lab.play();
    assert!((seconds(&played) - 10.0).abs() < 0.2, "{played}");
    assert_eq!(played["streams"][1]["codec_name"], "aac");
}

#[tokio::test]
async fn foreign_sound_and_data_streams_do_not_hinder_a_copy() {
    let lab = Lab::new();
    let pcm = lab.ffmpeg(&format!("{SOURCE} {H264} -c:a pcm_s16be"), "a.mov");
    let derivation = lab.derive(&pcm, MediaKind::Video).await;
    assert_eq!((derivation.outcome, derivation.notes), (playable(Method::Copied), vec![]));
    assert_eq!(lab.play()["streams"][1]["codec_name"], "aac");
}

#[tokio::test]
async fn a_transport_stream_is_copied() {
    let lab = Lab::new();
    let input = lab.ffmpeg(&format!("{SOURCE} {H264} -c:a aac"), "a.ts");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(derivation.outcome, playable(Method::Copied), "{derivation:#?}");
    let played = lab.play();
    assert!((seconds(&played) - 10.0).abs() < 0.2, "{played}");
}

#[tokio::test]
async fn distant_keyframes_are_encoded_closer() {
    let lab = Lab::new();
    let input = lab.ffmpeg(
        "-f lavfi -i testsrc=s=320x240:r=10:d=20 -c:v libx264 -g 1000 -sc_threshold 0 -pix_fmt yuv420p",
        "a.mp4",
    );
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(derivation.outcome, playable(Method::Encoded));
    assert_eq!(derivation.technical.unwrap().keyframe_interval_max_ms, Some(19_900));
    let again = Lab::new();
    let copy = again.derive(&lab.output(Role::PlaybackMedia), MediaKind::Video).await;
    assert_eq!(copy.technical.unwrap().keyframe_interval_max_ms, Some(4000));
}

#[tokio::test]
async fn a_recording_on_its_side_is_turned() {
    let lab = Lab::new();
    let input = lab.ffmpeg(&format!("{SOURCE} {H264} -an"), "a.mp4");
    let mut bytes = std::fs::read(&input).unwrap();
    turn_track_by_90_degrees(&mut bytes);
    let turned = lab.write("turned.mp4", &bytes);
    let derivation = lab.derive(&turned, MediaKind::Video).await;
    assert_eq!(derivation.outcome, playable(Method::Encoded));
    assert_eq!(derivation.technical.unwrap().rotation_degrees, 90);
    let video = &lab.play()["streams"][0];
    assert_eq!((video["width"].as_u64(), video["height"].as_u64()), (Some(360), Some(640)));
    assert_eq!(picture(&lab.output(Role::Thumbnail)).1, 360);
}

/// Replaces the matrix of the first track header (ISO/IEC 14496-12, 8.3.2).
fn turn_track_by_90_degrees(mp4: &mut [u8]) {
    let header = mp4.windows(4).position(|window| window == b"tkhd").unwrap();
    let matrix = header + 4 + 4 + 20 + 8 + 8;
    let values: [u32; 9] = [0, 0x1_0000, 0, 0xffff_0000, 0, 0, 360 << 16, 0, 0x4000_0000];
    for (number, value) in values.into_iter().enumerate() {
        mp4[matrix + number * 4..][..4].copy_from_slice(&value.to_be_bytes());
    }
}

#[tokio::test]
async fn a_pause_is_reported_as_a_gap_and_kept_on_the_time_line() {
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
    let cases = [("a.mp4", H264, false), ("b.mkv", H264, false), ("c.ts", H264, false), ("d.mp4", h265, true)];
    for (name, codec, encoded) in cases {
        let lab = Lab::new();
        let graph = "-vf setpts=PTS+gte(N\\,90)*20/TB -af asetpts=PTS+gte(T\\,3)*20/TB -fps_mode vfr";
        let input = lab.ffmpeg(&format!("{SOURCE} {graph} {codec} -g 30 -c:a aac"), name);
        let derivation = lab.derive(&input, MediaKind::Video).await;
        let technical = derivation.technical.unwrap();
        assert_eq!(technical.gaps, [Gap { from_ms: 3000, to_ms: 23_000 }], "{name}");
        assert_eq!((technical.duration_ms, technical.covered_ms), (Some(30_000), Some(10_000)), "{name}");
        assert_eq!(derivation.notes, [Note::Gaps], "{name}");
        assert_eq!(derivation.outcome, playable(if encoded { Method::Encoded } else { Method::Copied }));
        let length = seconds(&describe(&lab.output(Role::PlaybackMedia)));
        assert!((length - 30.0).abs() < 0.5, "{name}: {length}");
        // In the copy the pause is where it was, and nothing else is out of place.
        let again = Lab::new();
        let copy = again.derive(&lab.output(Role::PlaybackMedia), MediaKind::Video).await.technical.unwrap();
        assert_eq!((copy.gap_count, copy.backward_jumps), (1, 0), "{name}");
        assert!(copy.gaps[0].from_ms.abs_diff(3000) < 25 && copy.gaps[0].to_ms.abs_diff(23_000) < 25, "{name}");
    }
}

#[tokio::test]
async fn a_clock_set_forward_by_hours_is_closed_and_said() {
    let lab = Lab::new();
    let graph = "-vf setpts=PTS+gte(N\\,150)*20000/TB -af asetpts=PTS+gte(T\\,5)*20000/TB -fps_mode vfr";
    let input = lab.ffmpeg(&format!("{SOURCE} {graph} {H264} -g 30 -c:a aac"), "a.ts");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(derivation.notes, [Note::Gaps, Note::TimesDiffer]);
    assert_eq!(derivation.technical.unwrap().covered_ms, Some(10_000));
    let length = seconds(&describe(&lab.output(Role::PlaybackMedia)));
    assert!((length - 10.0).abs() < 0.5, "{length}");
}

#[tokio::test]
async fn progress_advances_through_the_stages() {
    let lab = Lab::new();
    let input = lab.ffmpeg(&format!("{SOURCE} -c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le"), "a.avi");
    let job = crate::media::Job { input, kind: MediaKind::Video, out: lab.out().to_owned() };
    let (progress, mut seen) = tokio::sync::watch::channel(crate::media::Progress::START);
    let watcher = tokio::spawn(async move {
        let mut stages = Vec::new();
        while seen.changed().await.is_ok() {
            stages.push(*seen.borrow());
        }
        stages
    });
    let sandbox = super::fixtures::sandbox().await;
    crate::media::derive(&job, sandbox, &crate::media::Limits::default(), &progress).await.unwrap();
    drop(progress);
    let seen = watcher.await.unwrap();
    assert!(seen.windows(2).all(|pair| (pair[0].stage, pair[0].media_ms) < (pair[1].stage, pair[1].media_ms)));
    let furthest = |stage| seen.iter().filter(|now| now.stage == stage).map(|now| now.media_ms).max();
    assert!(furthest(Stage::Playback) > Some(9000), "{seen:?}");
    assert!(furthest(Stage::Scan) > Some(9000) && furthest(Stage::Preview) > Some(4000));
}

#[tokio::test]
async fn a_second_lens_is_noted() {
    let lab = Lab::new();
    let input = lab.ffmpeg(&format!("{SOURCE} -map 0:v -map 0:v -map 1:a {H264} -c:a aac"), "a.mp4");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(derivation.notes, [Note::MoreVideoStreams]);
    assert_eq!(lab.play()["streams"].as_array().unwrap().len(), 2);
}
