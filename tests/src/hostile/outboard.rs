//! Outboards.

use custos_domain::outboard::{GROUP, Outboard, PART};

/// An outboard, with and without the format's first bytes before it.
///
/// # Panics
/// When a property does not hold.
pub fn outboard(bytes: &[u8]) {
    check(bytes);
    check(&[b"custos-outboard1", bytes].concat());
    check(&shaped(bytes));
}

fn check(bytes: &[u8]) {
    let Ok(outboard) = Outboard::decode(bytes) else { return };
    assert!(outboard.encode() == bytes, "one outboard has one form");
    assert_eq!(Outboard::encoded_len(outboard.len()), bytes.len() as u64, "as long as it says");
    assert!(outboard.parts() * 8 <= bytes.len(), "more parts than bytes came");
    let parts: u64 = (0..outboard.parts()).map(|part| outboard.part_len(part)).sum();
    assert_eq!(parts, outboard.len(), "parts cover the item");
    assert_eq!(outboard.part_len(outboard.parts()), 0, "nothing past the end");
    let _ = (outboard.root(), outboard.crc());
    let groups = usize::try_from(outboard.len().div_ceil(GROUP)).unwrap_or(usize::MAX);
    assert!(!outboard.group_matches(groups, &[]), "a group past the end");
}

/// The bytes under a header that fits their number, so that a fuzzer need not guess lengths.
fn shaped(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.first().map_or(0, |first| u64::from(*first));
    let mut len = (bytes.len() as u64 / 33 * GROUP).saturating_sub(first).max(1);
    while Outboard::encoded_len(len) > 24 + bytes.len() as u64 && len > PART {
        len -= GROUP;
    }
    let mut whole = [&b"custos-outboard1"[..], &len.to_be_bytes(), bytes].concat();
    whole.resize(usize::try_from(Outboard::encoded_len(len)).unwrap_or(usize::MAX).min(1 << 20), 0);
    whole
}
