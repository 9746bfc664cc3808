//! The workbench of one derivation: runs programs, keeps the record, and turns their ends into outcomes or errors.

use std::collections::BTreeSet;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use tokio::sync::watch;

use super::limits::Budget;
use super::outcome::{LimitKind, Note, Outcome, Reason};
use super::progress::{Progress, Stage};
use super::sandbox::{Exit, Flow, Program, Report, Sandbox, Stop, Window};
use super::{DeriveError, Limits};

/// Why a step did not give its result.
#[derive(Debug)]
pub(super) enum Halt {
    /// The input's doing: this is how the derivation ends.
    Outcome(Outcome),
    /// Ours.
    Error(DeriveError),
}

impl From<DeriveError> for Halt {
    fn from(error: DeriveError) -> Self {
        Self::Error(error)
    }
}

pub(super) type Step<T> = Result<T, Halt>;

/// A program that came to its own end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) success: bool,
    pub(super) stderr: String,
}

/// Below this much free space a failed program is taken to have failed for want of it.
const FULL: u64 = 16 << 20;

pub(super) struct Bench<'a> {
    pub(super) limits: &'a Limits,
    pub(super) input: &'a Path,
    pub(super) out: &'a Path,
    sandbox: &'a Sandbox,
    progress: &'a watch::Sender<Progress>,
    pub(super) commands: Vec<Vec<String>>,
    pub(super) notes: BTreeSet<Note>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        input: &'a Path,
        out: &'a Path,
        sandbox: &'a Sandbox,
        limits: &'a Limits,
        progress: &'a watch::Sender<Progress>,
    ) -> Self {
        Self { limits, input, out, sandbox, progress, commands: Vec::new(), notes: BTreeSet::new() }
    }

    /// Runs a program; reaching a limit or crashing ends the derivation, failing does not.
    pub(super) async fn run(
        &mut self,
        program: Program,
        arguments: Vec<String>,
        budget: &Budget,
        reader: impl FnMut(&[u8]) -> Flow,
    ) -> Step<Finished> {
        let window = Window { input: Some(self.input), output: self.out };
        let ran = self.sandbox.run(program, &arguments, window, budget, reader).await;
        self.commands.push(std::iter::once(program.name().to_owned()).chain(arguments).collect());
        match ran {
            Ok(report) => self.judge(&report),
            Err(stop) => Err(self.ours(program, stop).into()),
        }
    }

    /// Runs FFmpeg, whose standard output is its progress.
    pub(super) async fn convert(&mut self, stage: Stage, arguments: Vec<String>, budget: &Budget) -> Step<Finished> {
        self.run_lines(Program::Ffmpeg, stage, arguments, budget, output_time_ms).await
    }

    /// Runs a program line by line. `each` takes a line and says how far into the recording it is, milliseconds; the furthest
    /// of what arrives together is published.
    pub(super) async fn run_lines(
        &mut self,
        program: Program,
        stage: Stage,
        arguments: Vec<String>,
        budget: &Budget,
        mut each: impl FnMut(&str) -> Option<u64>,
    ) -> Step<Finished> {
        let progress = self.progress;
        let mut lines = Lines::default();
        let reader = |chunk: &[u8]| {
            let mut furthest = None;
            lines.feed(chunk, |line| furthest = furthest.max(each(line)));
            let moved = furthest.is_some_and(|media_ms| Progress::advance(progress, stage, media_ms));
            if moved { Flow::Advanced } else { Flow::Quiet }
        };
        self.run(program, arguments, budget, reader).await
    }

    /// Publishes that a step begins.
    pub(super) fn begin(&self, stage: Stage) {
        Progress::advance(self.progress, stage, 0);
    }

    fn judge(&self, report: &Report) -> Step<Finished> {
        let beyond = |limit| Err(Halt::Outcome(Outcome::ExceededLimits { limit, detail: complaint(&report.stderr) }));
        match report.exit {
            Exit::Success => Ok(Finished { success: true, stderr: report.stderr.clone() }),
            Exit::CpuTime => beyond(LimitKind::CpuTime),
            Exit::Memory => beyond(LimitKind::Memory),
            Exit::FileSize | Exit::TooMuchOutput => beyond(LimitKind::OutputSize),
            Exit::Crashed(signal) => {
                let detail = format!("signal {signal}; {}", complaint(&report.stderr));
                Err(Halt::Outcome(Outcome::Undecodable { reason: Reason::DecoderCrashed, detail }))
            }
            Exit::Failed(_) if refuses_arguments(&report.stderr) => {
                Err(DeriveError::Tool(complaint(&report.stderr)).into())
            }
            Exit::Failed(_) => self.check_disk().map(|()| Finished { success: false, stderr: report.stderr.clone() }),
        }
    }

    fn ours(&self, program: Program, stop: Stop) -> DeriveError {
        match stop {
            Stop::NotStarted(words) => DeriveError::Sandbox(words),
            Stop::Starved(after) => DeriveError::Starved { program: program.name(), after },
            Stop::Interrupted => DeriveError::Interrupted(program.name()),
            Stop::Io(error) => DeriveError::io(self.out)(error),
        }
    }

    /// Whatever goes wrong on a full disk, the input is not to blame.
    pub(super) fn check_disk(&self) -> Step<()> {
        if self.disk_is_full() { Err(DeriveError::DiskFull(self.out.to_owned()).into()) } else { Ok(()) }
    }

    fn disk_is_full(&self) -> bool {
        // The fields' width differs between platforms.
        #[expect(clippy::useless_conversion, reason = "u32 on some targets, u64 on this one")]
        statvfs(self.out)
            .is_ok_and(|disk| u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size())) < FULL)
    }
}

/// Whether the tool complained about the file. That it leaves a stream alone which we did not ask for is no complaint.
pub(super) fn is_damaged(stderr: &str) -> bool {
    stderr.lines().any(|line| !line.trim().is_empty() && !line.contains("not on whitelist"))
}

/// The tool's last words, printable and short enough for a manifest.
pub(super) fn complaint(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(3)).copied().collect::<Vec<_>>().join("; ");
    last.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// Words of FFmpeg's option parser, 5.1 to 8. They come before the input is opened, so no input can bring them about.
fn refuses_arguments(stderr: &str) -> bool {
    let first = stderr.lines().next().unwrap_or_default();
    [
        "Unrecognized option",
        "Error splitting the argument list",
        "Failed to set value",
        "Unknown encoder",
        "Error parsing global options",
    ]
    .iter()
    .any(|words| first.contains(words))
}

/// Reads `out_time_us` of `-progress`. The older `out_time_ms` is microseconds too; negative and `N/A` are nothing.
fn output_time_ms(line: &str) -> Option<u64> {
    let microseconds: u64 = line.strip_prefix("out_time_us=")?.trim().parse().ok()?;
    Some(microseconds / 1000)
}

/// Cuts a stream of bytes into lines, dropping what is longer than any honest line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: Vec<u8>,
    overlong: bool,
}

const LONGEST_LINE: usize = 4096;

impl Lines {
    /// Calls `each` per complete line.
    pub(super) fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(&str)) {
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            self.overlong |= self.pending.len() + piece.len() > LONGEST_LINE;
            if !self.overlong {
                self.pending.extend(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.pending);
                let whole = !std::mem::take(&mut self.overlong);
                if whole {
                    each(String::from_utf8_lossy(&line).trim_end());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn progress_lines_are_microseconds() {
        assert_eq!(output_time_ms("out_time_us=1500000"), Some(1500));
        assert_eq!(output_time_ms("out_time_us=N/A"), None);
        assert_eq!(output_time_ms("out_time_us=-23220"), None);
        assert_eq!(output_time_ms("out_time_ms=1500000"), None);
    }

    #[test]
    fn overlong_lines_are_dropped_and_the_next_one_is_read() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for chunk in [vec![b'x'; 3000], vec![b'y'; 3000], b"\nshort\n".to_vec()] {
            lines.feed(&chunk, |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["short"]);
    }

    #[test]
    fn a_complaint_is_printable_and_short() {
        let text = format!("first\nsecond\x1b[31m\n\n{}\n", "x".repeat(1000));
        let complaint = complaint(&text);
        assert!(complaint.starts_with("first; second[31m; x") && complaint.len() == 400);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_are_cut(text in "[ab\n]{0,200}", cut in 1usize..20) {
            let mut lines = Lines::default();
            let mut seen = String::new();
            for chunk in text.as_bytes().chunks(cut) {
                lines.feed(chunk, |line| { seen.push_str(line); seen.push('\n'); });
            }
            let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
            prop_assert_eq!(seen, complete);
        }
    }
}
