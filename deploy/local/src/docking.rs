//! Docks a recorder at a station, with the same program that stations run.

use std::{path::Path, process::Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::{folders, part::Part, seeds::Station, stack::Stack};

/// What became of one file, as the dock tells it (`--json`).
#[derive(Debug, Clone, Deserialize)]
pub struct Docked {
    /// Path on the recorder.
    pub name: String,
    /// `deposited`, `deposited_before`, `erased` or `left`.
    pub result: String,
    /// Why it was left.
    pub reason: Option<String>,
    /// The unified code, by ingest's receipt.
    pub code: Option<String>,
}

impl Stack {
    /// `custos-dock` set up as `station`: its certificate, its journal, this stack's ingest. Add a command, such as `push`.
    pub fn dock(&self, station: &Station) -> anyhow::Result<Command> {
        let identity = self.station(station)?;
        let journal = self.folders.dock(station.id.as_str());
        folders::create(&journal)?;
        let mut command = Command::new(self.config.binaries.join("custos-dock"));
        command
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TERM"))
            .env("CUSTOS_INGEST_URL", self.url(Part::Ingest))
            .env("CUSTOS_CA", self.ca())
            .env("CUSTOS_DOCK_CERT", identity.certificate)
            .env("CUSTOS_DOCK_KEY", identity.key)
            .env("CUSTOS_TRUST_FILE", self.trust_file())
            .env("CUSTOS_DOCK_STATE", journal)
            .envs(self.config.otlp_endpoint.as_ref().map(|endpoint| ("CUSTOS_OTLP_ENDPOINT", endpoint)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }

    /// Hands in everything in the folder `recorder` and says what became of each file. To a person the dock shows its progress
    /// on standard error. Fails when a file stayed behind.
    pub async fn push(&self, station: &Station, recorder: &Path) -> anyhow::Result<Vec<Docked>> {
        let mut dock = self.dock(station)?;
        dock.arg("push").arg(recorder).arg("--json").stdout(Stdio::piped());
        if !self.config.detached {
            // Nobody watches a test.
            dock.arg("--quiet");
        }
        let output = dock.spawn().context("starting custos-dock")?.wait_with_output().await?;
        let files = String::from_utf8(output.stdout)?
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("reading what the dock said: {line}")))
            .collect::<anyhow::Result<Vec<Docked>>>()?;
        if output.status.success() {
            return Ok(files);
        }
        let left: Vec<String> = files.iter().filter(|file| file.result == "left").map(Docked::complaint).collect();
        bail!("station {} could not hand in everything ({}): {}", station.id, output.status, left.join("; "))
    }
}

impl Docked {
    fn complaint(&self) -> String {
        format!("{}: {}", self.name, self.reason.as_deref().unwrap_or("no reason given"))
    }
}
