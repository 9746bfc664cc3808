//! What was measured about an original.

use serde::{Deserialize, Serialize};

/// What was measured about an original. Everything in it is the file's own claim except what says "measured".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TechnicalMetadata {
    /// FFmpeg's name of the container, first of its synonyms, for example `mov` for MP4.
    pub container: String,
    /// Size of the file, measured.
    pub bytes: u64,
    /// From the first timestamp to the end of the last frame, gaps included, milliseconds, measured. Absent for pictures.
    pub duration_ms: Option<u64>,
    /// The same without the gaps, measured.
    pub covered_ms: Option<u64>,
    /// Duration the header declares, milliseconds.
    pub declared_duration_ms: Option<u64>,
    /// Bits per second over the covered time, measured.
    pub bit_rate: Option<u64>,
    /// Streams in file order, at most 32.
    pub streams: Vec<Stream>,
    /// Places where time passed without a frame, measured, at most 256.
    pub gaps: Vec<Gap>,
    /// Number of gaps including those not listed.
    pub gap_count: u32,
    /// How often timestamps jumped back, measured.
    pub backward_jumps: u32,
    /// Longest distance between keyframes of the first video stream, milliseconds, measured.
    pub keyframe_interval_max_ms: Option<u64>,
    /// Whether the first video frame is a keyframe, measured.
    pub starts_with_keyframe: Option<bool>,
    /// When the device says it began, in its own words: the device's clock and notation.
    pub created_declared: Option<String>,
    /// How far to turn the picture clockwise to see it upright: 0, 90, 180 or 270.
    pub rotation_degrees: u16,
    /// EXIF orientation of a photograph, 1 to 8 (CIPA DC-008, tag 0x0112).
    pub orientation: Option<u8>,
}

/// One stream of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stream {
    /// Place in the file, from 0.
    pub index: u32,
    /// What it carries.
    pub kind: StreamKind,
    /// FFmpeg's name of the codec; `unknown` where it knows none.
    pub codec: String,
    /// For example `High` or `LC`.
    pub profile: Option<String>,
    /// For example `yuv420p`.
    pub pixel_format: Option<String>,
    /// Stored width, pixels, before rotation.
    pub width: Option<u32>,
    /// Stored height, pixels, before rotation.
    pub height: Option<u32>,
    /// Width of a pixel over its height, where it is not 1.
    pub pixel_aspect: Option<Rational>,
    /// Average frames per second.
    pub frame_rate: Option<Rational>,
    /// Whether frames consist of two fields.
    pub interlaced: bool,
    /// Samples per second.
    pub sample_rate: Option<u32>,
    /// Number of audio channels.
    pub channels: Option<u32>,
    /// Declared bits per second.
    pub bit_rate: Option<u64>,
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
    /// A still picture attached to a recording, such as cover art.
    Picture,
    /// Text shown over pictures.
    Subtitle,
    /// Anything else: positions, time codes, vendor data.
    #[default]
    Data,
}

/// A fraction, so that 30000/1001 stays exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rational {
    /// Numerator.
    pub num: u32,
    /// Denominator, never 0.
    pub den: u32,
}

/// Time that passed without a frame, in milliseconds since the first timestamp of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// End of the last frame before.
    pub from_ms: u64,
    /// First frame after.
    pub to_ms: u64,
}

impl TechnicalMetadata {
    /// The stream the playback copy shows: the first video stream that can be decoded.
    pub(super) fn video(&self) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.kind == StreamKind::Video && stream.is_decodable())
    }

    /// The stream the playback copy sounds.
    pub(super) fn audio(&self) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.kind == StreamKind::Audio && stream.is_decodable())
    }

    /// Whether there is a stream of this kind, decodable or not.
    pub(super) fn has(&self, kind: StreamKind) -> bool {
        self.streams.iter().any(|stream| stream.kind == kind)
    }

    /// Whether the container holds one picture and no time.
    pub(super) fn is_picture(&self) -> bool {
        self.container.ends_with("_pipe")
    }
}

impl Stream {
    fn is_decodable(&self) -> bool {
        let shape = match self.kind {
            StreamKind::Video => self.width.unwrap_or(0) > 0 && self.height.unwrap_or(0) > 0,
            StreamKind::Audio => self.sample_rate.unwrap_or(0) > 0 && self.channels.unwrap_or(0) > 0,
            StreamKind::Picture | StreamKind::Subtitle | StreamKind::Data => false,
        };
        shape && super::tool::can_decode(&self.codec)
    }

    /// Size of the upright picture with square pixels, at least 1 × 1.
    pub(super) fn display_size(&self, rotation_degrees: u16) -> (u32, u32) {
        let (width, height) = (self.width.unwrap_or(1).max(1), self.height.unwrap_or(1).max(1));
        let aspect = self.pixel_aspect.unwrap_or(Rational { num: 1, den: 1 });
        let wide = u64::from(width) * u64::from(aspect.num.max(1)) / u64::from(aspect.den.max(1));
        // A pixel aspect beyond 1:4 is damage, not anamorphism.
        let wide = wide.clamp(u64::from(width / 4).max(1), u64::from(width) * 4);
        let width = u32::try_from(wide).unwrap_or(width);
        if rotation_degrees % 180 == 90 { (height, width) } else { (width, height) }
    }
}

impl Rational {
    /// Parses `30000/1001` or `16:11`; `0/0` and nonsense are nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (num, den) = text.split_once(['/', ':'])?;
        let (num, den) = (num.parse().ok()?, den.parse().ok()?);
        (num > 0 && den > 0).then_some(Self { num, den })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_size_turns_and_stretches() {
        let stream =
            Stream { width: Some(720), height: Some(576), pixel_aspect: Rational::parse("16:11"), ..Stream::default() };
        assert_eq!(stream.display_size(0), (1047, 576));
        assert_eq!(stream.display_size(90), (576, 1047));
        let broken = Stream { pixel_aspect: Rational::parse("4000000000:1"), ..stream };
        assert_eq!(broken.display_size(0), (2880, 576));
    }

    #[test]
    fn rationals() {
        assert_eq!(Rational::parse("30000/1001"), Some(Rational { num: 30_000, den: 1001 }));
        assert_eq!(Rational::parse("0/0"), None);
        assert_eq!(Rational::parse("1/-1"), None);
        assert_eq!(Rational::parse("99999999999/1"), None);
    }
}
