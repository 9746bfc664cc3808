//! Folders as recorders show them, filled with real media by ffmpeg.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tokio::process::Command;

/// A file of a recorder and what must become of it.
#[derive(Debug, Clone, Copy)]
pub struct Clip {
    /// Path on the recorder.
    pub name: &'static str,
    /// What ffmpeg is told.
    pub arguments: &'static str,
    /// Its kind in the catalogue.
    pub kind: &'static str,
    /// The playback outcome it must end in.
    pub playback: &'static str,
}

/// One of each: what the pipeline must carry to its end state.
pub const ONE_OF_EACH: [Clip; 6] = [
    Clip {
        name: "DCIM/DSJ00077_P000345_20261120091500_0001_00.MP4",
        arguments: "-f lavfi -i testsrc2=s=640x360:r=25:d=4 -f lavfi -i sine=d=4 -c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p -c:a aac",
        kind: "video",
        playback: "playable",
    },
    Clip {
        name: "DCIM/DSJ00077_P000345_20261120092000_0002_00.MP4",
        arguments: "-f lavfi -i testsrc2=s=320x240:r=25:d=3 -c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1",
        kind: "video",
        playback: "playable",
    },
    Clip {
        name: "DCIM/DSJ00077_P000345_20261120092500_0003_00.AVI",
        arguments: "-f lavfi -i testsrc2=s=320x240:r=15:d=3 -f lavfi -i sine=d=3 -c:v mjpeg -q:v 8 -pix_fmt yuvj420p -c:a pcm_s16le",
        kind: "video",
        playback: "playable",
    },
    Clip {
        name: "PHOTO/DSJ00077_P000345_20261120093000_0004.JPG",
        arguments: "-f lavfi -i testsrc2=s=1280x720:d=1 -frames:v 1 -q:v 3",
        kind: "photo",
        playback: "still_image",
    },
    Clip {
        name: "AUDIO/DSJ00077_P000345_20261120093500_0005.WAV",
        arguments: "-f lavfi -i sine=d=4 -c:a pcm_s16le -ar 16000",
        kind: "audio",
        playback: "playable",
    },
    Clip {
        name: "AUDIO/DSJ00077_P000345_20261120094000_0006.MP3",
        arguments: "-f lavfi -i sine=f=700:d=4 -c:a libmp3lame -b:a 64k",
        kind: "audio",
        playback: "playable",
    },
];

/// The truncated MP4 that [`fill`] adds: its index was never written.
pub const TRUNCATED: &str = "DCIM/DSJ00077_P000345_20261120094500_0007_00.MP4";

/// Fills `folder` with [`ONE_OF_EACH`] and [`TRUNCATED`].
pub async fn fill(folder: &Path) -> anyhow::Result<()> {
    for clip in ONE_OF_EACH {
        make(folder, &clip).await?;
    }
    // The index is at the end of an MP4: without its second half nothing can be decoded.
    let whole = tokio::fs::read(folder.join(ONE_OF_EACH[0].name)).await?;
    tokio::fs::write(file(folder, TRUNCATED)?, &whole[..whole.len() / 2]).await?;
    Ok(())
}

/// Makes one clip in `folder`.
pub async fn make(folder: &Path, clip: &Clip) -> anyhow::Result<()> {
    let path = file(folder, clip.name)?;
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
        .args(clip.arguments.split(' '))
        .arg(&path)
        .status();
    ensure!(status.await.context("starting ffmpeg")?.success(), "ffmpeg could not make {}", clip.name);
    Ok(())
}

/// Bytes that differ from place to place and from seed to seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A file of noise under a name that says when it was recorded.
pub fn noise_file(folder: &Path, name: &str, len: usize, seed: u64) -> anyhow::Result<PathBuf> {
    let path = file(folder, name)?;
    std::fs::write(&path, noise(len, seed))?;
    Ok(path)
}

fn file(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
    Ok(path)
}
