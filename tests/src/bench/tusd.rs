//! Files through tusd in front of the same store. It has no TLS, no hash, no lock and no read-back here.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use bytes::Bytes;
use custos_local::{Owner, Stack};
use futures::{StreamExt as _, stream};
use reqwest::{Client, Method, header::LOCATION};
use tokio::process::{Child, Command};

use super::{clock::LastByte, load::Load, process::Observed};

/// A running tusd; killed when dropped.
#[derive(Debug)]
pub struct Tusd {
    child: Child,
    client: Client,
    url: String,
}

impl Tusd {
    /// Starts `program` on a free port with its S3 backend on this bucket.
    pub async fn start(program: &Path, stack: &Stack, bucket: &str, scratch: &Path) -> anyhow::Result<Self> {
        let (access, secret) = stack.s3_credential(Owner::Admin)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = std::fs::File::create(scratch.join("tusd.log"))?;
        let child = Command::new(program)
            .args(["-host", "127.0.0.1", "-port", &port.to_string(), "-base-path", "/files/"])
            .args([
                "-s3-bucket",
                bucket,
                "-s3-endpoint",
                &stack.s3_endpoint(),
                "-s3-disable-ssl",
                "-show-greeting=false",
            ])
            .envs([
                ("AWS_ACCESS_KEY_ID", access.as_str()),
                ("AWS_SECRET_ACCESS_KEY", &secret),
                ("AWS_REGION", "us-east-1"),
            ])
            // Its temporary files go where the store's data go, not into memory.
            .env("TMPDIR", scratch)
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let tusd = Self { child, client: Client::new(), url: format!("http://127.0.0.1:{port}/files/") };
        tusd.ready().await?;
        Ok(tusd)
    }

    /// The process.
    pub fn observed(&self) -> anyhow::Result<Observed> {
        self.child.id().map(Observed).context("tusd ended")
    }

    /// Sends everything; answers how long each last answer took from its last byte.
    pub async fn send(&self, load: &Load, files: &[Bytes]) -> anyhow::Result<Vec<Duration>> {
        let sent: Vec<anyhow::Result<Duration>> =
            stream::iter(files).map(|file| self.upload(file)).buffer_unordered(load.sessions).collect().await;
        sent.into_iter().collect()
    }

    async fn upload(&self, bytes: &Bytes) -> anyhow::Result<Duration> {
        let created = self.request(Method::POST, &self.url).header("Upload-Length", bytes.len()).send().await?;
        ensure!(created.status() == 201, "tusd: {created:?}");
        let location = created.headers().get(LOCATION).context("tusd gave no Location")?.to_str()?.to_owned();
        let last = LastByte::default();
        let request = self.request(Method::PATCH, &location).header("Upload-Offset", 0);
        let request =
            request.header("Content-Type", "application/offset+octet-stream").header("Content-Length", bytes.len());
        let patched = request.body(last.body(bytes.clone())).send().await?;
        ensure!(patched.status() == 204, "tusd: {patched:?}");
        last.ago().context("the body was not sent to its end")
    }

    fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url).header("Tus-Resumable", "1.0.0")
    }

    async fn ready(&self) -> anyhow::Result<()> {
        crate::eventually("tusd", Duration::from_secs(20), || async {
            Ok(self.client.get(&self.url).send().await.map(drop)?)
        })
        .await
    }
}
