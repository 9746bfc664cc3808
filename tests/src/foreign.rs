//! Other people's tus clients, run as a third party's dock would be: with a station's certificate and nothing signed.

use std::{path::Path, process::Stdio};

use anyhow::Context;
use custos_local::{certificates::Identity, config::repository, seeds};
use reqwest::Url;
use tokio::process::Command;

use crate::site::Site;

/// A tus client that knows nothing of Custos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// tus-js-client.
    JavaScript,
    /// tuspy.
    Python,
}

/// How an upload by such a client ended.
#[derive(Debug)]
pub struct Sent {
    /// Whether the client thinks that it is done.
    pub done: bool,
    /// The upload's path at ingest.
    pub upload: String,
    /// What it told the person.
    pub said: String,
}

impl Site {
    /// Uploads `file` to the ingest at `url` as the station that may do so unsigned.
    pub async fn upload_with(
        &self,
        client: Client,
        url: &str,
        file: &Path,
        options: &[&str],
        metadata: &[(&str, &str)],
    ) -> anyhow::Result<Sent> {
        let identity = self.stack.station(&seeds::plain_station()?)?;
        self.upload_as(&identity, client, url, file, options, metadata).await
    }

    /// The same as another station.
    pub async fn upload_as(
        &self,
        identity: &Identity,
        client: Client,
        url: &str,
        file: &Path,
        options: &[&str],
        metadata: &[(&str, &str)],
    ) -> anyhow::Result<Sent> {
        let clients = repository().join("tests/clients");
        let mut command = match client {
            Client::JavaScript => Command::new("node"),
            Client::Python => Command::new("python3"),
        };
        command.arg(clients.join(match client {
            Client::JavaScript => "push.mjs",
            Client::Python => "push.py",
        }));
        command.args(options).arg(url).arg(file);
        command.args(metadata.iter().map(|(key, value)| format!("{key}={value}")));
        command
            .env("PYTHONPATH", clients.join("python"))
            .env("CUSTOS_CA", self.stack.ca())
            .env("CUSTOS_PLAIN_CERT", &identity.certificate)
            .env("CUSTOS_PLAIN_KEY", &identity.key)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.context("starting the client; run deploy/local/install")?;
        let address = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Sent {
            done: output.status.success(),
            upload: Url::parse(&address).map(|url| url.path().to_owned()).unwrap_or_default(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
