//! The stack's own certificate authority: server certificates, the authority for stations below it, certificates of the stations that
//! were there before there was a register, and its revocation list.

use std::{net::IpAddr, path::PathBuf};

use anyhow::Context;
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};
use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use rand::CryptoRng;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, RevocationReason, RevokedCertParams, SanType,
    SerialNumber,
};

use crate::{
    folders::{self, Folders},
    part::Part,
    seeds::Station,
};

/// Days for which certificates of a local stack are good. Nobody renews them: a stack is wiped before it is that old.
const LIFETIME_DAYS: i64 = 3650;

/// The beginning of a day in UTC as the certificate library wants it; a macro, for the type has no name here.
macro_rules! moment {
    ($day:expr) => {
        rcgen::date_time_ymd(i32::from($day.year()), $day.month().unsigned_abs(), $day.day().unsigned_abs())
    };
}

/// The authority of one stack.
#[derive(Debug, Clone)]
pub struct Authority {
    folders: Folders,
    now: Timestamp,
}

/// Files of a certificate and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key, PKCS#8.
    pub key: PathBuf,
}

impl Authority {
    /// Makes the authority, an empty revocation list and a certificate for every API, unless they exist. Certificates are
    /// good from the day before `now`.
    pub fn ensure(folders: &Folders, now: Timestamp, rng: &mut impl CryptoRng) -> anyhow::Result<Self> {
        let authority = Self { folders: folders.clone(), now };
        if !authority.root().certificate.exists() {
            authority.make_root()?;
            authority.write_revocations(&[])?;
        }
        if !authority.station_authority().certificate.exists() {
            authority.make_station_authority(rng)?;
        }
        for part in Part::SERVICES.into_iter().filter(|part| part.has_api()) {
            if !authority.server(part).certificate.exists() {
                authority.make_server(part, rng)?;
            }
        }
        Ok(authority)
    }

    /// The authority's certificate, for everyone who has to check others.
    pub fn root(&self) -> Identity {
        self.identity("ca")
    }

    /// The authority whose key the stations service has, and nobody else: it signs certificates of stations, and no others.
    pub fn station_authority(&self) -> Identity {
        Identity {
            certificate: self.folders.certificate("station-authority.crt"),
            key: self.folders.secret(Part::Stations.name(), "station-authority.pem"),
        }
    }

    /// Which certificates are revoked, PEM.
    pub fn revocations(&self) -> PathBuf {
        self.folders.certificate("revoked.crl")
    }

    /// The certificate of a service.
    pub fn server(&self, part: Part) -> Identity {
        self.identity(part.name())
    }

    /// The certificate of a station; made when it does not exist. Its key, Ed25519, also signs declarations.
    pub fn station(&self, station: &Station, rng: &mut impl CryptoRng) -> anyhow::Result<Identity> {
        let identity = self.identity(&station_name(station));
        if !identity.certificate.exists() {
            self.issue_station(station, self.validity()?, rng)?;
        }
        Ok(identity)
    }

    /// Issues a station's certificate anew.
    pub fn issue_station(
        &self,
        station: &Station,
        validity: Validity,
        rng: &mut impl CryptoRng,
    ) -> anyhow::Result<Identity> {
        let Station { tenant, unit, id } = station;
        let uri = format!("custos://station/{tenant}/{unit}/{id}");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, id.to_string());
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        validity.apply(&mut params);
        self.issue(&station_name(station), params, &KeyPair::generate_for(&PKCS_ED25519)?, rng)
    }

    /// Puts a station's present certificate on the revocation list. Services look at the list again by themselves.
    pub fn revoke(&self, station: &Station) -> anyhow::Result<()> {
        let serial = folders::read(&self.folders.certificate(&format!("{}.serial", station_name(station))))?;
        let mut revoked = self.revoked()?;
        if !revoked.contains(&serial) {
            revoked.push(serial);
        }
        self.write_revocations(&revoked)
    }

    fn make_root(&self) -> anyhow::Result<()> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Custos local authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        self.validity()?.apply(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let Identity { certificate: path, key: key_path } = self.root();
        folders::write(&key_path, key.serialize_pem())?;
        folders::write(&path, certificate.pem())
    }

    fn make_station_authority(&self, rng: &mut impl CryptoRng) -> anyhow::Result<()> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Custos local authority for stations");
        // Below it there are stations and no further authorities; and no servers, whatever it signs (RFC 5280, 4.2.1.12 as
        // verifiers read it).
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from_slice(&serial(rng)));
        params.use_authority_key_identifier_extension = true;
        self.validity()?.apply(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer()?)?;
        let Identity { certificate: path, key: key_path } = self.station_authority();
        folders::write(&key_path, key.serialize_pem())?;
        folders::write(&path, certificate.pem())
    }

    fn make_server(&self, part: Part, rng: &mut impl CryptoRng) -> anyhow::Result<()> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("custos-{part}"));
        params.subject_alt_names =
            vec![SanType::DnsName("localhost".try_into()?), SanType::IpAddress(IpAddr::from([127, 0, 0, 1]))];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.validity()?.apply(&mut params);
        self.issue(part.name(), params, &KeyPair::generate()?, rng).map(drop)
    }

    fn issue(
        &self,
        name: &str,
        mut params: CertificateParams,
        key: &KeyPair,
        rng: &mut impl CryptoRng,
    ) -> anyhow::Result<Identity> {
        let serial = serial(rng);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer()?)?;
        let identity = self.identity(name);
        folders::write(&identity.key, private_key(key)?)?;
        folders::write(&self.folders.certificate(&format!("{name}.serial")), hex::encode(serial))?;
        folders::write(&identity.certificate, certificate.pem())?;
        Ok(identity)
    }

    fn issuer(&self) -> anyhow::Result<Issuer<'static, KeyPair>> {
        let Identity { certificate, key } = self.root();
        let key = KeyPair::from_pem(&folders::read(&key)?)?;
        Issuer::from_ca_cert_pem(&folders::read(&certificate)?, key).context("reading the authority's certificate")
    }

    fn write_revocations(&self, serials: &[String]) -> anyhow::Result<()> {
        let Validity { from, until } = self.validity()?;
        let revoked = |serial: &String| -> anyhow::Result<RevokedCertParams> {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&hex::decode(serial)?),
                revocation_time: moment!(from),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            })
        };
        let list = CertificateRevocationListParams {
            this_update: moment!(from),
            next_update: moment!(until),
            crl_number: SerialNumber::from(serials.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect::<Result<_, _>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        folders::write(&self.folders.certificate("revoked.json"), serde_json::to_vec(serials)?)?;
        folders::write(&self.revocations(), list.signed_by(&self.issuer()?)?.pem()?)
    }

    fn revoked(&self) -> anyhow::Result<Vec<String>> {
        Ok(serde_json::from_str(&folders::read(&self.folders.certificate("revoked.json"))?)?)
    }

    fn validity(&self) -> anyhow::Result<Validity> {
        let today = TimeZone::UTC.to_datetime(self.now).date();
        Ok(Validity { from: today.yesterday()?, until: today.checked_add(Span::new().days(LIFETIME_DAYS))? })
    }

    fn identity(&self, name: &str) -> Identity {
        let file = |ending| self.folders.certificate(&format!("{name}.{ending}"));
        Identity { certificate: file("crt"), key: file("key") }
    }
}

/// A serial number is positive (RFC 5280, 4.1.2.2) and keeps its length without leading zeros.
fn serial(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut serial = [0; 16];
    rng.fill_bytes(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

fn station_name(station: &Station) -> String {
    format!("station-{}", station.id)
}

/// The key as PKCS#8 version 1. An Ed25519 key comes as version 2, with the public key inside, which OpenSSL 3.0 and so Debian 12's
/// curl cannot read.
fn private_key(key: &KeyPair) -> anyhow::Result<String> {
    if key.algorithm() != &PKCS_ED25519 {
        return Ok(key.serialize_pem());
    }
    let secret = SigningKey::from_pkcs8_der(&key.serialize_der()).context("reading an Ed25519 key")?;
    let bytes = KeypairBytes { secret_key: secret.to_bytes(), public_key: None };
    Ok(bytes.to_pkcs8_pem(LineEnding::LF).context("writing an Ed25519 key")?.to_string())
}

/// The days from whose beginning to whose beginning (UTC) something is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first day.
    pub from: Date,
    /// The first day on which it is no longer good.
    pub until: Date,
}

impl Validity {
    fn apply(self, params: &mut CertificateParams) {
        params.not_before = moment!(self.from);
        params.not_after = moment!(self.until);
    }
}

#[cfg(test)]
mod tests;
