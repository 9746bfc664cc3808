//! Files copied by MinIO's own client: the store's ceiling on this machine, with nothing in between.

use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use custos_local::{Owner, Stack, config::repository};
use tokio::process::Command;

/// The client.
#[derive(Debug)]
pub struct Mc<'a> {
    address: String,
    config: &'a Path,
}

impl<'a> Mc<'a> {
    /// The client with the administrator's credential; `config` is a scratch folder.
    pub fn new(stack: &Stack, config: &'a Path) -> anyhow::Result<Self> {
        let (access, secret) = stack.s3_credential(Owner::Admin)?;
        let address = stack.s3_endpoint().replace("http://", &format!("http://{access}:{secret}@"));
        Ok(Self { address, config })
    }

    /// Makes a bucket.
    pub async fn make(&self, bucket: &str) -> anyhow::Result<()> {
        self.run(&["mb", "--quiet", &format!("root/{bucket}")]).await
    }

    /// Copies a folder into a bucket, as many files at once as the client chooses.
    pub async fn copy(&self, folder: &Path, bucket: &str) -> anyhow::Result<()> {
        let from = format!("{}/", folder.display());
        self.run(&["cp", "--recursive", "--quiet", &from, &format!("root/{bucket}/")]).await
    }

    async fn run(&self, words: &[&str]) -> anyhow::Result<()> {
        let output = Command::new(repository().join("deploy/local/servers/mc"))
            .env("MC_HOST_root", &self.address)
            .arg("--config-dir")
            .arg(self.config)
            .args(words)
            .output()
            .await
            .context("starting mc")?;
        ensure!(output.status.success(), "mc {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Puts files where `mc` reads them; a folder of its own for each copy, so that none is there already.
pub fn lay_out(folder: &Path, files: &[Bytes]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (index, bytes) in files.iter().enumerate() {
        std::fs::write(folder.join(format!("{index:05}.bin")), bytes)?;
    }
    Ok(())
}
