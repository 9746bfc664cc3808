//! A certificate authority for tests, and a client that speaks HTTP/1.1 by hand, so that a test sees the connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{admin::Health, clock::Clock, lifecycle::Lifecycle, service::Context, telemetry::Metrics};

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// An authority with an empty revocation list.
pub(crate) struct Pki {
    pub(crate) ca: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate it issued.
pub(crate) struct Leaf {
    pub(crate) cert: Certificate,
    pub(crate) key: KeyPair,
    pub(crate) serial: SerialNumber,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Authorities of one name would be told apart by their signatures only.
        params.distinguished_name.push(DnType::CommonName, format!("Authority {:?}", next_serial().to_bytes()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("key");
        Self { ca: CertifiedIssuer::self_signed(params, key).expect("authority") }
    }

    pub(crate) fn server(&self) -> Leaf {
        let names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth, 2100)
    }

    pub(crate) fn station(&self, uris: &[&str]) -> Leaf {
        self.station_until(uris, 2100)
    }

    /// A certificate good until the first day of `year`.
    pub(crate) fn station_until(&self, uris: &[&str], year: i32) -> Leaf {
        let names = uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("ASCII"))).collect();
        self.issue(names, ExtendedKeyUsagePurpose::ClientAuth, year)
    }

    /// A revocation list in PEM.
    pub(crate) fn crl(&self, revoked: &[&Leaf]) -> String {
        let revoked = revoked.iter().map(|leaf| RevokedCertParams {
            serial_number: leaf.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: next_serial(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.ca).expect("list").pem().expect("PEM")
    }

    fn issue(&self, names: Vec<SanType>, usage: ExtendedKeyUsagePurpose, year: i32) -> Leaf {
        let (key, serial) = (KeyPair::generate_for(&PKCS_ED25519).expect("key"), next_serial());
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![usage];
        params.not_after = date_time_ymd(year, 1, 1);
        params.serial_number = Some(serial.clone());
        let cert = params.signed_by(&key, &self.ca).expect("certificate");
        Leaf { cert, key, serial }
    }

    /// Connects to `address`, presenting `leaf`. With TLS 1.3 the server's refusal is seen only at the first read.
    pub(crate) async fn connect(&self, address: SocketAddr, leaf: Option<&Leaf>) -> std::io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).expect("authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match leaf {
            None => builder.with_no_client_auth(),
            Some(leaf) => {
                let key = PrivateKeyDer::try_from(leaf.key.serialize_der()).expect("key");
                builder.with_client_auth_cert(vec![leaf.cert.der().clone()], key).expect("client certificate")
            }
        };
        let name = ServerName::IpAddress(address.ip().into());
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map(Client)
    }
}

/// One connection.
pub(crate) struct Client(TlsStream<TcpStream>);

impl Client {
    pub(crate) async fn send(&mut self, path: &str) -> std::io::Result<()> {
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await
    }

    /// The status and body of the next answer; an error when the server ends the connection instead.
    pub(crate) async fn receive(&mut self) -> std::io::Result<(u16, String)> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let mut words = head.split_whitespace();
                let status = words.nth(1).and_then(|status| status.parse().ok()).expect("status");
                let length =
                    head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    return Ok((status, body.to_owned()));
                }
            }
            if self.0.read_buf(&mut bytes).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> std::io::Result<(u16, String)> {
        self.send(path).await?;
        self.receive().await
    }

    /// Serial number of the server's certificate.
    pub(crate) fn server_serial(&self) -> Vec<u8> {
        let chain = self.0.get_ref().1.peer_certificates().expect("chain");
        let (_, certificate) = x509_parser::parse_x509_certificate(&chain[0]).expect("certificate");
        certificate.raw_serial().to_vec()
    }
}

/// What the shell would hand to a service.
pub(crate) fn context(clock: Clock, metrics: &Metrics) -> Context {
    let lifecycle = Lifecycle::new();
    let health = Health::new(lifecycle.clone());
    Context { name: "test", lifecycle, health, clock, meter: metrics.meter() }
}

fn next_serial() -> SerialNumber {
    // No zeros in front, which DER would drop.
    SerialNumber::from(0x0100_0000_0000_0000 + SERIAL.fetch_add(1, Ordering::Relaxed))
}
