//! Names from a recorder, made fit to be shown.

/// Longest display form in characters; what a declaration takes.
pub const MAX_SAFE_NAME: usize = 255;

/// The display form of a path on a recorder, for evidence and screens: at most [`MAX_SAFE_NAME`] characters, all printable.
///
/// Control characters, text-direction marks and bytes that are not UTF-8 are written as escapes (`\n`, `\u{202e}`, `\xff`)
/// and a backslash as two, so that two different names of ordinary length never look the same. A longer form loses its
/// middle, since folders stand at the beginning and the file name at the end.
#[must_use]
pub fn safe_name(path: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '"' => shown.push(c),
                _ => shown.extend(c.escape_debug()),
            }
        }
        shown.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    shorten(&shown)
}

fn shorten(shown: &str) -> String {
    let length = shown.chars().count();
    if length <= MAX_SAFE_NAME {
        return shown.to_owned();
    }
    let head = MAX_SAFE_NAME / 2;
    let tail = MAX_SAFE_NAME - head - 1;
    shown.chars().take(head).chain(['…']).chain(shown.chars().skip(length - tail)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["DCIM/20261123/DSJ00012_P000345_20261123091500_0007_00.MP4", "錄像/現場 1.mp4", "it's \"x\".jpg"]
        {
            assert_eq!(safe_name(name.as_bytes()), name);
        }
    }

    #[test]
    fn nothing_can_hide_in_a_name() {
        assert_eq!(safe_name(b"a\nb\0\x1b[2J.mp4"), r"a\nb\0\u{1b}[2J.mp4");
        assert_eq!(safe_name("gpj.\u{202e}4pm\u{200b}\u{feff}".as_bytes()), r"gpj.\u{202e}4pm\u{200b}\u{feff}");
        assert_eq!(safe_name(b"\xd6\xd8\\xd6"), r"\xd6\xd8\\xd6");
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let long = format!("{}/DSJ00012.mp4", "深".repeat(4096));
        let shown = safe_name(long.as_bytes());
        assert_eq!(shown.chars().count(), MAX_SAFE_NAME);
        assert!(shown.starts_with("深深") && shown.contains('…') && shown.ends_with("/DSJ00012.mp4"));
    }

    proptest! {
        #[test]
        fn always_short_and_printable(path in proptest::collection::vec(any::<u8>(), 0..600), text in ".{0,300}") {
            for path in [path.as_slice(), text.as_bytes()] {
                let shown = safe_name(path);
                prop_assert!(shown.chars().count() <= MAX_SAFE_NAME);
                prop_assert!(!shown.chars().any(char::is_control));
            }
        }

        #[test]
        fn different_names_look_different(a in proptest::collection::vec(any::<u8>(), 0..30), b in proptest::collection::vec(any::<u8>(), 0..30)) {
            prop_assert_eq!(a == b, safe_name(&a) == safe_name(&b));
        }
    }
}
