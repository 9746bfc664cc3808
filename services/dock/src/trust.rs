//! Whose signatures this dock believes: the trust file.

use std::path::{Path, PathBuf};

use custos_domain::dsse::KeyId;
use serde::Deserialize;

/// Keys by what they may sign.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Ingest's keys: receipts and erase permits.
    pub receipt: Vec<KeyId>,
    /// The hashing service's keys: seals.
    pub seal: Vec<KeyId>,
    /// Keys of the register of stations. One trust file serves docks and ingest; a dock has no use for these.
    #[serde(default)]
    pub stations: Vec<KeyId>,
}

/// Why there is nobody to believe.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot read the trust file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a trust file.
    #[error(r#"the trust file {path} is not of the form {{"receipt":["<64 hex digits>"],"seal":["<64 hex digits>"]}}"#)]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A list of keys is empty.
    #[error("the trust file {path} names no {purpose} key: without one nothing could ever be verified")]
    Empty {
        /// The file.
        path: PathBuf,
        /// `receipt` or `seal`.
        purpose: &'static str,
    },
    /// One key for both: then one service could say that it checked itself.
    #[error(
        "the trust file {path} names key {key} for receipts and for seals: the re-read must be signed by another service"
    )]
    Shared {
        /// The file.
        path: PathBuf,
        /// The key named twice.
        key: KeyId,
    },
}

impl Trust {
    /// Reads the trust file.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let bytes = std::fs::read(path).map_err(|source| TrustError::Read { path: path.to_owned(), source })?;
        let trust: Self =
            serde_json::from_slice(&bytes).map_err(|source| TrustError::Format { path: path.to_owned(), source })?;
        for (purpose, keys) in [("receipt", &trust.receipt), ("seal", &trust.seal)] {
            if keys.is_empty() {
                return Err(TrustError::Empty { path: path.to_owned(), purpose });
            }
        }
        match trust.receipt.iter().find(|key| trust.seal.contains(key)) {
            Some(key) => Err(TrustError::Shared { path: path.to_owned(), key: *key }),
            None => Ok(trust),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Trust, TrustError> {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), text).expect("write");
        Trust::load(file.path())
    }

    #[test]
    fn a_trust_file_names_keys_for_both_purposes() {
        let (a, b) = ("11".repeat(32), "22".repeat(32));
        let trust = load(&format!(r#"{{"receipt":["{a}"],"seal":["{b}"]}}"#)).expect("trust");
        assert_eq!((trust.receipt, trust.seal), (vec![KeyId([0x11; 32])], vec![KeyId([0x22; 32])]));
        assert!(matches!(
            load(&format!(r#"{{"receipt":["{a}"],"seal":[]}}"#)),
            Err(TrustError::Empty { purpose: "seal", .. })
        ));
        assert!(load(&format!(r#"{{"receipt":["{a}"],"seal":["{b}"],"stations":["{a}"]}}"#)).is_ok());
        assert!(matches!(load(&format!(r#"{{"receipt":["{a}"],"seal":["{a}"]}}"#)), Err(TrustError::Shared { .. })));
        for text in ["", "{}", r#"{"receipt":["xy"],"seal":[]}"#, r#"{"receipt":[],"seal":[],"other":[]}"#] {
            assert!(matches!(load(text), Err(TrustError::Format { .. })), "{text}");
        }
    }
}
