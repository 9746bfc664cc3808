//! Stations through the register: as administrators and docks use it, and by hand.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context, ensure};
use custos_domain::{dsse::Envelope, fact::Fact, keys, station::StationRegister};
use custos_local::{Part, certificates::Identity, config::repository};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519, SanType, SignatureAlgorithm};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{site::Site, store::walk, tus::Answer};

/// The agency all this happens in, its unit and its administrator.
pub const UNIT: &str = "NANJING/XUANWU";
/// Who registers and revokes.
pub const ADMINISTRATOR: &str = "e-admin";

/// How a program of the dock ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// What it said.
    pub said: String,
}

/// A certificate signing request for a new key that would like to be another station's.
pub fn request_of(station: &str) -> anyhow::Result<String> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, station);
    params.subject_alt_names = vec![SanType::URI(format!("custos://station/E/{UNIT}/{station}").try_into()?)];
    Ok(params.serialize_request(&KeyPair::generate_for(&PKCS_ED25519)?)?.pem()?)
}

/// A certificate signing request for a new key.
pub fn request(algorithm: &'static SignatureAlgorithm) -> anyhow::Result<String> {
    Ok(CertificateParams::default().serialize_request(&KeyPair::generate_for(algorithm)?)?.pem()?)
}

impl Site {
    /// Registers a station of agency E.
    pub async fn register(&self, id: &str) -> anyhow::Result<()> {
        let body = json!({ "id": id, "unit": UNIT });
        let (status, answer) =
            self.call(Part::Stations, ADMINISTRATOR, Method::POST, "/v1/stations", Some(body)).await?;
        ensure!(status.is_success(), "{status} {answer}");
        Ok(())
    }

    /// Has a code issued.
    pub async fn code(&self, id: &str) -> anyhow::Result<String> {
        let path = format!("/v1/stations/{id}/codes");
        let (status, answer) = self.call(Part::Stations, ADMINISTRATOR, Method::POST, &path, None).await?;
        ensure!(status == StatusCode::CREATED, "{status} {answer}");
        Ok(answer["code"].as_str().context("no code")?.to_owned())
    }

    /// Shuts a station out.
    pub async fn shut_out(&self, id: &str) -> anyhow::Result<Value> {
        let (path, body) = (format!("/v1/stations/{id}/revoke"), json!({ "reason": "stolen" }));
        let (status, answer) = self.call(Part::Stations, ADMINISTRATOR, Method::POST, &path, Some(body)).await?;
        ensure!(status == StatusCode::OK, "{status} {answer}");
        Ok(answer)
    }

    /// One station as people see it.
    pub async fn station_of_register(&self, id: &str) -> anyhow::Result<Value> {
        self.get(Part::Stations, ADMINISTRATOR, &format!("/v1/stations/{id}")).await
    }

    /// POST /v1/enrol by hand.
    pub async fn enrol_by_hand(&self, code: &str, csr: &str) -> anyhow::Result<Answer> {
        self.enrol_at(&self.stack.url(Part::Stations), code, csr).await
    }

    /// The same at another replica.
    pub async fn enrol_at(&self, replica: &str, code: &str, csr: &str) -> anyhow::Result<Answer> {
        let request =
            self.stack.https()?.post(format!("{replica}/v1/enrol")).json(&json!({ "code": code, "csr": csr }));
        Answer::read(request.send().await?).await
    }

    /// POST /v1/renew by hand, on a connection of its own.
    pub async fn renew_by_hand(&self, identity: &Identity, csr: &str) -> anyhow::Result<Answer> {
        let url = format!("{}/v1/renew", self.stack.url(Part::Stations));
        let request = self.stack.https_as(identity)?.post(url).json(&json!({ "csr": csr }));
        Answer::read(request.send().await?).await
    }

    /// Whether ingest lets a station with this certificate in, on a connection of its own.
    pub async fn is_let_in(&self, identity: &Identity) -> anyhow::Result<bool> {
        let url = format!("{}/v1/uploads/01940000-0000-7000-8000-000000000000", self.stack.url(Part::Ingest));
        match self.stack.https_as(identity)?.head(url).header("Tus-Resumable", "1.0.0").send().await {
            Ok(answer) => {
                ensure!(answer.status() == StatusCode::NOT_FOUND, "{}", answer.status());
                Ok(true)
            }
            // A refused handshake; an ingest that does not listen is another matter.
            Err(error) if error.is_connect() && format!("{error:?}").contains("ConnectionRefused") => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    /// Registers a station and runs `custos-dock enrol` for it.
    pub async fn enrolled(&self, id: &str) -> anyhow::Result<Enrolled> {
        self.register(id).await?;
        let state = self.scratch(&format!("dock-{id}"));
        let dock = Enrolled { state };
        let ended = dock.run(self, &["enrol", "--code", &self.code(id).await?]).await?;
        ensure!(ended.code == 0, "{ended:?}");
        Ok(dock)
    }

    /// The register as it lies in the store.
    pub async fn stored_register(&self) -> anyhow::Result<StationRegister> {
        let vault = self.vault()?;
        let document = vault.read_latest(&vault.buckets().intake, keys::STATION_REGISTER).await?;
        let envelope: Envelope = serde_json::from_slice(&document.context("no register")?.bytes)?;
        Ok(envelope.peek()?)
    }

    /// Every fact of a station of agency E, in order of time.
    pub async fn facts_of_station(&self, id: &str) -> anyhow::Result<Vec<Fact>> {
        let vault = self.vault()?;
        let mut facts: Vec<Fact> = Vec::new();
        for object in walk(&vault, &vault.buckets().log, &format!("facts/stations/E/{id}/")).await? {
            facts.push(serde_json::from_slice(&vault.read_document(&object).await?.bytes)?);
        }
        facts.sort_by_key(|fact| fact.at);
        Ok(facts)
    }
}

/// A station that enrolled itself.
#[derive(Debug)]
pub struct Enrolled {
    /// The dock's state folder.
    pub state: PathBuf,
}

impl Enrolled {
    /// The pair as it is now.
    pub fn pem(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.state.join("station.pem"))?)
    }

    /// The pair in two files, for clients that want it so.
    pub fn identity(&self, site: &Site) -> anyhow::Result<Identity> {
        let pem = self.pem()?;
        let end = "-----END PRIVATE KEY-----\n";
        let at = pem.find(end).context("no key")? + end.len();
        let name = self.state.file_name().context("a folder")?.to_string_lossy().into_owned();
        let (key, certificate) = (site.scratch(&format!("{name}.key")), site.scratch(&format!("{name}.crt")));
        std::fs::write(&key, &pem[..at])?;
        std::fs::write(&certificate, &pem[at..])?;
        Ok(Identity { certificate, key })
    }

    /// The dock as this station's: with nothing but the state folder to prove itself.
    pub fn command(&self, site: &Site) -> Command {
        let mut dock = Command::new(repository().join("target/debug/custos-dock"));
        dock.env("CUSTOS_STATIONS_URL", site.stack.url(Part::Stations))
            .env("CUSTOS_INGEST_URL", site.stack.url(Part::Ingest))
            .env("CUSTOS_CA", site.stack.ca())
            .env("CUSTOS_TRUST_FILE", site.stack.trust_file())
            .env("CUSTOS_DOCK_STATE", &self.state)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        dock
    }

    /// Runs the dock to its end.
    pub async fn run(&self, site: &Site, words: &[&str]) -> anyhow::Result<Ended> {
        let output = self.command(site).args(words).output().await.context("running custos-dock")?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(Ended { code: output.status.code().unwrap_or(-1), said })
    }
}
