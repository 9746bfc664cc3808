//! Pure: whether an AVI or WAV file was cut off. FFmpeg estimates their duration from what is there, so it cannot tell.

/// How much of a file [`is_cut`] needs to see.
pub(super) const HEAD: u64 = 12;

/// Whether the size in the header reaches beyond the file, or was never filled in.
///
/// All ones is what programs write that never meant to come back, so it says nothing.
pub(super) fn is_cut(head: &[u8], bytes: u64) -> bool {
    let Some((b"RIFF", rest)) = head.split_first_chunk() else { return false };
    let Some((size, _)) = rest.split_first_chunk() else { return false };
    match u32::from_le_bytes(*size) {
        0 => true,
        u32::MAX => false,
        size => u64::from(size) + 8 > bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared() {
        let head = |size: u32| [b"RIFF".as_slice(), &size.to_le_bytes(), b"AVI "].concat();
        assert!(!is_cut(&head(1000), 1008) && is_cut(&head(1000), 1007));
        assert!(is_cut(&head(0), 1008) && !is_cut(&head(u32::MAX), 1008));
        assert!(!is_cut(b"RIFF", 4) && !is_cut(b"\0\0\0\x20ftypisom", 1));
    }
}
