//! A stack for one test, with what tests ask of it.

use std::{path::PathBuf, sync::OnceLock};

use anyhow::{Context, ensure};
use custos_local::{
    Owner, Part, Stack, StackConfig,
    provision::database::DATABASE,
    secrets::Secret,
    seeds::{self, Station},
};
use custos_platform::vault::{StoreArgs, Vault};
use jiff::SignedDuration;
use tempfile::TempDir;

use crate::proxy::{Kind, Proxy};

/// A running stack and a scratch folder.
pub struct Site {
    /// The stack.
    pub stack: Stack,
    /// How long after a manifest a permit may be given, at the earliest.
    pub settle: SignedDuration,
    scratch: TempDir,
    ingest: OnceLock<String>,
}

impl Site {
    /// Starts the whole pipeline.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(Self::config()).await
    }

    /// The whole pipeline, impatient.
    pub fn config() -> StackConfig {
        StackConfig::test().with_env(Part::Records, "CUSTOS_PATIENCE_SECONDS", "3")
    }

    /// Starts a stack of this configuration.
    pub async fn with(config: StackConfig) -> anyhow::Result<Self> {
        let settle = SignedDuration::from_secs(i64::try_from(config.settle_seconds)?);
        Ok(Self { stack: Stack::start(config).await?, settle, scratch: tempfile::tempdir()?, ingest: OnceLock::new() })
    }

    /// Puts a proxy between a service and the store, the bus or the database. It is in the way from the service's next start on.
    pub async fn route(&self, service: Part, server: Part) -> anyhow::Result<Proxy> {
        let kind = match server {
            Part::Minio => Kind::S3,
            Part::Nats => Kind::Nats,
            _ => Kind::Postgres,
        };
        let proxy = Proxy::start(&self.stack.address(server), kind).await?;
        let (name, url) = match server {
            Part::Minio => ("CUSTOS_S3_ENDPOINT", proxy.url()),
            Part::Nats => ("CUSTOS_NATS_URL", proxy.url()),
            _ => {
                let role = service.schema().with_context(|| format!("{service} keeps nothing in the database"))?;
                let url = format!("postgres://{role}@{}/{DATABASE}?sslmode=disable", proxy.address());
                ("CUSTOS_DATABASE_URL", url)
            }
        };
        self.stack.set_env(service, name, url);
        Ok(proxy)
    }

    /// Puts a proxy between the docks started from now on and ingest; once in the life of a site.
    pub async fn route_docks(&self) -> anyhow::Result<Proxy> {
        let proxy = Proxy::start(&self.stack.address(Part::Ingest), Kind::Bytes).await?;
        ensure!(self.ingest.set(proxy.url()).is_ok(), "the docks have a proxy already");
        Ok(proxy)
    }

    /// Where docks find ingest.
    pub(crate) fn ingest_url(&self) -> String {
        self.ingest.get().cloned().unwrap_or_else(|| self.stack.url(Part::Ingest))
    }

    /// A path in the test's scratch folder.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The store with the administrator's credential, for looking.
    pub fn vault(&self) -> anyhow::Result<Vault> {
        self.vault_of(Owner::Admin)
    }

    /// The store as somebody else has it.
    pub fn vault_of(&self, owner: Owner) -> anyhow::Result<Vault> {
        let secrets = self.stack.secrets();
        let args = StoreArgs {
            s3_endpoint: self.stack.s3_endpoint(),
            s3_region: "us-east-1".to_owned(),
            s3_access_key_file: secrets.file(owner, Secret::S3AccessKey),
            s3_secret_key_file: secrets.file(owner, Secret::S3SecretKey),
            s3_originals: "custos-originals".to_owned(),
            s3_intake: "custos-intake".to_owned(),
            s3_log: "custos-log".to_owned(),
            s3_derived: "custos-derived".to_owned(),
            s3_probe: "custos-probe".to_owned(),
        };
        Ok(Vault::new(&args)?)
    }

    /// The seeded station of an agency.
    pub fn station(&self, tenant: &str) -> anyhow::Result<Station> {
        seeds::station(tenant)
    }

    /// Runs a command of records, such as `rebuild`; answers what it printed.
    pub async fn records(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.stack.command(Part::Records, words).await?.output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "custos-records {words:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// One value of a service's /metrics: the sum of all series of this name whose labels contain `label`.
    pub async fn metric(&self, service: Part, name: &str, label: &str) -> anyhow::Result<f64> {
        let text = reqwest::get(format!("{}/metrics", self.stack.admin_url(service))).await?.text().await?;
        let of_name = |line: &&str| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']);
        let values = text.lines().filter(of_name).filter(|line| line.contains(label));
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}
