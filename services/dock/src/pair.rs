//! The key and certificate this dock looks after itself, in one file of its state folder: `station.pem`. One file, so that they are
//! replaced together or not at all; whoever reads it in between finds the old pair or the new one.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use x509_parser::{parse_x509_certificate, pem::parse_x509_pem};

use crate::identity::{self, Station};

/// The pair's file.
const PAIR: &str = "station.pem";
/// A key whose certificate has been asked for and has not come yet.
const NEXT_KEY: &str = "station.key.next";
/// Locked by whoever asks for a certificate.
const LOCK: &str = "station.lock";

/// What a dock keeps of its identity in its state folder.
#[derive(Debug, Clone)]
pub struct Pair {
    folder: PathBuf,
}

/// A certificate and its key, as read.
#[derive(Clone)]
pub struct Held {
    /// Whom it names.
    pub station: Station,
    /// From when it is good.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Key and certificates, PEM.
    pub(crate) pem: String,
}

/// Why the pair cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The file system.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not what it should be.
    #[error("{path} cannot be used: {detail}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A certificate that is not for our key.
    #[error("the certificate that came is not for this station's key; nothing was kept of it")]
    NotOurs,
    /// A certificate for somebody else.
    #[error("the certificate that came names another station, {0}; nothing was kept of it")]
    Another(String),
}

impl Pair {
    /// The pair in this state folder.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { folder: state.to_owned() }
    }

    /// Its file, for `--cert` and `--key` alike.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(PAIR)
    }

    /// The pair, when there is one.
    pub fn read(&self) -> Result<Option<Held>, PairError> {
        let path = self.path();
        let Some(pem) = read(&path)? else { return Ok(None) };
        let (held, _) = inspect(&pem).map_err(|detail| PairError::Format { path, detail })?;
        Ok(Some(held))
    }

    /// The key for the next certificate: the one that was asked with before and got no answer, or a new one. It is on disk before
    /// anybody is asked, so that asking again is asking for the same certificate. Only its owner may read it; it is never sent.
    pub fn next_key(&self, rng: &mut impl CryptoRng) -> Result<SigningKey, PairError> {
        let path = self.folder.join(NEXT_KEY);
        if let Some(pem) = read(&path)?
            && let Ok(key) = SigningKey::from_pkcs8_pem(&pem)
        {
            return Ok(key);
        }
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        let key = SigningKey::from_bytes(&secret);
        self.write(NEXT_KEY, &pkcs8(&key).map_err(|detail| PairError::Format { path, detail })?)?;
        Ok(key)
    }

    /// Forgets the key of [`Self::next_key`].
    pub fn forget_next_key(&self) -> Result<(), PairError> {
        let path = self.folder.join(NEXT_KEY);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(PairError::File { path, source }),
            _ => Ok(()),
        }
    }

    /// Keeps others from asking for a certificate with the same state folder, until the answer is dropped; none where somebody does
    /// just now.
    pub fn take(&self) -> Result<Option<File>, PairError> {
        let path = self.folder.join(LOCK);
        let taken = || -> io::Result<Option<File>> {
            fs::create_dir_all(&self.folder)?;
            let file = File::options().create(true).write(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => Ok(Some(file)),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        };
        taken().map_err(|source| PairError::File { path: path.clone(), source })
    }

    /// Takes a certificate chain over that came for `key`; for `station`, where it must be a certain one. [`Self::forget_next_key`]
    /// when nothing else is to be noted: until then asking again is asking with the same key.
    pub fn replace(&self, key: &SigningKey, chain: &str, station: Option<&Station>) -> Result<Held, PairError> {
        let format = |detail: String| PairError::Format { path: "the certificate that came".into(), detail };
        let pem = format!("{}{}", pkcs8(key).map_err(format)?, chain);
        let (held, public) = inspect(&pem).map_err(format)?;
        if public != key.verifying_key().to_bytes() {
            return Err(PairError::NotOurs);
        }
        if let Some(expected) = station
            && (&held.station.tenant, &held.station.station) != (&expected.tenant, &expected.station)
        {
            return Err(PairError::Another(held.station.to_string()));
        }
        self.write(PAIR, &held.pem)?;
        Ok(held)
    }

    /// A note beside the pair, such as where to renew it.
    pub fn note(&self, name: &str) -> Result<Option<String>, PairError> {
        Ok(read(&self.folder.join(name))?.map(|text| text.trim().to_owned()))
    }

    /// Writes a file only its owner may read, whole or not at all, and on disk when this returns.
    pub fn write(&self, name: &str, content: &str) -> Result<(), PairError> {
        let path = self.folder.join(name);
        let written = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            // Readable by its owner only, from the beginning.
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(content.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            // The name, too, must be there after a power cut.
            if cfg!(unix) { File::open(&self.folder)?.sync_all() } else { Ok(()) }
        };
        written().map_err(|source| PairError::File { path, source })
    }
}

impl Held {
    /// When it is to be renewed: a third of its time is left.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        let third: SignedDuration = self.until.duration_since(self.from) / 3;
        self.until.saturating_sub(third).unwrap_or(self.until)
    }
}

/// Key and certificates, and the public key of the first one.
fn inspect(pem: &str) -> Result<(Held, Vec<u8>), String> {
    let begin = pem.find("-----BEGIN CERTIFICATE-----").ok_or("it holds no certificate")?;
    let (_, block) = parse_x509_pem(&pem.as_bytes()[begin..]).map_err(|e| e.to_string())?;
    let (_, cert) = parse_x509_certificate(&block.contents).map_err(|e| e.to_string())?;
    let moment = |second: i64| Timestamp::from_second(second).map_err(|e| e.to_string());
    let held = Held {
        station: identity::named_in(&cert)?,
        from: moment(cert.validity().not_before.timestamp())?,
        until: moment(cert.validity().not_after.timestamp())?,
        pem: pem.to_owned(),
    };
    Ok((held, cert.public_key().subject_public_key.data.to_vec()))
}

/// The key as PKCS#8 version 1: version 2, with the public key inside, is what OpenSSL 3.0 cannot read.
fn pkcs8(key: &SigningKey) -> Result<String, String> {
    let bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    bytes.to_pkcs8_pem(LineEnding::LF).map(|pem| pem.to_string()).map_err(|e| e.to_string())
}

/// A certificate signing request for the key, PEM. It names nobody: the register knows whose code or certificate it is.
pub(crate) fn request(key: &SigningKey) -> Result<String, String> {
    let pair = rcgen::KeyPair::from_pem(&pkcs8(key)?).map_err(|e| e.to_string())?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serialize_request(&pair).and_then(|request| request.pem()).map_err(|e| e.to_string())
}

fn read(path: &Path) -> Result<Option<String>, PairError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PairError::File { path: path.to_owned(), source }),
    }
}

impl std::fmt::Debug for Held {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("station", &self.station).field("until", &self.until).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
