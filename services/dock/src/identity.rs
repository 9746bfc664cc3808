//! Who this station is: its certificate names tenant, unit and station, and the certificate's Ed25519 key also signs
//! declarations. There is no separate setting that could disagree with the certificate.

use std::path::{Path, PathBuf};

use custos_domain::{
    dsse::KeyId,
    ids::{StationId, TenantId, UnitPath},
};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use jiff::Timestamp;
use x509_parser::{extensions::GeneralName, parse_x509_certificate, pem::parse_x509_pem, prelude::X509Certificate};

/// The scheme and kind every station's SAN URI begins with.
const PREFIX: &str = "custos://station/";

/// A station as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// The agency.
    pub tenant: TenantId,
    /// The unit the station belongs to.
    pub unit: UnitPath,
    /// The station itself.
    pub station: StationId,
}

/// Everything a station proves itself with.
#[derive(Debug)]
pub struct Credentials {
    /// Who the certificate says this is.
    pub station: Station,
    /// Signs declarations; the private key of the certificate.
    pub signing: SigningKey,
    /// The certificate chain and key as TLS shows them.
    pub tls: reqwest::Identity,
    /// The only authorities ingest's certificate may come from.
    pub authorities: Vec<reqwest::Certificate>,
}

/// Where the three PEM files are.
#[derive(Debug, Clone)]
pub struct CredentialFiles {
    /// Certificates of the authority that signed ingest's certificate.
    pub ca: PathBuf,
    /// The station's certificate, its own first.
    pub cert: PathBuf,
    /// The station's Ed25519 private key, PKCS#8.
    pub key: PathBuf,
}

/// Why the station cannot prove itself.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody gave this station a certificate.
    #[error(
        "this station has no certificate yet, {path} is not there: run `custos-dock enrol` with a one-time code, or give --cert \
         and --key"
    )]
    NotEnrolled {
        /// Where `enrol` would put it.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{path} is not {expected}: {detail}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The certificate is not a station's.
    #[error("{path} is not a station's certificate: {detail}")]
    NotAStation {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The key is another one's.
    #[error("the key in {key} does not belong to the certificate in {cert}: give the pair that was issued together")]
    NotAPair {
        /// The key file.
        key: PathBuf,
        /// The certificate file.
        cert: PathBuf,
    },
    /// Outside its dates, by the station's own clock.
    #[error(
        "the station's certificate in {path} is valid from {from} to {until}: renew it, or set this station's clock; \
         once it has expired, it takes a new one-time code and `custos-dock enrol`"
    )]
    Dates {
        /// The file.
        path: PathBuf,
        /// First moment of validity.
        from: String,
        /// Last moment of validity.
        until: String,
    },
}

impl Credentials {
    /// Reads and cross-checks the three files; `now` is the station's clock.
    pub fn load(files: &CredentialFiles, now: Timestamp) -> Result<Self, CredentialError> {
        if files.cert == files.key && !files.cert.exists() {
            return Err(CredentialError::NotEnrolled { path: files.cert.clone() });
        }
        let (authorities, cert, key) = (authorities(&files.ca)?, read(&files.cert)?, read(&files.key)?);
        // Both may be one file, in any order.
        let (cert, key) = (part(&cert, CERTIFICATES), part(&key, KEYS));
        let signing = std::str::from_utf8(key)
            .map_err(|e| format(&files.key, KEY, &e))
            .and_then(|pem| SigningKey::from_pkcs8_pem(pem).map_err(|e| format(&files.key, KEY, &e)))?;
        let station = station_of(&files.cert, cert, &files.key, &KeyId(signing.verifying_key().to_bytes()), now)?;
        let pair = [cert, b"\n", key].concat();
        let tls = reqwest::Identity::from_pem(&pair).map_err(|e| format(&files.cert, "a certificate in PEM", &e))?;
        Ok(Self { station, signing, tls, authorities })
    }

    /// The public key by which ingest knows this station's declarations.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId(self.signing.verifying_key().to_bytes())
    }
}

impl std::fmt::Display for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.unit, self.station)
    }
}

const KEY: &str = "an Ed25519 private key in PKCS#8 PEM";
/// How certificates begin and end in PEM.
const CERTIFICATES: [&str; 2] = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"];
/// How a private key begins and ends in PEM.
const KEYS: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

/// The certificates of the authorities in a file.
pub(crate) fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, CredentialError> {
    let found = reqwest::Certificate::from_pem_bundle(&read(path)?);
    let found = found.map_err(|e| format(path, "certificates in PEM", &e))?;
    if found.is_empty() { Err(format(path, "certificates in PEM", &"it holds none")) } else { Ok(found) }
}

/// From the first `begin` to the last `end`; the whole where either is missing, for the message about it.
fn part<'a>(pem: &'a [u8], [begin, end]: [&str; 2]) -> &'a [u8] {
    let Ok(text) = std::str::from_utf8(pem) else { return pem };
    match (text.find(begin), text.rfind(end)) {
        (Some(first), Some(last)) if first < last => &text.as_bytes()[first..last + end.len()],
        _ => pem,
    }
}

/// The station a certificate names.
pub(crate) fn named_in(cert: &X509Certificate<'_>) -> Result<Station, String> {
    parse_station(&station_uri(cert)?)
}

/// Checks the first certificate of `pem` against key and clock and reads the station out of it.
fn station_of(
    path: &Path,
    pem: &[u8],
    key_path: &Path,
    key: &KeyId,
    now: Timestamp,
) -> Result<Station, CredentialError> {
    let (_, block) = parse_x509_pem(pem).map_err(|e| format(path, "a certificate in PEM", &e))?;
    let (_, cert) = parse_x509_certificate(&block.contents).map_err(|e| format(path, "an X.509 certificate", &e))?;
    if cert.public_key().subject_public_key.data.as_ref() != key.0 {
        return Err(CredentialError::NotAPair { key: key_path.to_owned(), cert: path.to_owned() });
    }
    let dates = cert.validity();
    let now = now.as_second();
    if now < dates.not_before.timestamp() || now > dates.not_after.timestamp() {
        let (from, until) = (dates.not_before.to_string(), dates.not_after.to_string());
        return Err(CredentialError::Dates { path: path.to_owned(), from, until });
    }
    named_in(&cert).map_err(|detail| CredentialError::NotAStation { path: path.to_owned(), detail })
}

/// The one SAN URI that names a station.
fn station_uri(cert: &X509Certificate<'_>) -> Result<String, String> {
    let san = cert.subject_alternative_name().map_err(|e| e.to_string())?;
    let names = san.map(|san| san.value.general_names.as_slice()).unwrap_or_default();
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) if uri.starts_with(PREFIX) => Some((*uri).to_owned()),
        _ => None,
    });
    let only = uris.next().ok_or_else(|| format!("it has no SAN URI {PREFIX}TENANT/UNIT/STATION"))?;
    if uris.next().is_some() { Err("it names more than one station".to_owned()) } else { Ok(only) }
}

/// Reads `custos://station/TENANT/UNIT/PATH/STATION`.
fn parse_station(uri: &str) -> Result<Station, String> {
    let wrong = || format!("`{}` is not {PREFIX}TENANT/UNIT/PATH/STATION", uri.escape_debug());
    let path = uri.strip_prefix(PREFIX).ok_or_else(wrong)?;
    let (tenant, rest) = path.split_once('/').ok_or_else(wrong)?;
    let (unit, station) = rest.rsplit_once('/').ok_or_else(wrong)?;
    Ok(Station {
        tenant: TenantId::parse(tenant).map_err(|e| e.to_string())?,
        unit: UnitPath::parse(unit).map_err(|e| e.to_string())?,
        station: StationId::parse(station).map_err(|e| e.to_string())?,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CredentialError> {
    std::fs::read(path).map_err(|source| CredentialError::Read { path: path.to_owned(), source })
}

fn format(path: &Path, expected: &'static str, detail: &impl ToString) -> CredentialError {
    CredentialError::Format { path: path.to_owned(), expected, detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SanType};

    use super::*;

    fn write(dir: &Path, san: &[&str], own_key: bool) -> CredentialFiles {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = san.iter().map(|uri| SanType::URI((*uri).try_into().expect("uri"))).collect();
        let cert = params.self_signed(&key).expect("certificate");
        let stored = if own_key { key } else { KeyPair::generate_for(&PKCS_ED25519).expect("key") };
        let files = CredentialFiles { ca: dir.join("ca.pem"), cert: dir.join("cert.pem"), key: dir.join("key.pem") };
        std::fs::write(&files.ca, cert.pem()).expect("write");
        std::fs::write(&files.cert, cert.pem()).expect("write");
        std::fs::write(&files.key, stored.serialize_pem()).expect("write");
        files
    }

    fn load(san: &[&str], own_key: bool, at: &str) -> Result<Credentials, CredentialError> {
        let dir = tempfile::tempdir().expect("dir");
        Credentials::load(&write(dir.path(), san, own_key), at.parse().expect("time"))
    }

    const NOW: &str = "2026-11-23T08:00:00Z";

    #[test]
    fn the_certificate_says_who_the_station_is() {
        let station = load(&["custos://station/E/NJ/XW/01/ST07"], true, NOW).expect("credentials").station;
        assert_eq!(station.tenant.as_str(), "E");
        assert_eq!(station.unit.as_str(), "NJ/XW/01");
        assert_eq!(station.station.as_str(), "ST07");
    }

    #[test]
    fn a_certificate_of_nobody_or_of_two_is_refused() {
        for san in [&[][..], &["https://example.org/"], &["custos://station/E/ST07"], &["custos://station/e/NJ/ST07"]] {
            assert!(matches!(load(san, true, NOW), Err(CredentialError::NotAStation { .. })), "{san:?}");
        }
        let two = ["custos://station/E/NJ/ST07", "custos://station/E/NJ/ST08"];
        assert!(matches!(load(&two, true, NOW), Err(CredentialError::NotAStation { .. })));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let refused = load(&["custos://station/E/NJ/ST07"], false, NOW);
        assert!(matches!(refused, Err(CredentialError::NotAPair { .. })));
    }

    #[test]
    fn a_certificate_outside_its_dates_is_named_before_any_connection() {
        let refused = load(&["custos://station/E/NJ/ST07"], true, "4999-01-01T00:00:00Z");
        assert!(matches!(refused, Err(CredentialError::Dates { .. })), "{refused:?}");
    }
}
