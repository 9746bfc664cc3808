//! Processes of a stack: started, found again, stopped by their id and by nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::{folders, launch::Launch};

/// How often a process that is asked to stop is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long the kernel gets to bury a killed process.
const BURIAL: Duration = Duration::from_secs(10);

/// A process that was started by this stack.
#[derive(Debug)]
pub struct Process {
    identity: Identity,
    pid_file: PathBuf,
    /// Held to bury it; absent for a process that an earlier command started.
    child: Option<Child>,
}

/// Which process it is: an id is used again after a while, and on the next boot, but not with the same start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    pid: i32,
    /// Clock ticks since boot.
    started: u64,
    boot: String,
}

impl Process {
    /// Starts it in a session of its own and writes the pid file.
    pub fn launch(launch: &Launch) -> anyhow::Result<Self> {
        for file in [&launch.log, &launch.pid_file] {
            folders::create(file.parent().context("a file without a folder")?)?;
        }
        let mut child = launch.spawn()?;
        let pid = i32::try_from(child.id())?;
        let Some(identity) = Identity::of(pid)? else {
            bail!("{} ended at once: {:?}", launch.program.display(), child.wait()?);
        };
        folders::write(&launch.pid_file, serde_json::to_vec(&identity)?)?;
        Ok(Self { identity, pid_file: launch.pid_file.clone(), child: Some(child) })
    }

    /// Finds a process that runs already; `None` when there is no pid file or what it names is gone.
    pub fn find(pid_file: &Path) -> anyhow::Result<Option<Self>> {
        let text = match fs::read(pid_file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {}", pid_file.display())),
        };
        let identity = serde_json::from_slice(&text).with_context(|| format!("reading {}", pid_file.display()))?;
        let process = Self { identity, pid_file: pid_file.to_owned(), child: None };
        Ok(process.is_running().then_some(process))
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.identity.pid
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        matches!(Identity::of(self.identity.pid), Ok(Some(found)) if found == self.identity)
    }

    /// Whether the program file it was started from has been replaced since, as a new build does.
    pub fn is_outdated(&self) -> bool {
        let program = fs::read_link(format!("/proc/{}/exe", self.identity.pid));
        program.is_ok_and(|program| program.as_os_str().as_encoded_bytes().ends_with(b" (deleted)"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        if self.is_running() {
            kill(Pid::from_raw(self.identity.pid), signal)
                .with_context(|| format!("sending {signal} to process {}", self.identity.pid))?;
        }
        Ok(())
    }

    /// Waits until it is gone; kills it when `patience` is over. Returns whether it went by itself.
    pub async fn wait_gone(mut self, patience: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + patience;
        while self.is_running() {
            if Instant::now() > deadline {
                self.kill_blocking()?;
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        self.forget();
        Ok(true)
    }

    /// Waits until it is gone, or `patience` is over.
    pub fn wait_gone_blocking(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
    }

    /// Kills it and whatever it started (`SIGKILL` to its session) and waits until it is gone.
    pub fn kill_blocking(&mut self) -> anyhow::Result<()> {
        if self.is_running() {
            // It leads a process group, which has its id; in its very first moment, before `setsid`, it does not yet.
            kill(Pid::from_raw(-self.identity.pid), Signal::SIGKILL)
                .or_else(|_| kill(Pid::from_raw(self.identity.pid), Signal::SIGKILL))
                .with_context(|| format!("killing process {}", self.identity.pid))?;
        }
        self.wait_gone_blocking(BURIAL);
        if self.is_running() {
            bail!("process {} does not go, though it was killed", self.identity.pid);
        }
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        if let Some(child) = &mut self.child {
            // It is gone: this takes its exit status from the kernel and cannot block.
            let _ = child.wait();
        }
        let _ = fs::remove_file(&self.pid_file);
    }
}

impl Identity {
    /// The process with this id as it is now; `None` when there is none, or only its corpse.
    fn of(pid: i32) -> anyhow::Result<Option<Self>> {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return Ok(None) };
        // The second field is the program's name in parentheses, which may contain anything (proc(5)).
        let (_, fields) = stat.rsplit_once(')').context("reading a process's state")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let (Some(&state), Some(started)) = (fields.first(), fields.get(19)) else {
            bail!("the kernel describes process {pid} in an unknown way: {stat}");
        };
        if matches!(state, "Z" | "X") {
            return Ok(None);
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("reading the boot id")?;
        Ok(Some(Self { pid, started: started.parse()?, boot: boot.trim().to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path, detached: bool) -> Launch {
        Launch {
            program: "sh".into(),
            arguments: vec!["-c".into(), "echo started; sleep 600 & wait".into()],
            environment: vec![],
            log: folder.join("log"),
            pid_file: folder.join("pid"),
            never_root: false,
            detached,
        }
    }

    /// Ids of processes that `pid` started.
    fn children(pid: i32) -> String {
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default()
    }

    async fn child_of(pid: i32) -> i32 {
        loop {
            if let Ok(child) = children(pid).trim().parse() {
                return child;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    #[tokio::test]
    async fn a_killed_process_is_gone_with_what_it_started() {
        let folder = tempfile::tempdir().expect("folder");
        let mut process = Process::launch(&sleeper(folder.path(), false)).expect("launch");
        let child = child_of(process.id()).await;
        process.kill_blocking().expect("kill");
        assert!(!process.is_running());
        assert!(Process::find(&folder.path().join("pid")).expect("find").is_none());
        while Identity::of(child).expect("look").is_some() {
            tokio::time::sleep(LOOK).await;
        }
        assert_eq!(fs::read_to_string(folder.path().join("log")).expect("log"), "started\n");
    }

    #[tokio::test]
    async fn a_process_outlives_the_thread_that_asked_for_it() {
        let folder = tempfile::tempdir().expect("folder");
        let launch = sleeper(folder.path(), false);
        let mut process = std::thread::spawn(move || Process::launch(&launch)).join().expect("thread").expect("launch");
        child_of(process.id()).await;
        assert!(process.is_running());
        process.kill_blocking().expect("kill");
    }

    #[tokio::test]
    async fn a_detached_process_is_found_again_and_stopped_by_its_id() {
        let folder = tempfile::tempdir().expect("folder");
        drop(Process::launch(&sleeper(folder.path(), true)).expect("launch"));
        let found = Process::find(&folder.path().join("pid")).expect("find").expect("running");
        found.signal(Signal::SIGTERM).expect("signal");
        assert!(found.wait_gone(Duration::from_secs(5)).await.expect("stop"));
        assert!(!folder.path().join("pid").exists());
    }

    #[test]
    fn another_process_with_the_same_id_is_never_taken_for_it() {
        let folder = tempfile::tempdir().expect("folder");
        let pid_file = folder.path().join("pid");
        let own = i32::try_from(std::process::id()).expect("pid");
        let identity = Identity::of(own).expect("look").expect("this process");
        for impostor in [
            Identity { started: identity.started + 1, ..identity.clone() },
            Identity { boot: "another boot".to_owned(), ..identity.clone() },
        ] {
            folders::write(&pid_file, serde_json::to_vec(&impostor).expect("json")).expect("write");
            assert!(Process::find(&pid_file).expect("find").is_none());
        }
        folders::write(&pid_file, serde_json::to_vec(&identity).expect("json")).expect("write");
        assert!(Process::find(&pid_file).expect("find").is_some());
    }
}
