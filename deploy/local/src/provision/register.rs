//! The register of stations in the store, before there is a service that keeps it: signed with the register's key, replaced as a
//! whole.

use anyhow::Context;
use custos_domain::{
    dsse::{Envelope, KeyId},
    keys,
    station::{Registration, StationRegister},
};
use custos_platform::vault::{StoreArgs, Vault};
use ed25519_dalek::SigningKey;
use jiff::Timestamp;

use super::store;
use crate::{
    secrets::{Owner, Secret, Secrets},
    seeds,
    servers::minio,
};

/// The stations every stack knows: one of each agency, and one that may deposit without a signed declaration.
pub fn seeded() -> anyhow::Result<Vec<Registration>> {
    let known = seeds::stations()?.into_iter().map(|station| (station, false));
    let registered = |(station, plain): (seeds::Station, bool)| Registration {
        tenant: station.tenant,
        unit: station.unit,
        station: station.id,
        plain,
    };
    Ok(known.chain([(seeds::plain_station()?, true)]).map(registered).collect())
}

/// Publishes `stations` under the number after the published one; writes nothing when they are published already. Answers the
/// number that stands.
pub async fn publish(
    endpoint: &str,
    secrets: &Secrets,
    key: &SigningKey,
    now: Timestamp,
    stations: Vec<Registration>,
) -> anyhow::Result<u64> {
    let vault = vault(endpoint, secrets)?;
    let published = published(&vault, key).await?;
    if let Some(register) = published.as_ref().filter(|register| register.stations == stations) {
        return Ok(register.sequence);
    }
    let sequence = published.as_ref().map_or(0, |register| register.sequence) + 1;
    let (revocations, shut_out) =
        published.map(|register| (register.revocations, register.shut_out)).unwrap_or_default();
    let register = StationRegister { sequence, issued_at: now, stations, revocations, shut_out };
    let envelope = serde_json::to_vec_pretty(&Envelope::seal(&register, key)?)?;
    vault.write(&vault.buckets().intake, keys::STATION_REGISTER, envelope.into(), "application/json").await?;
    Ok(sequence)
}

/// Whether there is a register.
pub async fn is_published(endpoint: &str, secrets: &Secrets) -> anyhow::Result<bool> {
    let vault = vault(endpoint, secrets)?;
    Ok(vault.read_latest(&vault.buckets().intake, keys::STATION_REGISTER).await?.is_some())
}

async fn published(vault: &Vault, key: &SigningKey) -> anyhow::Result<Option<StationRegister>> {
    let Some(document) = vault.read_latest(&vault.buckets().intake, keys::STATION_REGISTER).await? else {
        return Ok(None);
    };
    let envelope: Envelope = serde_json::from_slice(&document.bytes).context("reading the published register")?;
    Ok(Some(envelope.open(&[KeyId(key.verifying_key().to_bytes())])?))
}

fn vault(endpoint: &str, secrets: &Secrets) -> anyhow::Result<Vault> {
    let buckets = store::buckets();
    Ok(Vault::new(&StoreArgs {
        s3_endpoint: endpoint.to_owned(),
        s3_region: minio::REGION.to_owned(),
        s3_access_key_file: secrets.file(Owner::Admin, Secret::S3AccessKey),
        s3_secret_key_file: secrets.file(Owner::Admin, Secret::S3SecretKey),
        s3_originals: buckets.originals,
        s3_intake: buckets.intake,
        s3_log: buckets.log,
        s3_derived: buckets.derived,
        s3_probe: buckets.probe,
    })?)
}
