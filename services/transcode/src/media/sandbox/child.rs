//! One child process: its output, its deadlines, and what its end means.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use nix::libc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

use crate::media::limits::Budget;

/// What a reader of standard output says about the bytes it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Flow {
    /// The program advanced: the stall clock starts anew.
    Advanced,
    /// Nothing to remark.
    Quiet,
    /// More output than an honest file causes: end it.
    TooMuch,
}

/// A program that ran to an end of its own or the input's making.
#[derive(Debug)]
pub(in crate::media) struct Report {
    pub(in crate::media) exit: Exit,
    /// Standard error, lossily decoded, the beginning of it where it is long.
    pub(in crate::media) stderr: String,
}

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Exit {
    Success,
    Failed(i32),
    Crashed(i32),
    CpuTime,
    Memory,
    FileSize,
    TooMuchOutput,
}

/// A program whose end says nothing about the input.
#[derive(Debug)]
pub(in crate::media) enum Stop {
    /// The sandbox or a helper around the program failed; its words.
    NotStarted(String),
    /// Elapsed time, the total or since the last advance, was up.
    Starved(Duration),
    /// Killed by somebody else.
    Interrupted,
    Io(io::Error),
}

const STDERR_KEPT: usize = 256 << 10;

pub(super) async fn supervise(
    command: &mut Command,
    budget: &Budget,
    reader: impl FnMut(&[u8]) -> Flow,
) -> Result<Report, Stop> {
    let mut child = command.spawn().map_err(|error| Stop::NotStarted(error.to_string()))?;
    let started = Instant::now();
    let mut stderr = Vec::new();
    let end = attend(&mut child, budget, started, reader, &mut stderr).await;
    if !matches!(end, Ok(End::Exited(_))) {
        // Bubblewrap's death takes the whole process namespace with it (--die-with-parent).
        let _already_gone = child.start_kill();
        child.wait().await.map_err(Stop::Io)?;
    }
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    let exit = match end? {
        End::TooMuchOutput => Exit::TooMuchOutput,
        End::Exited(status) => classify(status, &stderr, started.elapsed(), budget)?,
    };
    Ok(Report { exit, stderr })
}

enum End {
    Exited(ExitStatus),
    TooMuchOutput,
}

async fn attend(
    child: &mut Child,
    budget: &Budget,
    started: Instant,
    mut reader: impl FnMut(&[u8]) -> Flow,
    errors: &mut Vec<u8>,
) -> Result<End, Stop> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out_buffer, mut error_buffer) = (vec![0; 64 << 10], vec![0; 16 << 10]);
    let mut advanced = started;
    loop {
        let patience = (started + budget.wall).min(advanced + budget.stall);
        tokio::select! {
            () = sleep_until(patience) => return Err(Stop::Starved(patience - started)),
            read = read_some(&mut stdout, &mut out_buffer), if stdout.is_some() => {
                match reader(&out_buffer[..read.map_err(Stop::Io)?]) {
                    Flow::Advanced => advanced = Instant::now(),
                    Flow::Quiet => {}
                    Flow::TooMuch => return Ok(End::TooMuchOutput),
                }
            }
            read = read_some(&mut stderr, &mut error_buffer), if stderr.is_some() => {
                let chunk = &error_buffer[..read.map_err(Stop::Io)?];
                errors.extend(&chunk[..chunk.len().min(STDERR_KEPT - errors.len())]);
            }
            status = child.wait(), if stdout.is_none() && stderr.is_none() => {
                return status.map(End::Exited).map_err(Stop::Io);
            }
        }
    }
}

/// Reads what is there; at the end of the stream puts `None` in its place.
async fn read_some(stream: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> io::Result<usize> {
    let Some(open) = stream else { return Ok(0) };
    let count = open.read(buffer).await?;
    if count == 0 {
        *stream = None;
    }
    Ok(count)
}

/// Bubblewrap hands on the program's exit code, and 128 + n for signal n.
fn classify(status: ExitStatus, stderr: &str, elapsed: Duration, budget: &Budget) -> Result<Exit, Stop> {
    let Some(code) = status.code() else { return Err(Stop::Interrupted) };
    if code == 0 {
        return Ok(Exit::Success);
    }
    if let Some(words) = helpers_words(stderr) {
        return Err(Stop::NotStarted(words));
    }
    let signal = code - 128;
    Ok(match (code, signal) {
        (_, libc::SIGXCPU) => Exit::CpuTime,
        (_, libc::SIGXFSZ) => Exit::FileSize,
        // Nobody inside sends it: the kernel does, for memory, or at the hard limit of CPU seconds.
        (_, libc::SIGKILL) if may_have_used_up(budget, elapsed) => Exit::CpuTime,
        (_, libc::SIGKILL) => Exit::Memory,
        (
            _,
            libc::SIGSEGV | libc::SIGABRT | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGSYS | libc::SIGTRAP,
        ) => Exit::Crashed(signal),
        // FFmpeg catches SIGXCPU, tidies up and says 255, or 123 if it had to be told several times (fftools/ffmpeg.c).
        (255 | 123, _) if may_have_used_up(budget, elapsed) => Exit::CpuTime,
        _ if out_of_memory(stderr) => Exit::Memory,
        _ => Exit::Failed(code),
    })
}

/// The first line, if one of the programs around FFmpeg said it: they begin with their name or path, FFmpeg with `[level]`.
fn helpers_words(stderr: &str) -> Option<String> {
    let line = stderr.lines().next()?;
    let speaker = line.split(':').next()?.rsplit('/').next()?;
    ["bwrap", "prlimit", "nice", "sh"].contains(&speaker).then(|| line.chars().take(300).collect())
}

/// Whether the elapsed time was enough to use up the CPU seconds, given that decoder, encoder and filters share the work.
fn may_have_used_up(budget: &Budget, elapsed: Duration) -> bool {
    elapsed.saturating_mul(budget.threads.saturating_mul(2).max(4)) >= budget.cpu
}

fn out_of_memory(stderr: &str) -> bool {
    ["Cannot allocate memory", "malloc of size", "Error allocating"].iter().any(|words| stderr.contains(words))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::media::Limits;

    fn exit(code: i32, stderr: &str) -> Result<Exit, Stop> {
        classify(ExitStatus::from_raw(code << 8), stderr, Duration::from_secs(1), &Limits::default().small())
    }

    #[test]
    fn exit_codes_have_names() {
        assert!(matches!(exit(0, "[error] something"), Ok(Exit::Success)));
        assert!(matches!(exit(152, ""), Ok(Exit::CpuTime)));
        assert!(matches!(exit(153, ""), Ok(Exit::FileSize)));
        assert!(matches!(exit(137, ""), Ok(Exit::Memory)));
        assert!(matches!(exit(139, ""), Ok(Exit::Crashed(11))));
        assert!(matches!(exit(1, "x: Cannot allocate memory"), Ok(Exit::Memory)));
        assert!(matches!(exit(255, ""), Ok(Exit::Failed(255))));
        assert!(matches!(exit(1, "bwrap: No permissions to create new namespace"), Err(Stop::NotStarted(_))));
        assert!(matches!(exit(1, "[error] bwrap: said the file"), Ok(Exit::Failed(1))));
    }

    #[test]
    fn the_sandbox_killed_from_outside_is_not_the_inputs_doing() {
        let killed = ExitStatus::from_raw(libc::SIGKILL);
        assert!(matches!(classify(killed, "", Duration::ZERO, &Limits::default().small()), Err(Stop::Interrupted)));
    }
}
