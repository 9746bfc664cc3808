//! A hand-made client of ingest, for what the real dock would never send.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use custos_domain::{
    declaration::Declaration,
    digest::{Crc64, Root},
    dsse::Envelope,
    ids::{DeviceId, DockingId, RecordingId, Segment},
    item::ItemKind,
    outboard::{Outboard, OutboardBuilder},
};
use custos_local::{Part, certificates::Identity, seeds::Station};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use crate::site::Site;

/// A station by hand.
pub struct Tus {
    /// The HTTPS client with the station's certificate.
    pub client: Client,
    /// Ingest.
    pub url: String,
    /// The station's key.
    pub key: SigningKey,
    /// Who it is.
    pub station: Station,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// JSON body, or null.
    pub body: Value,
}

impl Answer {
    /// The last part of the problem's type.
    pub fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|t| t.strip_prefix("urn:custos:problem:")).unwrap_or("none")
    }

    /// The answered offset.
    pub fn offset(&self) -> Option<u64> {
        self.headers.get("upload-offset")?.to_str().ok()?.parse().ok()
    }

    /// The path of a created upload.
    pub fn location(&self) -> anyhow::Result<String> {
        let location = self.headers.get("location").with_context(|| format!("no upload was given: {self:?}"))?;
        Ok(location.to_str()?.to_owned())
    }
}

impl Tus {
    /// The seeded station of an agency.
    pub fn of(site: &Site, tenant: &str) -> anyhow::Result<Self> {
        let station = site.station(tenant)?;
        let identity = site.stack.station(&station)?;
        Self::with(site, station, &identity)
    }

    /// A station with these credentials.
    pub fn with(site: &Site, station: Station, identity: &Identity) -> anyhow::Result<Self> {
        let pem = std::fs::read_to_string(&identity.key)?;
        Ok(Self {
            client: site.stack.https_as(identity)?,
            url: site.stack.url(Part::Ingest),
            key: SigningKey::from_pkcs8_pem(&pem)?,
            station,
        })
    }

    /// An honest declaration of these bytes.
    pub fn declaration(&self, recording: &str, bytes: &[u8]) -> anyhow::Result<Declaration> {
        Ok(Declaration {
            tenant: self.station.tenant.clone(),
            unit: self.station.unit.clone(),
            station: self.station.id.clone(),
            docking: DockingId::parse(&uuid::Uuid::new_v4().to_string())?,
            kind: ItemKind::Video,
            device: DeviceId::parse("DSJ00099")?,
            officer: None,
            recording: RecordingId::parse(recording)?,
            segment: Segment(0),
            file_name: format!("DCIM/{recording}.mp4"),
            naming_rule: None,
            key_file: false,
            length: bytes.len() as u64,
            root: Root::of(bytes),
            crc: Crc64::of(bytes),
            started_at_device: None,
            clock: None,
            declared_at: "2026-11-23T00:00:00Z".parse()?,
        })
    }

    /// POSTs a declaration signed with the station's key.
    pub async fn declare(&self, declaration: &Declaration) -> anyhow::Result<Answer> {
        let envelope = Envelope::seal(declaration, &self.key)?;
        self.declare_envelope(&serde_json::to_vec(&envelope)?, declaration.length).await
    }

    /// POSTs whatever is said to be a declaration.
    pub async fn declare_envelope(&self, envelope: &[u8], length: u64) -> anyhow::Result<Answer> {
        let metadata = format!("declaration {}", STANDARD.encode(envelope));
        let request = self.request(Method::POST, "/v1/uploads").header("Upload-Length", length);
        Answer::read(request.header("Upload-Metadata", metadata).send().await?).await
    }

    /// POSTs a declaration with its outboard, as docks do where it is short.
    pub async fn declare_proven(&self, envelope: &[u8], outboard: &Outboard) -> anyhow::Result<Answer> {
        let (declaration, proof) = (STANDARD.encode(envelope), STANDARD.encode(outboard.encode()));
        let request = self.request(Method::POST, "/v1/uploads").header("Upload-Length", outboard.len());
        let metadata = format!("declaration {declaration},outboard {proof}");
        Answer::read(request.header("Upload-Metadata", metadata).send().await?).await
    }

    /// PUTs an outboard.
    pub async fn prove(&self, upload: &str, outboard: &Outboard) -> anyhow::Result<Answer> {
        let request = self.request(Method::PUT, &format!("{upload}/outboard")).body(outboard.encode());
        Answer::read(request.send().await?).await
    }

    /// PATCHes bytes at an offset.
    pub async fn patch(&self, upload: &str, offset: u64, bytes: impl Into<Bytes>) -> anyhow::Result<Answer> {
        let request = self.request(Method::PATCH, upload).header("Upload-Offset", offset);
        let request = request.header("Content-Type", "application/offset+octet-stream");
        Answer::read(request.body(reqwest::Body::from(bytes.into())).send().await?).await
    }

    /// HEAD.
    pub async fn head(&self, upload: &str) -> anyhow::Result<Answer> {
        Answer::read(self.request(Method::HEAD, upload).send().await?).await
    }

    /// GETs `receipt` or `permit`.
    pub async fn get(&self, upload: &str, what: &str) -> anyhow::Result<Answer> {
        Answer::read(self.request(Method::GET, &format!("{upload}/{what}")).send().await?).await
    }

    /// A request with the protocol's version.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).header("Tus-Resumable", "1.0.0")
    }

    /// Declares and proves; answers the upload's path.
    pub async fn begin(&self, recording: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let upload = self.declare(&self.declaration(recording, bytes)?).await?.location()?;
        let proved = self.prove(&upload, &outboard(bytes)?).await?;
        anyhow::ensure!(proved.status == 204, "{proved:?}");
        Ok(upload)
    }
}

impl Answer {
    /// Reads a response.
    pub async fn read(response: Response) -> anyhow::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }
}

/// The outboard of bytes.
pub fn outboard(bytes: &[u8]) -> anyhow::Result<Outboard> {
    let mut builder = OutboardBuilder::default();
    builder.update(bytes);
    Ok(builder.finish()?)
}
