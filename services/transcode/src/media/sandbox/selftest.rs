//! Proof, at start-up and on this very machine, that the sandbox isolates.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Exit, Flow, INPUT, Layers, OUTPUT, Report, Sandbox, Stop, Window};
use crate::media::limits::{Budget, Limits};
use crate::media::tool::ToolVersion;

/// Why transcode must not start here.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// No system-call filter is written for this processor.
    #[error("no system-call filter for this processor: run transcode on x86-64 or aarch64")]
    Architecture,
    /// Bubblewrap or a helper does not start.
    #[error(
        "the sandbox does not start ({0}): install bubblewrap, util-linux and coreutils, and let this pod create user \
         namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, a seccomp and AppArmor \
         profile that permit unshare, mount and pivot_root)"
    )]
    NotStarting(String),
    /// FFmpeg is missing, too old, or built without an encoder we need.
    #[error("ffmpeg does not fit ({0}): install FFmpeg 5.1 to 8 with libx264 below /usr")]
    Ffmpeg(String),
    /// A child could do what it must not.
    #[error("the sandbox does not isolate: a child inside {0}")]
    Leaks(&'static str),
    /// The check itself could not be carried out, so nothing is proven.
    #[error("the isolation of the sandbox cannot be checked: {0}")]
    Unproven(String),
    /// The scratch folder or the system's folders cannot be used.
    #[error("cannot prepare the check of the sandbox")]
    Scratch(#[source] io::Error),
}

const CONTROL_PATIENCE: Duration = Duration::from_secs(20);

/// All checks; the namespaces are judged without the system-call filter, which would hide a hole in them.
pub(super) async fn prove(sandbox: &Sandbox, scratch: &Path) -> Result<ToolVersion, Unusable> {
    let host = tempfile::tempdir_in(scratch).map_err(Unusable::Scratch)?;
    let output = tempfile::tempdir_in(scratch).map_err(Unusable::Scratch)?;
    let test = Test { sandbox, host: host.path(), output: output.path(), budget: Limits::default().small() };
    let version = test.version().await?;
    test.encodes_inside().await?;
    test.reads_nothing_outside().await?;
    test.writes_nothing_outside().await?;
    test.reaches_no_network().await?;
    Ok(version)
}

struct Test<'a> {
    sandbox: &'a Sandbox,
    host: &'a Path,
    output: &'a Path,
    budget: Budget,
}

impl Test<'_> {
    async fn version(&self) -> Result<ToolVersion, Unusable> {
        let mut text = Vec::new();
        let report = self.ffmpeg(&["-version"], None, Layers::ALL, |chunk| keep(&mut text, chunk)).await?;
        let version = ToolVersion::parse(&String::from_utf8_lossy(&text))
            .ok_or_else(|| Unusable::Ffmpeg(format!("its version cannot be read: {}", first_line(&report.stderr))))?;
        if version.is_too_old() {
            return Err(Unusable::Ffmpeg(format!("version {} is older than 5.1", version.version)));
        }
        Ok(version)
    }

    /// Also shows that a write to the output folder works, so that the failures below mean something.
    async fn encodes_inside(&self) -> Result<(), Unusable> {
        let sample = format!("{OUTPUT}/sample.mp4");
        let arguments = [
            "-f",
            "lavfi",
            "-i",
            "testsrc=s=64x64:r=5:d=1",
            "-f",
            "lavfi",
            "-i",
            "sine=d=1",
            "-c:v",
            "libx264",
            "-c:a",
            "aac",
            &sample,
        ];
        let report = self.ffmpeg(&arguments, None, Layers::ALL, ignore).await?;
        if report.exit != Exit::Success || !self.output.join("sample.mp4").is_file() {
            return Err(Unusable::Ffmpeg(format!("H.264 and AAC cannot be encoded: {}", last_line(&report.stderr))));
        }
        Ok(())
    }

    async fn reads_nothing_outside(&self) -> Result<(), Unusable> {
        let secret = self.host.join("secret");
        std::fs::write(&secret, [7; 256]).map_err(Unusable::Scratch)?;
        if self.reads(INPUT, Some(&secret)).await? != Exit::Success {
            return Err(Unusable::Unproven("the input cannot be read inside".to_owned()));
        }
        let path = secret.to_string_lossy();
        for place in [path.as_ref(), "/proc/self/status", "/proc/1/environ", "/etc/hostname", "/dev/zero"] {
            if self.reads(place, None).await? == Exit::Success {
                return Err(Unusable::Leaks("reads the host's files"));
            }
        }
        Ok(())
    }

    async fn reads(&self, path: &str, input: Option<&Path>) -> Result<Exit, Unusable> {
        let arguments = [
            "-f",
            "rawvideo",
            "-pixel_format",
            "gray",
            "-video_size",
            "4x4",
            "-i",
            path,
            "-frames:v",
            "1",
            "-f",
            "null",
            "-",
        ];
        Ok(self.ffmpeg(&arguments, input, Layers::NO_FILTER, ignore).await?.exit)
    }

    async fn writes_nothing_outside(&self) -> Result<(), Unusable> {
        let forbidden = self.host.join("written");
        let secret = self.host.join("secret");
        let path = forbidden.to_string_lossy();
        for place in
            [path.as_ref(), INPUT, "/written", "/usr/written", "/tmp/written", "/in/written", "/out/../written"]
        {
            let arguments = ["-f", "lavfi", "-i", "color=s=16x16", "-frames:v", "1", "-f", "rawvideo", place];
            let report = self.ffmpeg(&arguments, Some(&secret), Layers::NO_FILTER, ignore).await?;
            if report.exit == Exit::Success || forbidden.exists() {
                return Err(Unusable::Leaks("writes outside its output folder"));
            }
        }
        Ok(())
    }

    /// Three knocks at a port of ours: by the program outside, which must arrive, and inside, with and without the filter.
    async fn reaches_no_network(&self) -> Result<(), Unusable> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(Unusable::Scratch)?;
        let url = format!("tcp://127.0.0.1:{}", listener.local_addr().map_err(Unusable::Scratch)?.port());
        self.knock_from_outside(&listener, &url).await?;
        for layers in [Layers::ALL, Layers::NO_FILTER] {
            let arguments = ["-f", "rawvideo", "-i", &url, "-f", "null", "-"];
            let knock = self.ffmpeg(&arguments, None, layers, ignore);
            let exit = tokio::select! {
                biased;
                _ = listener.accept() => return Err(Unusable::Leaks("opens a TCP connection")),
                report = knock => report?.exit,
            };
            let arrived = timeout(Duration::from_millis(50), listener.accept()).await.is_ok();
            if exit == Exit::Success || arrived {
                return Err(Unusable::Leaks("opens a TCP connection"));
            }
        }
        Ok(())
    }

    async fn knock_from_outside(&self, listener: &TcpListener, url: &str) -> Result<(), Unusable> {
        let mut outside = Command::new(&self.sandbox.programs.ffmpeg);
        outside.args(["-v", "quiet", "-nostdin", "-f", "rawvideo", "-i", url, "-f", "null", "-"]).env_clear();
        outside
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = outside.kill_on_drop(true).spawn().map_err(Unusable::Scratch)?;
        let arrived = timeout(CONTROL_PATIENCE, listener.accept()).await.is_ok_and(|accepted| accepted.is_ok());
        let _already_gone = child.start_kill();
        child.wait().await.map_err(Unusable::Scratch)?;
        if arrived {
            Ok(())
        } else {
            Err(Unusable::Unproven("ffmpeg reaches no port even outside the sandbox".to_owned()))
        }
    }

    async fn ffmpeg(
        &self,
        arguments: &[&str],
        input: Option<&Path>,
        layers: Layers,
        reader: impl FnMut(&[u8]) -> Flow,
    ) -> Result<Report, Unusable> {
        let common = ["-hide_banner", "-nostdin", "-y", "-v", "error"];
        let arguments: Vec<String> = common.iter().chain(arguments).map(|&argument| argument.to_owned()).collect();
        let window = Window { input, output: self.output };
        let program = &self.sandbox.programs.ffmpeg;
        self.sandbox.run_any(program, &arguments, window, &self.budget, layers, reader).await.map_err(|stop| match stop
        {
            Stop::NotStarted(words) => Unusable::NotStarting(words),
            Stop::Starved(_) | Stop::Interrupted => Unusable::Unproven("a check did not end".to_owned()),
            Stop::Io(error) => Unusable::Scratch(error),
        })
    }
}

fn ignore(_: &[u8]) -> Flow {
    Flow::Quiet
}

fn keep(text: &mut Vec<u8>, chunk: &[u8]) -> Flow {
    text.extend(chunk);
    if text.len() > 64 << 10 { Flow::TooMuch } else { Flow::Quiet }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}
