//! Photographs.

use super::fixtures::{Lab, colour, picture};
use crate::media::jpeg::tests::with_exif;
use crate::media::{MediaKind, Note, Outcome, Role};

#[tokio::test]
async fn a_large_photograph_is_shrunk_for_the_web() {
    let lab = Lab::new();
    let input = lab.ffmpeg("-f lavfi -i testsrc2=s=4000x3000:d=1 -frames:v 1", "a.jpg");
    let derivation = lab.derive(&input, MediaKind::Photo).await;
    assert_eq!((derivation.outcome, derivation.notes), (Outcome::StillImage, vec![]));
    assert_eq!(picture(&lab.output(Role::WebImage)), ("mjpeg".to_owned(), 1920, 1440));
    assert_eq!(picture(&lab.output(Role::Thumbnail)), ("mjpeg".to_owned(), 480, 360));
    assert_eq!(derivation.technical.unwrap().duration_ms, None);
}

/// Every orientation of one scene must come out the same: red at the top left, blue at the bottom right.
#[tokio::test]
async fn every_orientation_comes_out_upright_and_without_metadata() {
    // How a camera stores the upright scene for each orientation value.
    let stored = [
        "null",
        "hflip",
        "hflip,vflip",
        "vflip",
        "transpose=cclock_flip",
        "transpose=cclock",
        "transpose=clock_flip",
        "transpose=clock",
    ];
    let scene =
        "color=white:s=640x480:d=1,drawbox=w=320:h=240:c=red:t=fill,drawbox=x=320:y=240:w=320:h=240:c=blue:t=fill";
    for (number, transform) in stored.into_iter().enumerate() {
        let orientation = u16::try_from(number).unwrap() + 1;
        let lab = Lab::new();
        let plain = lab.ffmpeg(&format!("-f lavfi -i {scene},{transform} -frames:v 1 -q:v 2"), "plain.jpg");
        let tagged = with_exif(&std::fs::read(plain).unwrap(), orientation, "2025:06:01 08:00:00", number % 2 == 0);
        let input = lab.write("a.jpg", tagged);
        let derivation = lab.derive(&input, MediaKind::Photo).await;
        assert_eq!(derivation.outcome, Outcome::StillImage, "{orientation}");
        let technical = derivation.technical.unwrap();
        assert_eq!(technical.orientation, Some(u8::try_from(orientation).unwrap()));
        assert_eq!(technical.created_declared.as_deref(), Some("2025:06:01 08:00:00"));
        let image = lab.output(Role::WebImage);
        assert_eq!(picture(&image), ("mjpeg".to_owned(), 640, 480), "{orientation}");
        let (first, last) = (colour(&image, "100:100:50:50"), colour(&image, "100:100:500:350"));
        assert!(first[0] > 200 && first[2] < 60, "{orientation}: {first:?}");
        assert!(last[2] > 200 && last[0] < 60, "{orientation}: {last:?}");
        for role in [Role::WebImage, Role::Thumbnail] {
            let bytes = std::fs::read(lab.output(role)).unwrap();
            assert!(!bytes.windows(4).any(|window| window == b"Exif" || window == b"Lavc"), "{orientation}");
        }
    }
}

#[tokio::test]
async fn other_picture_formats_are_shown_too() {
    for name in ["a.png", "a.bmp", "a.webp"] {
        let lab = Lab::new();
        let input = lab.ffmpeg("-f lavfi -i testsrc2=s=300x200:d=1 -frames:v 1", name);
        let derivation = lab.derive(&input, MediaKind::Photo).await;
        assert_eq!(derivation.outcome, Outcome::StillImage, "{name}");
        assert_eq!(picture(&lab.output(Role::WebImage)), ("mjpeg".to_owned(), 300, 200), "{name}");
    }
}

#[tokio::test]
async fn half_a_photograph_is_shown_with_a_remark() {
    let lab = Lab::new();
    let whole = lab.ffmpeg("-f lavfi -i testsrc2=s=1600x1200:d=1 -frames:v 1", "whole.jpg");
    let bytes = std::fs::read(whole).unwrap();
    let input = lab.write("a.jpg", &bytes[..bytes.len() / 2]);
    let derivation = lab.derive(&input, MediaKind::Photo).await;
    assert_eq!((derivation.outcome, derivation.notes), (Outcome::StillImage, vec![Note::DecodeErrors]));
}
