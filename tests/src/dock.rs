//! The real dock, run as stations run it.

use std::{path::Path, process::Stdio};

use anyhow::Context;
use custos_local::{certificates::Identity, config::repository};
use serde_json::Value;
use tokio::process::{Child, Command};

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

    fn dock_command(&self, identity: &Identity, folder: &Path, options: &[&str]) -> Command {
        let mut dock = Command::new(repository().join("target/debug/custos-dock"));
        dock.arg("push").arg(folder).args(["--json"]).args(options);
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
