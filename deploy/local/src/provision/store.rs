//! Buckets, users and policies in the store, through MinIO's client `mc`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail};
use custos_domain::keys::Buckets;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::archive;
use crate::{
    config::Server,
    folders::{self, Folders},
    part::Part,
    secrets::{Owner, Secret, Secrets},
};

/// The lock of a version that was stored without one: the net below the locks that services set themselves.
const DEFAULT_LOCK: &str = "30d";

/// The default lock where the store is tried: a credential with the right to bypass can end it, for nothing there is of worth.
const PROBE_LOCK: &str = "1d";

/// Names of the buckets; the policies in `deploy/s3` spell them too.
pub fn buckets() -> Buckets {
    Buckets {
        originals: "custos-originals".to_owned(),
        intake: "custos-intake".to_owned(),
        log: "custos-log".to_owned(),
        derived: "custos-derived".to_owned(),
        probe: "custos-probe".to_owned(),
    }
}

/// What a service may do in the store.
fn policy(service: Part) -> Option<&'static str> {
    match service {
        Part::Ingest => Some(include_str!("../../../s3/ingest.json")),
        Part::Hashing => Some(include_str!("../../../s3/hashing.json")),
        Part::Transcode => Some(include_str!("../../../s3/transcode.json")),
        Part::Retention => Some(include_str!("../../../s3/retention.json")),
        Part::LegalHold => Some(include_str!("../../../s3/legal-hold.json")),
        Part::Records => Some(include_str!("../../../s3/records.json")),
        Part::Stations => Some(include_str!("../../../s3/stations.json")),
        Part::Minio | Part::Nats | Part::Postgres => None,
    }
}

/// Creates buckets with their locks, and a user with its policy for every service.
pub async fn provision(mc: &Mc, server: Server, folders: &Folders, secrets: &Secrets) -> anyhow::Result<()> {
    make_buckets(mc).await?;
    match server {
        Server::Minio => import_users(mc, folders, secrets).await,
        // It has them from its configuration.
        Server::SeaweedFs => Ok(()),
    }
}

async fn make_buckets(mc: &Mc) -> anyhow::Result<()> {
    let Buckets { originals, intake, log, derived, probe } = buckets();
    let [originals, intake, log, derived, probe] =
        [originals, intake, log, derived, probe].map(|name| format!("{ALIAS}/{name}"));
    let locked = async {
        mc.run(&["mb", "--ignore-existing", "--with-lock", &originals, &log, &probe]).await?;
        let lock = ["retention", "set", "--default"];
        let [first, second, third] = [
            ["compliance", DEFAULT_LOCK, &originals],
            ["compliance", DEFAULT_LOCK, &log],
            ["governance", PROBE_LOCK, &probe],
        ]
        .map(|which| [&lock[..], &which].concat());
        tokio::try_join!(mc.run(&first), mc.run(&second), mc.run(&third)).map(drop)
    };
    let plain = ["mb", "--ignore-existing", &intake, &derived];
    tokio::try_join!(locked, mc.run(&plain)).map(drop)
}

async fn import_users(mc: &Mc, folders: &Folders, secrets: &Secrets) -> anyhow::Result<()> {
    let users = folders.settings(Part::Minio, "iam.zip");
    folders::write(&users, users_and_policies(secrets)?)?;
    let users = users.display().to_string();

    let done = mc.run(&["admin", "cluster", "iam", "import", ALIAS, &users]).await;
    // It holds every service's password.
    std::fs::remove_file(folders.settings(Part::Minio, "iam.zip")).context("removing the list of users")?;
    done
}

/// MinIO's client.
#[derive(Debug)]
pub struct Mc {
    program: PathBuf,
    settings: PathBuf,
    endpoint: String,
}

/// What the client calls the server.
const ALIAS: &str = "stack";

impl Mc {
    /// The client in `programs`, for the server at `address` with the administrator's credential.
    pub fn new(programs: &Path, folders: &Folders, address: &str, secrets: &Secrets) -> anyhow::Result<Self> {
        Ok(Self {
            program: programs.join("mc"),
            settings: folders.settings(Part::Minio, "mc"),
            endpoint: endpoint(address, secrets, Owner::Admin)?,
        })
    }

    async fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("--config-dir").arg(&self.settings).args(["--quiet", "--no-color"]).args(arguments);
        // As a variable, not on the command line, which everyone can read.
        command.env(format!("MC_HOST_{ALIAS}"), &self.endpoint).env("HOME", &self.settings);
        let output = command.stdin(Stdio::null()).output().await.context("starting mc; run deploy/local/install")?;
        if output.status.success() {
            return Ok(());
        }
        bail!("mc {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())
    }
}

/// The address with a credential in it, as `mc` wants it in `MC_HOST_…`.
pub fn endpoint(address: &str, secrets: &Secrets, owner: Owner) -> anyhow::Result<String> {
    let (key, secret) = (secrets.text(owner, Secret::S3AccessKey)?, secrets.text(owner, Secret::S3SecretKey)?);
    Ok(format!("http://{key}:{secret}@{address}"))
}

/// The archive that MinIO imports: users, policies, and which user has which.
fn users_and_policies(secrets: &Secrets) -> anyhow::Result<Vec<u8>> {
    let (mut users, mut policies, mut mappings) = (Map::new(), Map::new(), Map::new());
    for service in Part::SERVICES {
        let owner = Owner::Service(service);
        let (key, secret) = (secrets.text(owner, Secret::S3AccessKey)?, secrets.text(owner, Secret::S3SecretKey)?);
        let text = policy(service).with_context(|| format!("{service} has no policy"))?;
        let policy: Value = serde_json::from_str(text).with_context(|| format!("reading the policy of {service}"))?;
        users.insert(key.clone(), json!({"secretKey": secret, "status": "enabled"}));
        mappings.insert(key.clone(), json!({"version": 1, "policy": key}));
        policies.insert(key, policy);
    }
    archive::zip(&[
        ("iam-assets/policies.json", serde_json::to_vec(&policies)?),
        ("iam-assets/users.json", serde_json::to_vec(&users)?),
        ("iam-assets/user_mappings.json", serde_json::to_vec(&mappings)?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no service may do, whatever its policy allows (platform reference, 5.5).
    #[test]
    fn every_service_has_a_policy_that_forbids_what_nobody_may() {
        for service in Part::SERVICES {
            let policy: Value = serde_json::from_str(policy(service).expect("policy")).expect("json");
            let statements = policy["Statement"].as_array().expect("statements");
            let forbidden = statements.iter().find(|statement| statement["Effect"] == "Deny").expect("a denial");
            for verb in ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"] {
                assert!(forbidden["Action"].as_array().expect("actions").contains(&verb.into()), "{service} {verb}");
            }
            let allowed = statements.iter().filter(|statement| statement["Effect"] == "Allow");
            let verbs: Vec<&str> =
                allowed.flat_map(|s| s["Action"].as_array().expect("actions")).filter_map(Value::as_str).collect();
            assert!(verbs.iter().all(|verb| !verb.contains('*') && !verb.starts_with("s3:PutBucket")), "{service}");
            let holds = verbs.contains(&"s3:PutObjectLegalHold");
            assert_eq!(holds, matches!(service, Part::LegalHold | Part::Ingest | Part::Retention), "{service}");
            // Where the store is tried, and nowhere else, ingest and retention may do what it must refuse.
            for statement in statements.iter().filter(|statement| statement["Effect"] == "Allow") {
                let of = |verb: &str| statement["Action"].as_array().expect("actions").contains(&verb.into());
                if of("s3:BypassGovernanceRetention")
                    || of("s3:DeleteObjectVersion")
                    || (holds && service != Part::LegalHold && of("s3:PutObjectLegalHold"))
                {
                    assert_eq!(statement["Resource"], serde_json::json!(["arn:aws:s3:::custos-probe/*"]), "{service}");
                }
            }
        }
    }
}
