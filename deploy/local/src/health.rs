//! Asks each part whether it is ready for work.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    config::Server, folders::Folders, part::Part, ports::Ports, process::Process, provision::database, secrets::Secrets,
};

/// How long a part gets to become ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(25);

/// Lines of a log that are shown when its process failed.
const TAIL: usize = 15;

/// Asks the parts of one stack.
#[derive(Debug, Clone)]
pub struct Health {
    ports: Ports,
    store: Server,
    folders: Folders,
    secrets: Secrets,
    http: reqwest::Client,
}

impl Health {
    /// Asks the parts on these ports.
    pub fn new(ports: Ports, store: Server, folders: &Folders, secrets: &Secrets) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
        Ok(Self { ports, store, folders: folders.clone(), secrets: secrets.clone(), http })
    }

    /// Waits until `part` is ready; fails when its process ends, or after a minute, with the end of its log.
    pub async fn wait(&self, part: Part, process: &Process) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Err(error) = self.check(part).await else { return Ok(()) };
            if !process.is_running() {
                bail!("{part} ended{}", self.tail(part));
            }
            if Instant::now() > deadline {
                let seconds = PATIENCE.as_secs();
                return Err(error.context(format!("{part} is not ready after {seconds} s{}", self.tail(part))));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether `part` is ready now; the error says why not.
    pub async fn check(&self, part: Part) -> anyhow::Result<()> {
        let (work, admin) = (self.ports.work(part), self.ports.admin(part));
        match part {
            Part::Minio => {
                let path = match self.store {
                    Server::Minio => "minio/health/ready",
                    Server::SeaweedFs => "healthz",
                };
                self.get(&format!("http://127.0.0.1:{work}/{path}")).await
            }
            Part::Nats => self.get(&format!("http://127.0.0.1:{admin}/healthz")).await,
            Part::Postgres => database::connect(work, &self.secrets, "postgres").await.map(drop),
            _ => self.get(&format!("http://127.0.0.1:{admin}/readyz")).await,
        }
    }

    async fn get(&self, url: &str) -> anyhow::Result<()> {
        let response = self.http.get(url).send().await.context("no answer")?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        bail!("{url} says {status}: {}", response.text().await.unwrap_or_default().trim())
    }

    /// The end of a part's log, to be shown after a sentence.
    fn tail(&self, part: Part) -> String {
        let log = self.folders.log(part);
        format!("; the end of {}:\n{}", log.display(), tail(&log))
    }
}

/// The last lines of a file, indented.
fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    format!("    {}", lines[lines.len().saturating_sub(TAIL)..].join("\n    "))
}
