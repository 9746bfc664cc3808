//! Looking at the store, and trying with the administrator's own credential what must fail.

use anyhow::{Context, bail};
use custos_domain::{
    fact::Fact,
    item::UnifiedCode,
    keys,
    manifest::{Manifest, StoredObject},
};
use custos_local::{Owner, config::repository};
use custos_platform::vault::Vault;
use tokio::process::Command;

use crate::{history::collect::Listed, site::Site};

/// Every version under a prefix, oldest of each key.
pub async fn walk(vault: &Vault, bucket: &str, prefix: &str) -> anyhow::Result<Vec<StoredObject>> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = vault.versions(bucket, prefix, cursor).await?;
        found.extend(page.objects);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(found),
        }
    }
}

/// An item's manifest and where it lies.
pub async fn manifest(vault: &Vault, code: &str) -> anyhow::Result<(Manifest, StoredObject)> {
    let code = UnifiedCode::parse(code)?;
    let document = vault.read_first(&vault.buckets().originals, &keys::manifest(code.key())).await?;
    let document = document.with_context(|| format!("{code} has no manifest"))?;
    Ok((serde_json::from_slice(&document.bytes)?, document.object))
}

/// Every fact of an item, in order of time.
pub async fn facts(vault: &Vault, code: &str) -> anyhow::Result<Vec<Fact>> {
    let (manifest, _) = manifest(vault, code).await?;
    let folder = keys::item_facts(&manifest.code, custos_domain::calendar::day(manifest.ingested_at));
    let mut facts: Vec<Fact> = Vec::new();
    for object in walk(vault, &vault.buckets().log, &folder).await? {
        facts.push(serde_json::from_slice(&vault.read_document(&object).await?.bytes)?);
    }
    facts.sort_by_key(|fact| fact.at);
    Ok(facts)
}

/// Every object of an item that must be locked: original, outboard, manifest, and seal and permit when there are.
pub async fn locked_objects(vault: &Vault, code: &str) -> anyhow::Result<Vec<StoredObject>> {
    let (manifest, object) = manifest(vault, code).await?;
    let mut objects = vec![manifest.original, manifest.outboard, object];
    for key in [keys::seal(manifest.code.key()), keys::permit(manifest.code.key())] {
        objects.extend(vault.first_version(&vault.buckets().originals, &key).await?);
    }
    Ok(objects)
}

/// The store's own administrator, trying what nobody may.
pub struct Root {
    address: String,
    config: tempfile::TempDir,
}

impl Root {
    /// The administrator of a site's store.
    pub fn of(site: &Site) -> anyhow::Result<Self> {
        Self::with(site, Owner::Admin)
    }

    /// Somebody else's credential, to see what it may not do.
    pub fn with(site: &Site, owner: Owner) -> anyhow::Result<Self> {
        let (access, secret) = site.stack.s3_credential(owner)?;
        let address = site.stack.s3_endpoint().replace("http://", &format!("http://{access}:{secret}@"));
        Ok(Self { address, config: tempfile::tempdir()? })
    }

    /// Every version and delete marker of a bucket by MinIO's own listing: keys in order, of each the oldest first.
    pub(crate) async fn versions(&self, bucket: &str) -> anyhow::Result<Vec<Listed>> {
        let all = StoredObject { bucket: bucket.to_owned(), key: String::new(), version: String::new() };
        let said = self.mc(&["ls", "--versions", "--recursive"], &all).await?;
        let lines = said.lines().filter(|line| line.starts_with('{'));
        let mut listed: Vec<Listed> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        listed.sort_by_key(Listed::place);
        Ok(listed)
    }

    /// Runs MinIO's own client with the root credential; answers what it said, or fails with it.
    pub async fn mc(&self, words: &[&str], object: &StoredObject) -> anyhow::Result<String> {
        let output = Command::new(repository().join("deploy/local/servers/mc"))
            .env("MC_HOST_root", &self.address)
            .arg("--config-dir")
            .arg(self.config.path())
            .arg("--json")
            .args(words)
            .arg(format!("root/{}/{}", object.bucket, object.key))
            .output()
            .await
            .context("starting mc")?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        // mc ends with 0 after some refusals; its JSON tells.
        if !output.status.success() || said.contains("\"status\":\"error\"") || said.contains("\"status\": \"error\"") {
            bail!("{said}");
        }
        Ok(said)
    }

    /// Puts other bytes over a key.
    pub async fn overwrite(&self, object: &StoredObject) -> anyhow::Result<String> {
        self.put(object, b"other bytes").await
    }

    /// Puts these bytes at a key.
    pub async fn put(&self, object: &StoredObject, bytes: &[u8]) -> anyhow::Result<String> {
        let file = self.config.path().join("other");
        std::fs::write(&file, bytes)?;
        let file = file.display().to_string();
        self.mc(&["cp", "--quiet", &file], object).await
    }
}
