//! A second one of a service beside the stack's own: the same store, settings and certificate, another port.

use std::{net::TcpListener, process::Stdio, time::Duration};

use anyhow::ensure;
use custos_local::Part;
use tokio::process::Child;

use crate::{eventually, site::Site};

/// A running replica; killed when it is dropped.
#[derive(Debug)]
pub struct Replica {
    /// `https://…` of its API.
    pub url: String,
    process: Child,
}

impl Replica {
    /// Starts an ingest and waits until it is ready.
    pub async fn start(site: &Site) -> anyhow::Result<Self> {
        Self::of(site, Part::Ingest).await
    }

    /// Starts one of `service` and waits until it is ready.
    pub async fn of(site: &Site, service: Part) -> anyhow::Result<Self> {
        let [api, admin] = [free_port()?, free_port()?];
        let mut command = site.stack.command(service, &[]).await?;
        command
            .env("CUSTOS_LISTEN", format!("127.0.0.1:{api}"))
            .env("CUSTOS_ADMIN_LISTEN", format!("127.0.0.1:{admin}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let replica = Self { url: format!("https://127.0.0.1:{api}"), process: command.spawn()? };
        eventually(&format!("the second {service}"), Duration::from_secs(30), || async {
            let answer = reqwest::get(format!("http://127.0.0.1:{admin}/readyz")).await?;
            ensure!(answer.status().is_success(), "{}", answer.text().await?);
            Ok(())
        })
        .await?;
        Ok(replica)
    }

    /// Kills it without warning.
    pub async fn kill9(&mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// A port nobody listens on just now.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
