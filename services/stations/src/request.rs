//! Certificate signing requests (PKCS #10, RFC 2986): proof that the one who asks holds the key, and nothing else.
//!
//! Subject and extensions of a request are ignored: what a certificate says is decided here.

use custos_domain::dsse::KeyId;
use rcgen::{CertificateSigningRequestParams, PKCS_ED25519, PublicKey, PublicKeyData as _};

/// Longest request taken, in bytes of PEM: a dock's has some 400.
const LONGEST: usize = 16 * 1024;

/// A request whose signature fits its key.
#[derive(Debug)]
pub struct Request {
    pub(crate) key: PublicKey,
    /// The same key as an identifier.
    pub id: KeyId,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// More than any honest request.
    #[error("the request has more than {LONGEST} bytes")]
    TooLong,
    /// Not a request, or its signature does not fit.
    #[error("this is no certificate signing request in PEM whose signature fits its key: {0}")]
    Unreadable(String),
    /// Another kind of key.
    #[error("the key must be Ed25519: the station signs its declarations with it; make one with custos-dock enrol")]
    Key,
}

impl Request {
    /// Reads a request in PEM and checks its signature.
    pub fn parse(pem: &str) -> Result<Self, BadRequest> {
        if pem.len() > LONGEST {
            return Err(BadRequest::TooLong);
        }
        let unreadable = |error: rcgen::Error| BadRequest::Unreadable(error.to_string());
        let read = match CertificateSigningRequestParams::from_pem(pem) {
            Err(rcgen::Error::UnsupportedSignatureAlgorithm) => return Err(BadRequest::Key),
            read => read.map_err(unreadable)?,
        };
        if read.public_key.algorithm() != &PKCS_ED25519 {
            return Err(BadRequest::Key);
        }
        let raw = read.public_key.der_bytes().try_into().map_err(|_| BadRequest::Key)?;
        Ok(Self { key: read.public_key, id: KeyId(raw) })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};

    use super::*;

    fn request(algorithm: &'static SignatureAlgorithm) -> (KeyPair, String) {
        let key = KeyPair::generate_for(algorithm).expect("key");
        let pem = CertificateParams::default().serialize_request(&key).expect("request").pem().expect("PEM");
        (key, pem)
    }

    #[test]
    fn only_ed25519_keys_are_taken() {
        let (key, pem) = request(&PKCS_ED25519);
        assert_eq!(Request::parse(&pem).expect("request").id.0.as_slice(), key.public_key_raw());
        for other in [&PKCS_ECDSA_P256_SHA256, &PKCS_RSA_SHA256] {
            assert_eq!(Request::parse(&request(other).1).expect_err("refused"), BadRequest::Key);
        }
    }

    #[test]
    fn a_request_without_possession_of_its_key_is_refused() {
        let (_, pem) = request(&PKCS_ED25519);
        let mut der = x509_parser::pem::parse_x509_pem(pem.as_bytes()).expect("PEM").1.contents;
        let last = der.len() - 1;
        der[last] ^= 1;
        let request = rcgen::CertificateSigningRequestParams::from_der(&der.into());
        assert!(request.is_err());
        for no_request in ["", "-----BEGIN CERTIFICATE REQUEST-----\n\n-----END CERTIFICATE REQUEST-----", "安"] {
            assert!(matches!(Request::parse(no_request), Err(BadRequest::Unreadable(_))), "{no_request}");
        }
        assert_eq!(Request::parse(&" ".repeat(LONGEST + 1)).expect_err("long"), BadRequest::TooLong);
    }
}
