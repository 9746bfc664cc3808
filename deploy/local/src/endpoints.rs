//! Where the parts of a stack are, and how one gets in.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;

use crate::{
    certificates::{Authority, Identity},
    folders::{self, Folders},
    part::Part,
    provision::{bus, database::DATABASE},
    secrets::{Owner, Secret, Secrets},
    seeds::{self, Station},
    servers::postgres::SUPERUSER,
    stack::Stack,
    tokens::Issuer,
};

/// How long a token made here is good.
const SHIFT: Duration = Duration::from_hours(12);

impl Stack {
    /// The folder layout, such as the log files.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The credentials.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The certificate authority: issues and revokes station certificates.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// `https://…` of a service's API.
    pub fn url(&self, service: Part) -> String {
        format!("https://127.0.0.1:{}", self.ports.work(service))
    }

    /// `http://…` of a service's /livez, /readyz and /metrics.
    pub fn admin_url(&self, service: Part) -> String {
        format!("http://127.0.0.1:{}", self.ports.admin(service))
    }

    /// `127.0.0.1:port` on which a part does its work, for a proxy before it.
    pub fn address(&self, part: Part) -> String {
        format!("127.0.0.1:{}", self.ports.work(part))
    }

    /// `http://…` of the store.
    pub fn s3_endpoint(&self) -> String {
        format!("http://{}", self.address(Part::Minio))
    }

    /// Access key and secret key.
    pub fn s3_credential(&self, owner: Owner) -> anyhow::Result<(String, String)> {
        Ok((self.secrets.text(owner, Secret::S3AccessKey)?, self.secrets.text(owner, Secret::S3SecretKey)?))
    }

    /// `nats://…` of the bus.
    pub fn nats_url(&self) -> String {
        format!("nats://{}", self.address(Part::Nats))
    }

    /// The same with the operator's name and password, as the `nats` program wants it.
    pub fn nats_operator_url(&self) -> anyhow::Result<String> {
        let password = self.secrets.text(Owner::Admin, Secret::NatsPassword)?;
        Ok(format!("nats://{}:{password}@{}", bus::OPERATOR, self.address(Part::Nats)))
    }

    /// `http://…` of the bus's monitor.
    pub fn nats_monitor_url(&self) -> String {
        self.admin_url(Part::Nats)
    }

    /// The database with the owner's role and password.
    pub fn database_url(&self, owner: Owner) -> anyhow::Result<String> {
        let role = match owner {
            Owner::Admin => SUPERUSER,
            Owner::Service(service) => service.schema().with_context(|| format!("{service} has no schema"))?,
        };
        let password = self.secrets.text(owner, Secret::DatabasePassword)?;
        Ok(format!("postgres://{role}:{password}@{}/{DATABASE}?sslmode=disable", self.address(Part::Postgres)))
    }

    /// The certificate that all servers' certificates are signed with.
    pub fn ca(&self) -> PathBuf {
        self.authority.root().certificate
    }

    /// A station's certificate and key; made when it does not exist.
    pub fn station(&self, station: &Station) -> anyhow::Result<Identity> {
        self.authority.station(station, &mut rand::rng())
    }

    /// Whose signatures count, as the dock's and ingest's trust file.
    pub fn trust_file(&self) -> PathBuf {
        self.folders.trust()
    }

    /// Signs tokens with whatever claims.
    pub fn issuer(&self) -> anyhow::Result<Issuer> {
        Ok(Issuer::new(self.secrets.signing_key(Owner::Admin)?))
    }

    /// A token of a seeded person, good for a shift.
    pub fn token(&self, person: &str) -> anyhow::Result<String> {
        self.issuer()?.token(seeds::find(person)?, self.clock.now(), SHIFT)
    }

    /// An HTTPS client that trusts the stack's servers, as people's programs are.
    pub fn https(&self) -> anyhow::Result<reqwest::Client> {
        Ok(self.trusting()?.build()?)
    }

    /// An HTTPS client that also shows a station's certificate.
    pub fn https_as(&self, station: &Identity) -> anyhow::Result<reqwest::Client> {
        let pem = folders::read(&station.certificate)? + &folders::read(&station.key)?;
        Ok(self.trusting()?.identity(reqwest::Identity::from_pem(pem.as_bytes())?).build()?)
    }

    fn trusting(&self) -> anyhow::Result<reqwest::ClientBuilder> {
        let root = reqwest::Certificate::from_pem(folders::read(&self.ca())?.as_bytes())?;
        Ok(reqwest::Client::builder().tls_certs_only([root]).no_proxy())
    }
}
