//! How a process is started: the command line around its program, and the thread it is started from.

use std::{
    ffi::OsString,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{LazyLock, mpsc},
};

use anyhow::{Context, anyhow, bail};

/// What to run.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment; nothing is inherited but `PATH`, so that no variable of a shell changes a stack.
    pub environment: Vec<(String, OsString)>,
    /// File that gets everything it prints, appended.
    pub log: PathBuf,
    /// File that will say which process it is.
    pub pid_file: PathBuf,
    /// PostgreSQL refuses to run as root. Set, a root user runs it in a user namespace where it is user 1000; its files
    /// stay root's own outside, so they can lie anywhere.
    pub never_root: bool,
    /// Set for a process that outlives this one. Otherwise the kernel kills it when this process ends, however it ends.
    pub detached: bool,
}

impl Launch {
    /// Gives a variable another value.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Starts it.
    pub(crate) fn spawn(&self) -> anyhow::Result<Child> {
        if self.program.is_absolute() && !self.program.exists() {
            bail!("{} is missing; deploy/local/up installs and builds it", self.program.display());
        }
        spawn(self.command()?, self.detached).with_context(|| format!("starting {}", self.program.display()))
    }

    /// The command line, behind programs that change how it runs and then become it: the process id stays the same.
    fn command(&self) -> anyhow::Result<Command> {
        let mut words: Vec<OsString> = vec!["setsid".into()];
        if self.never_root && nix::unistd::geteuid().is_root() {
            words.extend(["unshare", "--user", "--map-user=1000", "--map-group=1000"].map(OsString::from));
        }
        if !self.detached {
            // After unshare, which changes credentials and thereby clears the signal (prctl(2)).
            words.extend(["setpriv", "--pdeathsig", "KILL"].map(OsString::from));
        }
        words.push(self.program.clone().into_os_string());
        words.extend(self.arguments.iter().cloned());

        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("opening {}", self.log.display()))?;
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }
}

/// Starts a command. What must not outlive this process is started from one thread that lives as long as the process: the
/// kernel sends the death signal when the *thread* that started it ends (prctl(2)), and a test's thread ends with the test.
fn spawn(mut command: Command, detached: bool) -> anyhow::Result<Child> {
    static STARTER: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in queue {
                // Whoever asked may have gone away; the child then dies with this process.
                let _ = reply.send(command.spawn());
            }
        });
        jobs
    });
    if detached {
        return Ok(command.spawn()?);
    }
    let (reply, answer) = mpsc::channel();
    STARTER.send((command, reply)).map_err(|_| anyhow!("the thread that starts processes is gone"))?;
    Ok(answer.recv().context("the thread that starts processes is gone")??)
}

type Job = (Command, mpsc::Sender<std::io::Result<Child>>);
