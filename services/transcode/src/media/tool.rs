//! FFmpeg's version, and the arguments every call shares.

use serde::{Deserialize, Serialize};

use super::Limits;

/// The program that made a derivative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolVersion {
    /// Always `ffmpeg`.
    pub program: String,
    /// As the program says, for example `5.1.9-0+deb12u1`.
    pub version: String,
}

impl ToolVersion {
    pub(super) fn unknown() -> Self {
        Self { program: "ffmpeg".to_owned(), version: String::new() }
    }

    /// Reads the first line of `ffmpeg -version`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let version = text.strip_prefix("ffmpeg version ")?.split_whitespace().next()?;
        Some(Self { version: version.to_owned(), ..Self::unknown() })
    }

    /// Whether it is known to be older than 5.1. Builds from version control carry no number and pass.
    pub(super) fn is_too_old(&self) -> bool {
        let mut numbers = self.version.trim_start_matches('n').split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next().and_then(|digits| digits.parse::<u32>().ok());
        match (next(), next()) {
            (Some(major), minor) => (major, minor.unwrap_or(0)) < (5, 1),
            (None, _) => false,
        }
    }
}

/// Containers recorders write and officials upload. Playlists, concatenation scripts and everything else that names further
/// files is missing on purpose. HEIF is filtered later, by its brand.
const FORMATS: &str = "mov,matroska,avi,mpegts,mpeg,h264,hevc,m4v,flv,asf,wav,mp3,aac,flac,ogg,amr,\
                       jpeg_pipe,png_pipe,bmp_pipe,webp_pipe";

/// Decoders by FFmpeg's own names (mp3float decodes `mp3`). Those of text are never fed, but must be listed: see [`Look`].
/// Recorders write positions as subtitles.
const DECODERS: &str = "h264,hevc,mjpeg,mpeg4,mpeg2video,mpeg1video,h263,vp8,vp9,av1,libdav1d,png,bmp,webp,\
                        aac,aac_latm,mp3,mp3float,mp2,mp2float,ac3,opus,libopus,vorbis,flac,alac,amrnb,amrwb,g722,\
                        pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_u8,pcm_alaw,pcm_mulaw,\
                        adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,adpcm_g726,adpcm_g726le,wmav1,wmav2,\
                        mov_text,subrip,ass,webvtt,text";

/// Codecs by the names FFprobe reports, as far as [`DECODERS`] decode them.
const CODECS: &str = "h264,hevc,mjpeg,mpeg4,mpeg2video,mpeg1video,h263,vp8,vp9,av1,png,bmp,webp,\
                      aac,aac_latm,mp3,mp2,ac3,opus,vorbis,flac,alac,amr_nb,amr_wb,adpcm_g722,\
                      pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_u8,pcm_alaw,pcm_mulaw,\
                      adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,adpcm_g726,adpcm_g726le,wmav1,wmav2";

/// Whether a codec, named as FFprobe does, is on the allow-list.
pub(super) fn can_decode(codec: &str) -> bool {
    CODECS.split(',').any(|known| known == codec)
}

/// First arguments of every `ffmpeg`. Without a number, filters start a thread per processor of the host, each of which
/// reserves address space.
pub(super) fn ffmpeg_start(loglevel: &str, limits: &Limits) -> Vec<String> {
    let threads = limits.threads.max(1).to_string();
    let mut arguments = owned(["-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", loglevel]);
    arguments.extend(owned(["-filter_threads", &threads, "-filter_complex_threads", &threads]));
    arguments
}

/// First arguments of every `ffprobe`.
pub(super) fn ffprobe_start() -> Vec<String> {
    owned(["-hide_banner", "-loglevel", "repeat+level+error"])
}

/// How FFprobe looks at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Decodes the first frames with the allow-listed decoders. FFprobe gives up on a file with any other.
    Inside,
    /// Decodes nothing, so that no list is needed: the container's own claims.
    Outside,
}

/// Arguments that open one input for decoding, naming its container where it is known.
pub(super) fn open(path: &str, container: Option<&str>, limits: &Limits) -> Vec<String> {
    look(path, container, limits, Look::Inside)
}

/// Arguments that open one input.
pub(super) fn look(path: &str, container: Option<&str>, limits: &Limits, look: Look) -> Vec<String> {
    let mut arguments = owned(["-max_alloc", &limits.allocation.to_string()]);
    arguments.extend(owned(["-protocol_whitelist", "file", "-format_whitelist", FORMATS]));
    arguments.extend(match look {
        Look::Inside => owned(["-codec_whitelist", DECODERS]),
        Look::Outside => owned(["-nofind_stream_info"]),
    });
    arguments.extend(owned([
        "-max_pixels",
        &limits.max_pixels.to_string(),
        "-threads",
        &limits.threads.max(1).to_string(),
    ]));
    // Recorders that start their sound late need a longer look than the default 5 MB.
    arguments.extend(owned(["-probesize", "20000000", "-analyzeduration", "20000000"]));
    if let Some(container) = container {
        arguments.extend(owned(["-f", container]));
    }
    arguments.extend(owned(["-i", path]));
    arguments
}

/// Filters that print the time of every frame passing through to standard output, where most filters are silent until their
/// last. `medium` is `a` for sound and empty for pictures.
pub(super) fn tell_times(medium: &str) -> String {
    // Frames without metadata are passed over, so each gets some.
    format!("{medium}metadata=mode=add:key=at:value=1,{medium}metadata=mode=print:file='pipe\\:1':direct=1")
}

/// Reads `frame:3    pts:61440   pts_time:4.0` of [`tell_times`], in milliseconds.
pub(super) fn told_time_ms(line: &str) -> Option<u64> {
    let (_, time) = line.strip_prefix("frame:")?.split_once("pts_time:")?;
    let seconds: f64 = time.split_whitespace().next()?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded on this line")]
    (seconds.abs() < 1e9).then_some((seconds.max(0.0) * 1000.0).round() as u64)
}

/// Turns literals into arguments.
pub(super) fn owned<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    arguments.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let debian = ToolVersion::parse("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026").unwrap();
        assert_eq!(debian.version, "5.1.9-0+deb12u1");
        let old = |version: &str| ToolVersion { version: version.to_owned(), ..ToolVersion::unknown() }.is_too_old();
        assert!(!old("5.1.9-0+deb12u1") && !old("n7.1") && !old("8.0") && !old("N-118000-gabc") && !old("10"));
        assert!(old("4.4.2") && old("5.0.1") && old("5"));
        assert!(ToolVersion::parse("bash: no such file").is_none());
    }

    #[test]
    fn told_times_are_read() {
        assert_eq!(told_time_ms("frame:3    pts:61440   pts_time:4"), Some(4000));
        assert_eq!(told_time_ms("frame:12   pts:184320  pts_time:12.0335"), Some(12_034));
        assert_eq!(told_time_ms("frame:0    pts:-3      pts_time:-0.02"), Some(0));
        assert_eq!(told_time_ms("at=1"), None);
        assert_eq!(told_time_ms("frame:0 pts:NOPTS pts_time:nan"), None);
    }

    #[test]
    fn allow_lists_name_nothing_that_follows_references() {
        for dangerous in ["hls", "concat", "dash", "sdp", "rtsp", "image2", "lavfi", "tty", "subfile", "imf", "wtv"] {
            assert!(!FORMATS.split(',').any(|name| name == dangerous), "{dangerous}");
        }
        assert!(can_decode("hevc") && !can_decode("") && !can_decode("h26"));
    }
}
