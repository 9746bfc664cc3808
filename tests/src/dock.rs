//! The real dock, run as stations run it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use custos_local::{certificates::Identity, config::repository};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};

use crate::site::Site;

/// The docks' state folder in the test's scratch folder.
pub(crate) const STATE: &str = "dock-state";

/// How a docking ended.
#[derive(Debug)]
pub struct Docked {
    /// The exit code.
    pub code: i32,
    /// One JSON line for each file.
    pub lines: Vec<Value>,
    /// What it told the person.
    pub said: String,
}

impl Docked {
    /// The line of the file whose name ends so.
    pub fn line(&self, name: &str) -> anyhow::Result<&Value> {
        let found = self.lines.iter().find(|line| line["name"].as_str().is_some_and(|n| n.ends_with(name)));
        found.with_context(|| format!("the dock said nothing of {name}: {:#?}\n{}", self.lines, self.said))
    }

    /// The unified codes of everything deposited.
    pub fn codes(&self) -> Vec<String> {
        self.lines.iter().filter_map(|line| line["code"].as_str().map(str::to_owned)).collect()
    }
}

/// A daemon under way, and what it has said so far.
#[derive(Debug)]
pub struct Watching {
    /// The process.
    pub child: Child,
    lines: Said,
    said: Said,
}

type Said = Arc<Mutex<Vec<String>>>;

impl Watching {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.spawn().context("starting custos-dock watch")?;
        let lines = listen(child.stdout.take().context("no output")?);
        let said = listen(child.stderr.take().context("no log")?);
        Ok(Self { child, lines, said })
    }

    /// A JSON line for each file of every docking that has ended.
    pub fn lines(&self) -> Vec<Value> {
        all(&self.lines).iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Its log.
    pub fn said(&self) -> String {
        all(&self.said).join("\n")
    }

    /// Asks it to end and waits; answers the exit code.
    pub async fn end(mut self) -> anyhow::Result<i32> {
        let id = self.child.id().context("it has ended by itself")?.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        Ok(self.child.wait().await?.code().unwrap_or(-1))
    }
}

fn listen(pipe: impl AsyncRead + Unpin + Send + 'static) -> Said {
    let said = Said::default();
    let keeps = said.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            keeps.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    said
}

fn all(said: &Said) -> Vec<String> {
    said.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn program_file() -> PathBuf {
    repository().join("target/debug/custos-dock")
}

impl Site {
    /// Docks a folder at the seeded station of an agency and waits for the end.
    pub async fn dock(&self, tenant: &str, folder: &Path, options: &[&str]) -> anyhow::Result<Docked> {
        let identity = self.stack.station(&self.station(tenant)?)?;
        self.dock_as(&identity, folder, options).await
    }

    /// Docks with these credentials.
    pub async fn dock_as(&self, identity: &Identity, folder: &Path, options: &[&str]) -> anyhow::Result<Docked> {
        let output = self.dock_command(identity, folder, options).output().await.context("running custos-dock")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(Docked {
            code: output.status.code().unwrap_or(-1),
            lines: text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts a docking and does not wait.
    pub fn start_dock(&self, tenant: &str, folder: &Path, options: &[&str]) -> anyhow::Result<Child> {
        let identity = self.stack.station(&self.station(tenant)?)?;
        self.dock_command(&identity, folder, options).spawn().context("starting custos-dock")
    }

    /// Starts the daemon at the seeded station of an agency, by `program` and its arguments before the dock's own.
    pub fn watch_by(&self, program: &[&str], tenant: &str, options: &[&str]) -> anyhow::Result<Watching> {
        let identity = self.stack.station(&self.station(tenant)?)?;
        let dock = program_file();
        let mut words = program.iter().map(OsStr::new).chain([dock.as_os_str()]);
        let mut command = Command::new(words.next().context("no program")?);
        command.args(words).args(["watch", "--json", "--poll", "1"]).args(options);
        Watching::start(self.dock_environment(&identity, command))
    }

    /// Starts the daemon at the seeded station of an agency.
    pub fn watch(&self, tenant: &str, options: &[&str]) -> anyhow::Result<Watching> {
        self.watch_by(&[], tenant, options)
    }

    /// What `status` says of the station's journal.
    pub async fn dock_status(&self, options: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(program_file());
        command.arg("status").arg("--state").arg(self.scratch("dock-state")).args(options);
        let output = command.output().await.context("running custos-dock status")?;
        anyhow::ensure!(output.status.success(), "status: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn dock_command(&self, identity: &Identity, folder: &Path, options: &[&str]) -> Command {
        let mut dock = Command::new(program_file());
        dock.arg("push").arg(folder).args(["--json"]).args(options);
        self.dock_environment(identity, dock)
    }

    fn dock_environment(&self, identity: &Identity, mut dock: Command) -> Command {
        dock.env("CUSTOS_INGEST_URL", self.ingest_url())
            .env("CUSTOS_CA", self.stack.ca())
            .env("CUSTOS_DOCK_CERT", &identity.certificate)
            .env("CUSTOS_DOCK_KEY", &identity.key)
            .env("CUSTOS_TRUST_FILE", self.stack.trust_file())
            .env("CUSTOS_DOCK_STATE", self.scratch(STATE))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        dock
    }
}
