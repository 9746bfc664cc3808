//! Sound alone.

use super::fixtures::{Lab, picture, seconds};
use crate::media::{Form, MediaKind, Method, Note, Outcome, Role};

#[tokio::test]
async fn sound_of_every_usual_kind_becomes_aac_with_a_waveform() {
    let kinds = [
        ("a.wav", "-c:a pcm_s16le", Method::Encoded),
        ("b.wav", "-ar 8000 -c:a pcm_alaw", Method::Encoded),
        ("c.mp3", "-c:a libmp3lame", Method::Encoded),
        ("d.m4a", "-c:a aac", Method::Copied),
    ];
    for (name, codec, method) in kinds {
        let lab = Lab::new();
        let input = lab.ffmpeg(&format!("-f lavfi -i sine=d=10 {codec}"), name);
        let derivation = lab.derive(&input, MediaKind::Audio).await;
        assert_eq!(derivation.outcome, Outcome::Playable { form: Form::AudioOnly, method }, "{name}");
        assert_eq!(derivation.notes, [], "{name}");
        let roles: Vec<Role> = derivation.outputs.iter().map(|file| file.role).collect();
        assert_eq!(roles, [Role::PlaybackPlaylist, Role::PlaybackMedia, Role::Waveform], "{name}");
        let played = lab.play();
        assert_eq!(played["streams"][0]["codec_name"], "aac", "{name}");
        assert!((seconds(&played) - 10.0).abs() < 0.2, "{name}: {played}");
        assert_eq!(picture(&lab.output(Role::Waveform)), ("png".to_owned(), 1200, 160), "{name}");
        let duration = derivation.technical.unwrap().duration_ms.unwrap();
        assert!(duration.abs_diff(10_000) < 150, "{name}: {duration}");
    }
}

#[tokio::test]
async fn cover_art_does_not_make_a_video() {
    let lab = Lab::new();
    lab.ffmpeg("-f lavfi -i testsrc=s=64x64:d=1 -frames:v 1", "cover.jpg");
    let input = lab.ffmpeg(
        "-f lavfi -i sine=d=3 -i cover.jpg -map 0:a -map 1:v -c:a libmp3lame -c:v copy -disposition:v attached_pic",
        "a.mp3",
    );
    let derivation = lab.derive(&input, MediaKind::Audio).await;
    assert_eq!(derivation.outcome, Outcome::Playable { form: Form::AudioOnly, method: Method::Encoded });
    assert_eq!(derivation.notes, []);
}

#[tokio::test]
async fn another_kind_than_declared_is_noted() {
    let lab = Lab::new();
    let input = lab.ffmpeg("-f lavfi -i sine=d=3", "a.wav");
    let derivation = lab.derive(&input, MediaKind::Video).await;
    assert_eq!(derivation.notes, [Note::KindDiffers]);
}
