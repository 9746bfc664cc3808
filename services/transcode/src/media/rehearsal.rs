//! A rehearsal at start-up: every kind of derivation once, on samples made here.
//!
//! Proves that this FFmpeg understands the arguments this version of transcode uses, before a real recording is called
//! undecodable because of us.

use std::io;
use std::path::Path;

use tokio::sync::watch;

use super::sandbox::{Exit, Flow, OUTPUT, Program, Sandbox, Stop, Window};
use super::{DeriveError, Form, Job, Limits, MediaKind, Method, Outcome, Progress, derive, tool};

/// Why the rehearsal failed; transcode must not start.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// A sample ended otherwise than it must.
    #[error("ffmpeg does not fit this version of transcode: sample {sample} ended as {outcome:?}")]
    Unexpected {
        /// Which sample.
        sample: &'static str,
        /// How it ended.
        outcome: Box<Outcome>,
    },
    /// A sample could not be made.
    #[error("cannot make the sample {sample}: {words}")]
    Sample {
        /// Which sample.
        sample: &'static str,
        /// The tool's words.
        words: String,
    },
    /// The derivation itself failed.
    #[error("the rehearsal failed")]
    Derive(#[from] DeriveError),
    /// The scratch folder cannot be used.
    #[error("cannot prepare the rehearsal")]
    Scratch(#[source] io::Error),
}

struct Sample {
    name: &'static str,
    kind: MediaKind,
    arguments: &'static str,
    outcome: Outcome,
}

/// Derives from four samples of two seconds. Takes a few seconds and leaves nothing in `scratch`.
pub async fn rehearse(sandbox: &Sandbox, limits: &Limits, scratch: &Path) -> Result<(), RehearsalError> {
    for sample in samples() {
        let folder = tempfile::tempdir_in(scratch).map_err(RehearsalError::Scratch)?;
        let out = tempfile::tempdir_in(scratch).map_err(RehearsalError::Scratch)?;
        make(sandbox, limits, &sample, folder.path()).await?;
        let job = Job { input: folder.path().join(sample.name), kind: sample.kind, out: out.path().to_owned() };
        let (progress, _) = watch::channel(Progress::START);
        let derivation = derive(&job, sandbox, limits, &progress).await?;
        if derivation.outcome != sample.outcome || !derivation.notes.is_empty() {
            return Err(RehearsalError::Unexpected { sample: sample.name, outcome: Box::new(derivation.outcome) });
        }
    }
    Ok(())
}

fn samples() -> [Sample; 4] {
    let playable = |form, method| Outcome::Playable { form, method };
    [
        Sample {
            name: "copied.mp4",
            kind: MediaKind::Video,
            arguments: "-f lavfi -i testsrc=s=320x180:r=15:d=2 -f lavfi -i sine=d=2 -pix_fmt yuv420p -c:v libx264 -c:a aac",
            outcome: playable(Form::Video, Method::Copied),
        },
        Sample {
            name: "encoded.avi",
            kind: MediaKind::Video,
            arguments: "-f lavfi -i testsrc=s=320x180:r=15:d=2 -f lavfi -i sine=d=2 -pix_fmt yuvj420p -c:v mjpeg -c:a pcm_s16le",
            outcome: playable(Form::Video, Method::Encoded),
        },
        Sample {
            name: "sound.wav",
            kind: MediaKind::Audio,
            arguments: "-f lavfi -i sine=d=2 -c:a pcm_s16le",
            outcome: playable(Form::AudioOnly, Method::Encoded),
        },
        Sample {
            name: "photograph.jpg",
            kind: MediaKind::Photo,
            arguments: "-f lavfi -i testsrc=s=640x360:d=1 -frames:v 1 -pix_fmt yuvj420p -c:v mjpeg -f image2 -update 1",
            outcome: Outcome::StillImage,
        },
    ]
}

async fn make(sandbox: &Sandbox, limits: &Limits, sample: &Sample, folder: &Path) -> Result<(), RehearsalError> {
    let mut arguments = tool::ffmpeg_start("error", limits);
    arguments.extend(tool::owned(sample.arguments.split(' ')));
    arguments.push(format!("{OUTPUT}/{}", sample.name));
    let window = Window { input: None, output: folder };
    let failed = |words: String| RehearsalError::Sample { sample: sample.name, words };
    match sandbox.run(Program::Ffmpeg, &arguments, window, &limits.small(), |_| Flow::Quiet).await {
        Ok(report) if report.exit == Exit::Success => Ok(()),
        Ok(report) => Err(failed(report.stderr)),
        Err(Stop::NotStarted(words)) => Err(failed(words)),
        Err(Stop::Io(error)) => Err(RehearsalError::Scratch(error)),
        Err(Stop::Starved(_) | Stop::Interrupted) => Err(failed("it did not end".to_owned())),
    }
}
