//! The cage around FFmpeg.
//!
//! Four layers, each of which holds alone: namespaces by bubblewrap (nothing of the host but `/usr`, one input and one
//! output folder; no network, no `/proc`, no `/dev`, no environment), a system-call filter ([`filter`]), resource limits by
//! prlimit, and death with the parent. No shared memory, no `unsafe`: everything is an argument of a program.
//!
//! Landlock, which the pipeline design lists too, would have to be applied between fork and exec, which is `unsafe` code; the
//! mount namespace already shows nothing else.

mod child;
mod filter;
mod selftest;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::limits::Budget;
use super::tool::ToolVersion;

pub(super) use child::{Exit, Flow, Report, Stop};
pub use selftest::Unusable;

/// Path of the input inside the sandbox. It has no extension on purpose: the bytes decide.
pub(super) const INPUT: &str = "/in/original";
/// Path of the output folder inside the sandbox.
pub(super) const OUTPUT: &str = "/out";

/// Where the programs are. All but `sh` and `bwrap` must lie below `/usr`, the only folder the sandbox shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// FFmpeg 5.1 to 8 with libx264.
    pub ffmpeg: PathBuf,
    /// Of the same version.
    pub ffprobe: PathBuf,
    /// Bubblewrap.
    pub bwrap: PathBuf,
    /// prlimit of util-linux.
    pub prlimit: PathBuf,
    /// nice of coreutils.
    pub nice: PathBuf,
    /// A POSIX shell, used outside the sandbox with a fixed script.
    pub shell: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            ffmpeg: "/usr/bin/ffmpeg".into(),
            ffprobe: "/usr/bin/ffprobe".into(),
            bwrap: "/usr/bin/bwrap".into(),
            prlimit: "/usr/bin/prlimit".into(),
            nice: "/usr/bin/nice".into(),
            shell: "/bin/sh".into(),
        }
    }
}

/// A sandbox that has been seen to hold: [`Sandbox::probe`] is the only way to get one.
#[derive(Debug)]
pub struct Sandbox {
    programs: Programs,
    system: Vec<String>,
    filter: Vec<u8>,
    version: ToolVersion,
}

/// What the sandbox shows of the host, besides the system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) input: Option<&'a Path>,
    pub(super) output: &'a Path,
}

/// Which of the two programs to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Ffmpeg,
    Ffprobe,
}

impl Program {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ffmpeg => "ffmpeg",
            Self::Ffprobe => "ffprobe",
        }
    }
}

impl Sandbox {
    /// Starts the sandbox, proves on this machine that it isolates, and reads FFmpeg's version.
    ///
    /// Proven: a child reaches no loopback TCP port (while the same program outside does), reads and writes nothing outside
    /// its window, and can encode H.264 and AAC inside it. `scratch` is a writable folder; nothing is left in it.
    pub async fn probe(programs: Programs, scratch: &Path) -> Result<Self, Unusable> {
        let filter = filter::program().ok_or(Unusable::Architecture)?;
        let mut sandbox = Self {
            programs,
            system: system_mounts().map_err(Unusable::Scratch)?,
            filter,
            version: ToolVersion::unknown(),
        };
        sandbox.version = selftest::prove(&sandbox, scratch).await?;
        Ok(sandbox)
    }

    /// The FFmpeg that runs inside.
    pub fn version(&self) -> &ToolVersion {
        &self.version
    }

    /// Runs one program to its end. `reader` gets standard output as it comes. Dropping the future kills everything inside.
    pub(super) async fn run(
        &self,
        program: Program,
        arguments: &[String],
        window: Window<'_>,
        budget: &Budget,
        reader: impl FnMut(&[u8]) -> Flow,
    ) -> Result<Report, Stop> {
        let path = self.path(program);
        self.run_any(path, arguments, window, budget, Layers::ALL, reader).await
    }

    /// Runs any program; the start-up check and the tests choose the layers.
    pub(super) async fn run_any(
        &self,
        path: &Path,
        arguments: &[String],
        window: Window<'_>,
        budget: &Budget,
        layers: Layers,
        reader: impl FnMut(&[u8]) -> Flow,
    ) -> Result<Report, Stop> {
        let mut command = Command::new(&self.programs.shell);
        // Bubblewrap takes the filter from a descriptor. Ours arrive with close-on-exec set, except 0 to 2, so it travels as
        // standard input and the shell moves it to 3. The shell replaces itself: the process id stays the one we kill.
        command.args(["-c", r#"exec "$@" 3<&0 </dev/null"#, "sh"]).arg(&self.programs.bwrap);
        command.args(NAMESPACES);
        command.args(&self.system);
        if let Some(input) = window.input {
            command.arg("--ro-bind").arg(input).arg(INPUT);
        }
        command.arg("--bind").arg(window.output).arg(OUTPUT);
        // Last: the root itself is a writable tmpfs until here.
        command.args(["--remount-ro", "/", "--chdir", OUTPUT]);
        if layers.filter {
            command.args(["--seccomp", "3"]);
        }
        command.arg("--").arg(&self.programs.nice).args(["-n", "10"]);
        command.arg(&self.programs.prlimit).args(resource_limits(budget)).arg("--");
        command.arg(path).args(arguments);
        command.env_clear().stdin(self.filter_on_pipe().map_err(Stop::Io)?);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        child::supervise(&mut command, budget, reader).await
    }

    fn path(&self, program: Program) -> &Path {
        match program {
            Program::Ffmpeg => &self.programs.ffmpeg,
            Program::Ffprobe => &self.programs.ffprobe,
        }
    }

    /// A few hundred bytes, less than any pipe buffers: writing them all at once cannot block.
    fn filter_on_pipe(&self) -> io::Result<Stdio> {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(&self.filter)?;
        Ok(reader.into())
    }
}

/// Which layers are on. The self-test proves the namespaces without the help of the filter; tests do the reverse.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layers {
    filter: bool,
}

impl Layers {
    pub(super) const ALL: Self = Self { filter: true };
    pub(super) const NO_FILTER: Self = Self { filter: false };
}

const NAMESPACES: [&str; 22] = [
    "--unshare-all",
    // Explicit, because --unshare-all only tries it.
    "--unshare-user",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--uid",
    "65534",
    "--gid",
    "65534",
    "--hostname",
    "sandbox",
    "--clearenv",
    "--setenv",
    "LC_ALL",
    "C",
    // Every arena reserves 64 MiB of the address space we limit.
    "--setenv",
    "MALLOC_ARENA_MAX",
    "2",
    "--ro-bind",
    "/usr",
    "/usr",
];

/// Arguments that show the system's programs and libraries: symbolic links where `/usr` is merged, folders elsewhere.
fn system_mounts() -> io::Result<Vec<String>> {
    let mut arguments = Vec::new();
    for folder in ["/bin", "/lib", "/lib64"] {
        let path = Path::new(folder);
        if path.is_symlink() {
            let target = path.read_link()?;
            arguments.extend(["--symlink".to_owned(), target.to_string_lossy().into_owned(), folder.to_owned()]);
        } else if path.is_dir() {
            arguments.extend(["--ro-bind", folder, folder].map(str::to_owned));
        }
    }
    // Debian resolves libblas, which FFmpeg's filters link to, through /etc/alternatives.
    for file in ["/etc/ld.so.cache", "/etc/alternatives"] {
        arguments.extend(["--ro-bind-try", file, file].map(str::to_owned));
    }
    Ok(arguments)
}

/// Set inside the user namespace, so that the count of processes is the sandbox's own (Linux 5.14 and later).
fn resource_limits(budget: &Budget) -> [String; 6] {
    let cpu = budget.cpu.as_secs().max(1);
    [
        // FFmpeg ends in order at the soft limit; the hard one is for a loop that never looks.
        format!("--cpu={cpu}:{}", cpu.saturating_add(5)),
        format!("--as={}", budget.memory),
        format!("--fsize={}", budget.file),
        "--core=0".to_owned(),
        "--nofile=64".to_owned(),
        "--nproc=512".to_owned(),
    ]
}
