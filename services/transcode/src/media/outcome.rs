//! How a derivation ended, and what it left in the output folder.
//!
//! The serialised names are stored in derivative manifests and announced on the bus: they only ever grow.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{TechnicalMetadata, ToolVersion};

/// What the recorder says the item is. The bytes decide what is made of it; a difference is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Moving pictures, with or without sound.
    Video,
    /// One still picture.
    Photo,
    /// Sound only.
    Audio,
}

/// Everything one derivation produced. Belongs in the derivative's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Derivation {
    /// How it ended.
    pub outcome: Outcome,
    /// What was measured, where at least the header could be read.
    pub technical: Option<TechnicalMetadata>,
    /// Files in the output folder, all of them regular, non-empty and checked. Empty unless something can be shown.
    pub outputs: Vec<OutputFile>,
    /// Remarks for whoever watches the copy, in a fixed order and without repetition.
    pub notes: Vec<Note>,
    /// The program that made the outputs.
    pub tool: ToolVersion,
    /// Argument list of every program run, in order, with paths as seen inside the sandbox.
    pub commands: Vec<Vec<String>>,
}

/// How a derivation ended. Final for these bytes and this tool version: trying again gives the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// There is a playback copy.
    Playable {
        /// Moving pictures or sound.
        form: Form,
        /// Whether the main stream's own bits are in the copy.
        method: Method,
    },
    /// There is a picture for the web and its thumbnail.
    StillImage,
    /// Nothing in the file could be decoded. The original is safe and unaffected.
    Undecodable {
        /// Why, as a stable code.
        reason: Reason,
        /// The tool's own words, printable, at most a few hundred characters.
        detail: String,
    },
    /// The file asked for more than [`super::Limits`] grant.
    ExceededLimits {
        /// Which limit.
        limit: LimitKind,
        /// What was measured or said.
        detail: String,
    },
}

/// What a playback copy plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Moving pictures, with or without sound.
    Video,
    /// Sound only, also of a recording whose pictures cannot be decoded.
    AudioOnly,
}

/// How the main stream came into the playback copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Stream copy: the recorder's own compressed frames in a new container.
    Copied,
    /// Decoded and compressed again.
    Encoded,
}

/// Why nothing could be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Zero bytes long.
    Empty,
    /// No container of the allow-list.
    NotRecognised,
    /// An MP4 that lost its index (`moov`), usually a recording cut off by a power loss.
    IndexMissing,
    /// A container without video, audio or picture.
    NoMediaStreams,
    /// Only codecs outside the allow-list.
    CodecNotSupported,
    /// Streams are there, but not one frame decodes.
    NoDecodableFrames,
    /// The decoder died of a signal. Worth a look by whoever follows FFmpeg's security notices.
    DecoderCrashed,
}

/// Which of [`super::Limits`] was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Processor seconds.
    CpuTime,
    /// Address space, or one allocation.
    Memory,
    /// Size of one output file, or of the tool's answer.
    OutputSize,
    /// Length of the recording.
    Duration,
    /// Elapsed time. Never produced by [`super::derive`]: for a caller that gives up after repeated
    /// [`super::DeriveError::Starved`].
    WallClock,
}

/// A remark on an outcome, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The recorder declared another kind than the bytes show.
    KindDiffers,
    /// The file ends before the duration it declares.
    Truncated,
    /// Timestamps jump; see [`TechnicalMetadata::gaps`].
    Gaps,
    /// The decoder complained about parts of the file.
    DecodeErrors,
    /// Stream copy was planned but did not give a complete copy, so it was encoded.
    CopyFailed,
    /// The playback copy is shorter than what the timestamps promise.
    PlaybackIncomplete,
    /// Times in the playback copy are not times of the recording: jumps of the timestamps were closed.
    TimesDiffer,
    /// There is sound, but it is not in the playback copy.
    AudioDropped,
    /// There are pictures, but they are not in the playback copy.
    VideoDropped,
    /// More than one video stream (a second lens); only the first is in the playback copy.
    MoreVideoStreams,
    /// No storyboard, thumbnail or waveform could be made.
    PreviewMissing,
}

/// One file of the output folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// What it is for.
    pub role: Role,
    /// File name inside the output folder; fixed per role.
    pub name: String,
    /// Media type to serve it with.
    pub content_type: String,
    /// Size in bytes, never 0.
    pub bytes: u64,
}

impl OutputFile {
    /// Where the file lies, given the folder [`super::Job::out`].
    pub fn path(&self, out: &Path) -> PathBuf {
        out.join(&self.name)
    }
}

/// What an output file is for. Each role occurs at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// HLS media playlist (RFC 8216) naming byte ranges of [`Role::PlaybackMedia`].
    PlaybackPlaylist,
    /// Fragmented MP4, all segments in one file.
    PlaybackMedia,
    /// Grid of small pictures.
    Storyboard,
    /// WebVTT that maps times to places of the storyboard.
    StoryboardIndex,
    /// One small picture.
    Thumbnail,
    /// A photograph, upright, of web size, without metadata.
    WebImage,
    /// Picture of the loudness over time.
    Waveform,
}

impl Role {
    /// The fixed file name.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::PlaybackPlaylist => "playback.m3u8",
            Self::PlaybackMedia => "playback.mp4",
            Self::Storyboard => "storyboard.jpg",
            Self::StoryboardIndex => "storyboard.vtt",
            Self::Thumbnail => "thumbnail.jpg",
            Self::WebImage => "image.jpg",
            Self::Waveform => "waveform.png",
        }
    }

    /// The media type to serve it with.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::PlaybackPlaylist => "application/vnd.apple.mpegurl",
            Self::PlaybackMedia => "video/mp4",
            Self::Storyboard | Self::Thumbnail | Self::WebImage => "image/jpeg",
            Self::StoryboardIndex => "text/vtt; charset=utf-8",
            Self::Waveform => "image/png",
        }
    }
}
