//! The authority for stations' certificates: an intermediate below the agency's root, whose key is a file only this service has.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use custos_domain::dsse::KeyId;
use custos_platform::{
    config::{ConfigError, read_secret},
    http::identity::StationIdentity,
};
use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};
use rand::CryptoRng;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType, SerialNumber,
};
use x509_parser::{
    pem::{Pem, parse_x509_pem},
    prelude::{CertificateRevocationList, FromDer as _, X509Certificate},
};

use crate::request::Request;

/// A certificate is good from this long before it was issued, but at most a tenth of its lifetime: docks' clocks differ.
const EARLIER: SignedDuration = SignedDuration::from_mins(5);
/// How long a revocation list says it is good. It is replaced much sooner; one this old means that nobody looks after it.
const LIST_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A moment as the certificate library wants it: the beginning of its day in UTC, and the time since. A macro, for the type has no
/// name here.
macro_rules! moment {
    ($at:expr) => {{
        let at = TimeZone::UTC.to_datetime($at);
        let since = at.time().duration_since(Time::midnight()).unsigned_abs();
        rcgen::date_time_ymd(i32::from(at.year()), at.month().unsigned_abs(), at.day().unsigned_abs()) + since
    }};
}

/// Where the authority's certificate and key are.
#[derive(Debug, Clone, clap::Args)]
pub struct AuthorityArgs {
    /// The station authority's certificate, PEM, its own first, then those above it except the root; sent along with every
    /// certificate issued
    #[arg(long, env = "CUSTOS_STATION_CA_CERT", value_name = "FILE")]
    pub station_ca_cert: PathBuf,
    /// Its private key, PKCS#8 PEM; no other service may read it
    #[arg(long, env = "CUSTOS_STATION_CA_KEY_FILE", value_name = "FILE")]
    pub station_ca_key_file: PathBuf,
}

/// Signs certificates and revocation lists.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate and those above it, PEM.
    chain: String,
    until: Timestamp,
}

/// A certificate as issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Serial number, lower-case hexadecimal: 128 bits, of which 126 are random.
    pub serial: String,
    /// The station's key.
    pub key: KeyId,
    /// From when it is good.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// PEM.
    pub pem: String,
}

/// A revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revoked {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// When it was revoked, in whole seconds.
    pub at: Timestamp,
}

/// Why something was not signed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The station authority's own certificate ends.
    #[error("the station authority's certificate ends on {0}; give the service a new one")]
    Ended(Timestamp),
    /// The signing library.
    #[error("signing: {0}")]
    Sign(#[from] rcgen::Error),
    /// A moment no certificate can hold.
    #[error("a date outside the calendar: {0}")]
    Date(#[from] jiff::Error),
    /// A stored serial number or name that is none.
    #[error("stored data cannot be signed: {0}")]
    Data(String),
}

impl Authority {
    /// Reads certificate and key and checks that they belong together and may sign.
    pub fn load(args: &AuthorityArgs) -> Result<Self, ConfigError> {
        let wrong = |problem: String| ConfigError::new("--station-ca-cert", problem);
        let chain = std::fs::read_to_string(&args.station_ca_cert)
            .map_err(|e| ConfigError::unreadable("--station-ca-cert", &args.station_ca_cert, &e))?;
        private(&args.station_ca_key_file)?;
        let key = read_secret("--station-ca-key-file", &args.station_ca_key_file)?;
        let key = KeyPair::from_pem(key.expose())
            .map_err(|e| ConfigError::new("--station-ca-key-file", format!("no private key in PKCS#8 PEM: {e}")))?;
        let (_, own) = parse_x509_pem(chain.as_bytes()).map_err(|e| wrong(format!("no certificate in PEM: {e}")))?;
        let (_, certificate) = X509Certificate::from_der(&own.contents).map_err(|e| wrong(e.to_string()))?;
        if !certificate.is_ca() {
            return Err(wrong("this certificate is no authority's (basicConstraints)".to_owned()));
        }
        if certificate.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(wrong("this certificate does not belong to the key in --station-ca-key-file".to_owned()));
        }
        let until = Timestamp::from_second(certificate.validity().not_after.timestamp());
        let until = until.map_err(|e| wrong(e.to_string()))?;
        let issuer =
            Issuer::from_ca_cert_der(&own.contents.as_slice().into(), key).map_err(|e| wrong(e.to_string()))?;
        for usage in [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign] {
            if !issuer.key_usages().is_empty() && !issuer.key_usages().contains(&usage) {
                return Err(wrong(format!("this certificate's key usage lacks {usage:?}")));
            }
        }
        Ok(Self { issuer, chain, until })
    }

    /// When the authority's own certificate ends, and with it all it signed.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Issues a certificate for `station` and the key of `request`, good until `lifetime` after `now`, and not from before
    /// `earliest`.
    pub fn issue(
        &self,
        station: &StationIdentity,
        request: &Request,
        now: Timestamp,
        earliest: Option<Timestamp>,
        lifetime: SignedDuration,
        rng: &mut impl CryptoRng,
    ) -> Result<Issued, AuthorityError> {
        let (from, until) =
            (whole(now.checked_sub(EARLIER.min(lifetime / 10))?)?, whole(now.checked_add(lifetime)?)?.min(self.until));
        let from = earliest.map_or(from, |earliest| from.max(earliest));
        if until <= now {
            return Err(AuthorityError::Ended(self.until));
        }
        let mut serial = [0; 16];
        rng.fill_bytes(&mut serial);
        // A serial number is positive (RFC 5280, 4.1.2.2) and keeps its length without leading zeros.
        serial[0] = serial[0] & 0x7f | 0x40;
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, station.station.as_str());
        let uri = station.uri().as_str().try_into()?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = moment!(from);
        params.not_after = moment!(until);
        let pem = params.signed_by(&request.key, &self.issuer)?.pem();
        Ok(Issued { serial: hex::encode(serial), key: request.id, from, until, pem })
    }

    /// A certificate with those above it, as TLS wants them; the root is not among them.
    pub fn with_chain(&self, pem: &str) -> String {
        format!("{}\n{}", pem.trim_end(), self.chain)
    }

    /// The list of revoked certificates, PEM. `number` grows with every list.
    pub fn revocations(&self, revoked: &[Revoked], number: u64, now: Timestamp) -> Result<String, AuthorityError> {
        let entry = |revoked: &Revoked| -> Result<RevokedCertParams, AuthorityError> {
            let serial = hex::decode(&revoked.serial).map_err(|e| AuthorityError::Data(e.to_string()))?;
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: moment!(revoked.at),
                reason_code: Some(RevocationReason::PrivilegeWithdrawn),
                invalidity_date: None,
            })
        };
        let now = whole(now)?;
        let list = CertificateRevocationListParams {
            this_update: moment!(now),
            next_update: moment!(now.checked_add(LIST_LIFETIME)?),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect::<Result<_, _>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

/// Refuses a key file that everybody on the machine may read: whoever has it can pose as any station.
fn private(key: &Path) -> Result<(), ConfigError> {
    let mode = std::fs::metadata(key)
        .map_err(|e| ConfigError::unreadable("--station-ca-key-file", key, &e))?
        .permissions()
        .mode();
    if mode & 0o004 == 0 {
        return Ok(());
    }
    let problem =
        format!("everybody may read {} (mode {:03o}); chmod o= it, and mount secrets so", key.display(), mode & 0o777);
    Err(ConfigError::new("--station-ca-key-file", problem))
}

/// What a revocation list says is revoked; nothing where it cannot be read.
pub fn revoked_in(list: &str) -> Vec<Revoked> {
    let pems = Pem::iter_from_buffer(list.as_bytes()).filter_map(Result::ok);
    let of_list = |pem: Pem| -> Vec<Revoked> {
        let Ok((_, list)) = CertificateRevocationList::from_der(&pem.contents) else { return Vec::new() };
        let entries = list.iter_revoked_certificates();
        let revoked = entries.filter_map(|entry| {
            let at = Timestamp::from_second(entry.revocation_date.timestamp()).ok()?;
            Some(Revoked { serial: hex::encode(entry.raw_serial()), at })
        });
        revoked.collect()
    };
    pems.flat_map(of_list).collect()
}

/// Certificates have no fractions of a second.
fn whole(at: Timestamp) -> Result<Timestamp, jiff::Error> {
    Timestamp::from_second(at.as_second())
}

#[cfg(test)]
mod tests;
