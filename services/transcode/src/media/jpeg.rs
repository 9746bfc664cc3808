//! Pure: the little we need to know about JPEG (ITU-T T.81, annex B) and EXIF (CIPA DC-008).
//!
//! FFmpeg's versions differ in what they do with the orientation of a photograph and in what metadata they write, so both
//! are settled here: the orientation is read from the original's first bytes, and outputs lose every metadata segment.

/// What a photograph says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Exif {
    /// 1 to 8.
    pub(super) orientation: Option<u8>,
    /// When it was taken by the device's clock, in EXIF notation, with the offset from UTC if there is one.
    pub(super) taken: Option<String>,
}

/// How much of a file [`exif`] needs to see: its segment comes first and is at most 64 KiB long.
pub(super) const HEAD: u64 = 192 << 10;

const APP1: u8 = 0xe1;
const COMMENT: u8 = 0xfe;
const START_OF_SCAN: u8 = 0xda;

/// Reads the EXIF segment, if there is one, from the first bytes of a JPEG.
pub(super) fn exif(head: &[u8]) -> Exif {
    segments(head)
        .find_map(|segment| (segment.marker == APP1).then(|| segment.body.strip_prefix(b"Exif\0\0")).flatten())
        .and_then(read_tiff)
        .unwrap_or_default()
}

/// The same picture without application segments (but JFIF's) and comments. `None` if it is no JPEG.
pub(super) fn without_metadata(jpeg: &[u8]) -> Option<Vec<u8>> {
    let mut clean = jpeg.get(..2).filter(|start| *start == [0xff, 0xd8])?.to_vec();
    for segment in segments(jpeg) {
        if !(APP1..=0xef).contains(&segment.marker) && segment.marker != COMMENT {
            clean.extend(&jpeg[segment.start..segment.end]);
        }
        if segment.marker == START_OF_SCAN {
            clean.extend(&jpeg[segment.end..]);
            return Some(clean);
        }
    }
    None
}

struct Segment<'a> {
    marker: u8,
    body: &'a [u8],
    start: usize,
    end: usize,
}

/// The segments up to the start of scan, after which compressed data follows.
fn segments(jpeg: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = Some(2).filter(|_| jpeg.starts_with(&[0xff, 0xd8]));
    std::iter::from_fn(move || {
        let start = at?;
        let header = jpeg.get(start..start + 4)?;
        let marker = header[1];
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let end = start + 2 + length;
        let body = jpeg.get(start + 4..end).filter(|_| header[0] == 0xff)?;
        at = (marker != START_OF_SCAN).then_some(end);
        Some(Segment { marker, body, start, end })
    })
}

const ORIENTATION: u16 = 0x0112;
const EXIF_FOLDER: u16 = 0x8769;
const TAKEN: u16 = 0x9003;
const TAKEN_OFFSET: u16 = 0x9011;

fn read_tiff(data: &[u8]) -> Option<Exif> {
    let tiff = Tiff { data, big: data.starts_with(b"MM\0*") };
    if !tiff.big && !data.starts_with(b"II*\0") {
        return None;
    }
    let main = tiff.u32(4)?;
    let orientation = tiff.find(main, ORIENTATION).and_then(|entry| tiff.u16(entry + 8));
    let folder = tiff.find(main, EXIF_FOLDER).and_then(|entry| tiff.u32(entry + 8));
    let text = |name| folder.and_then(|folder| tiff.find(folder, name)).and_then(|entry| tiff.text(entry));
    let taken = text(TAKEN).map(|taken| match text(TAKEN_OFFSET) {
        Some(offset) => format!("{taken} {offset}"),
        None => taken,
    });
    let orientation = orientation.and_then(|value| u8::try_from(value).ok()).filter(|value| (1..=8).contains(value));
    Some(Exif { orientation, taken })
}

/// Offsets are into `data`; every access is checked, and nothing is followed twice.
struct Tiff<'a> {
    data: &'a [u8],
    big: bool,
}

impl Tiff<'_> {
    /// Offset of the 12-byte entry `name` in the folder at `folder`.
    fn find(&self, folder: usize, name: u16) -> Option<usize> {
        let count = usize::from(self.u16(folder)?);
        (0..count).map(|number| folder.saturating_add(2 + number * 12)).find(|&entry| self.u16(entry) == Some(name))
    }

    /// An ASCII value, printable and short.
    fn text(&self, entry: usize) -> Option<String> {
        let length = self.u32(entry.checked_add(4)?)?;
        let start = if length > 4 { self.u32(entry.checked_add(8)?)? } else { entry.checked_add(8)? };
        let bytes = self.data.get(start..start.checked_add(length.min(32))?)?;
        let text: String = bytes.iter().map(|&byte| char::from(byte)).filter(|c| matches!(c, ' '..='~')).collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.data.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = self.data.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }).ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A JPEG start with an EXIF segment of either byte order.
    pub(in crate::media) fn with_exif(jpeg: &[u8], orientation: u16, taken: &str, big: bool) -> Vec<u8> {
        let u16 = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let u32 = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut tiff = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        tiff.extend(u32(8));
        tiff.extend(u16(2));
        tiff.extend([u16(ORIENTATION), u16(3)].concat());
        tiff.extend(u32(1));
        tiff.extend([u16(orientation), u16(0)].concat());
        tiff.extend([u16(EXIF_FOLDER), u16(4)].concat());
        tiff.extend([u32(1), u32(38), u32(0)].concat());
        tiff.extend(u16(1));
        tiff.extend([u16(TAKEN), u16(2)].concat());
        tiff.extend([u32(20), u32(56), u32(0)].concat());
        tiff.extend(taken.as_bytes());
        tiff.push(0);
        let body = [b"Exif\0\0".as_slice(), &tiff].concat();
        let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [&[0xff, 0xd8, 0xff, APP1], length.as_slice(), &body, &jpeg[2..]].concat()
    }

    const SCAN: [u8; 12] = [0xff, 0xd8, 0xff, 0xda, 0, 3, 1, 0x11, 0x22, 0x33, 0xff, 0xd9];

    #[test]
    fn both_byte_orders_are_read() {
        for big in [false, true] {
            let exif = exif(&with_exif(&SCAN, 6, "2025:06:01 08:00:00", big));
            assert_eq!(exif, Exif { orientation: Some(6), taken: Some("2025:06:01 08:00:00".to_owned()) });
        }
        assert_eq!(exif(&with_exif(&SCAN, 9, "2025:06:01 08:00:00", true)).orientation, None);
        assert_eq!(exif(&SCAN), Exif::default());
    }

    #[test]
    fn metadata_goes_and_the_picture_stays() {
        let photo = with_exif(&SCAN, 6, "2025:06:01 08:00:00", true);
        assert_eq!(without_metadata(&photo).unwrap(), SCAN);
        assert_eq!(without_metadata(b"GIF89a"), None);
        assert_eq!(without_metadata(&SCAN[..4]), None);
    }

    proptest! {
        #[test]
        fn damage_never_panics(
            at in prop::collection::vec((0usize..140, any::<u8>()), 0..8),
            cut in 0usize..140,
            big in any::<bool>(),
        ) {
            let mut photo = with_exif(&SCAN, 6, "2025:06:01 08:00:00", big);
            for (place, byte) in at {
                if let Some(slot) = photo.get_mut(place) { *slot = byte; }
            }
            photo.truncate(cut);
            let _exif = exif(&photo);
            if let Some(clean) = without_metadata(&photo) {
                prop_assert!(clean.len() <= photo.len());
            }
        }
    }
}
