//! Pure: checks the HLS playlist the child wrote (RFC 8216) before anybody's browser follows it.

/// Length of the playlist in milliseconds, if it is a complete one and names nothing but `media`.
pub(super) fn check(text: &str, media: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    if lines.next() != Some("#EXTM3U") {
        return None;
    }
    let (mut total, mut segments, mut ended) = (0.0, 0, false);
    for line in lines {
        if !line.starts_with('#') {
            segments += 1;
            if line != media {
                return None;
            }
        } else if let Some(rest) = line.strip_prefix("#EXTINF:") {
            let seconds: f64 = rest.split(',').next()?.parse().ok()?;
            total += Some(seconds).filter(|seconds| (0.0..1e6).contains(seconds))?;
        } else if line == "#EXT-X-ENDLIST" {
            ended = true;
        } else if !is_harmless(line, media) {
            return None;
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a few million segments below 1e6 s"
    )]
    (ended && segments > 0).then_some((total * 1000.0) as u64)
}

/// Tags FFmpeg writes, 5.1 to 8. Keys, variants and anything that names another resource are missing on purpose.
fn is_harmless(line: &str, media: &str) -> bool {
    const TAGS: [&str; 7] = [
        "#EXT-X-VERSION:",
        "#EXT-X-TARGETDURATION:",
        "#EXT-X-MEDIA-SEQUENCE:",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-BYTERANGE:",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-DISCONTINUITY",
    ];
    match line.strip_prefix("#EXT-X-MAP:") {
        Some(attributes) => {
            attributes.starts_with(&format!("URI=\"{media}\"")) && attributes.matches("URI").count() == 1
        }
        None => TAGS.iter().any(|tag| line.starts_with(tag)) && !line.contains("URI"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n\
                        #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"playback.mp4\",BYTERANGE=\"1356@0\"\n\
                        #EXTINF:4.000000,\n#EXT-X-BYTERANGE:429@1356\nplayback.mp4\n\
                        #EXTINF:1.500000,\n#EXT-X-BYTERANGE:29@1785\nplayback.mp4\n#EXT-X-ENDLIST\n";

    #[test]
    fn a_complete_playlist_has_a_length() {
        assert_eq!(check(GOOD, "playback.mp4"), Some(5500));
    }

    #[test]
    fn foreign_resources_and_halves_are_refused() {
        for (from, to) in [
            ("29@1785\nplayback.mp4", "29@1785\nhttps://elsewhere.example/x.mp4"),
            ("URI=\"playback.mp4\"", "URI=\"https://elsewhere.example/i.mp4\""),
            ("#EXT-X-VERSION:7", "#EXT-X-KEY:METHOD=AES-128,URI=\"https://elsewhere.example/k\""),
            ("#EXT-X-ENDLIST", ""),
            ("#EXTM3U", "#EXTM3V"),
            ("#EXTINF:1.500000,", "#EXTINF:nan,"),
        ] {
            assert!(GOOD.contains(from));
            assert_eq!(check(&GOOD.replace(from, to), "playback.mp4"), None, "{to}");
        }
        assert_eq!(check("#EXTM3U\n#EXT-X-ENDLIST\n", "playback.mp4"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_length_or_nothing(text in "(#EXTM3U\n)?(#EXTINF:[0-9.e-]{0,8},\n|playback.mp4\n|#EXT-X-\\PC{0,20}\n){0,8}") {
            let _length = check(&text, "playback.mp4");
        }
    }
}
