//! Samples made by FFmpeg outside the sandbox, and one proven sandbox for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{OnceCell, watch};

use crate::media::{
    Derivation, DeriveError, Job, Limits, MediaKind, Outcome, Programs, Progress, Role, Sandbox, derive,
};

/// Test pictures with sound, 30 frames per second.
pub(super) const SOURCE: &str = "-f lavfi -i testsrc2=s=640x360:r=30:d=10 -f lavfi -i sine=d=10";
pub(super) const H264: &str = "-c:v libx264 -preset ultrafast -g 60 -pix_fmt yuv420p";

pub(super) async fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceCell<Sandbox> = OnceCell::const_new();
    SANDBOX.get_or_init(|| async { Sandbox::probe(Programs::default(), &std::env::temp_dir()).await.unwrap() }).await
}

/// A folder for samples and one for outputs.
pub(super) struct Lab {
    folder: TempDir,
    out: TempDir,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), out: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn out(&self) -> &Path {
        self.out.path()
    }

    /// Makes a sample with FFmpeg; arguments are separated by blanks.
    pub(super) fn ffmpeg(&self, arguments: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y"]).args(arguments.split_whitespace()).arg(&path);
        let output = command.current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }

    pub(super) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    pub(super) async fn derive(&self, input: &Path, kind: MediaKind) -> Derivation {
        self.derive_within(input, kind, &Limits::default()).await.unwrap()
    }

    pub(super) async fn derive_within(
        &self,
        input: &Path,
        kind: MediaKind,
        limits: &Limits,
    ) -> Result<Derivation, DeriveError> {
        let job = Job { input: input.to_owned(), kind, out: self.out().to_owned() };
        let (progress, _) = watch::channel(Progress::START);
        let derivation = derive(&job, sandbox().await, limits, &progress).await?;
        self.check_folder(&derivation);
        Ok(derivation)
    }

    /// Exactly the listed files are there; none where nothing can be shown.
    fn check_folder(&self, derivation: &Derivation) {
        let entries = std::fs::read_dir(self.out()).unwrap();
        let mut there: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let mut listed: Vec<String> = derivation.outputs.iter().map(|file| file.name.clone()).collect();
        there.sort();
        listed.sort();
        assert_eq!(there, listed);
        let shown = matches!(derivation.outcome, Outcome::Playable { .. } | Outcome::StillImage);
        assert_eq!(shown, !there.is_empty(), "{derivation:?}");
    }

    pub(super) fn output(&self, role: Role) -> PathBuf {
        self.out().join(role.file_name())
    }

    /// Decodes the playback copy through its playlist, as a player does. Returns FFprobe's description.
    pub(super) fn play(&self) -> Value {
        let list = self.output(Role::PlaybackPlaylist);
        let mut decode = Command::new("ffmpeg");
        decode.args(["-v", "error", "-nostdin", "-xerror", "-i"]).arg(&list).args(["-f", "null", "-"]);
        let output = decode.output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaints.is_empty(), "{complaints}");
        describe(&list)
    }
}

/// What FFprobe says about a file, outside the sandbox.
pub(super) fn describe(path: &Path) -> Value {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-show_format", "-show_streams", "-of", "json"]).arg(path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Codec, width and height of the only picture in a file.
pub(super) fn picture(path: &Path) -> (String, u64, u64) {
    let described = describe(path);
    let stream = &described["streams"][0];
    (
        stream["codec_name"].as_str().unwrap().to_owned(),
        stream["width"].as_u64().unwrap(),
        stream["height"].as_u64().unwrap(),
    )
}

/// Average red, green and blue of a region, 0 to 255.
pub(super) fn colour(path: &Path, crop: &str) -> [u8; 3] {
    let filter = format!("crop={crop},scale=1:1:flags=area,format=rgb24");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i"]).arg(path);
    let output = command.args(["-vf", &filter, "-frames:v", "1", "-f", "rawvideo", "-"]).output().unwrap();
    output.stdout.as_slice().try_into().unwrap()
}

pub(super) fn seconds(described: &Value) -> f64 {
    described["format"]["duration"].as_str().unwrap().parse().unwrap()
}
