//! Signed documents: DSSE envelopes (Dead Simple Signing Envelope v1) over JSON, signed with Ed25519 (RFC 8032).
//!
//! The signature covers the exact payload bytes, so a verifier never has to re-serialise anything.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A document that is signed: names its payload type.
pub trait Document: Serialize + DeserializeOwned {
    /// The DSSE payload type, such as `application/vnd.custos.receipt+json`.
    const TYPE: &'static str;
}

/// A signed document as it is sent and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: KeyId,
    sig: String,
}

/// An Ed25519 public key by its 64 hexadecimal digits: names the key, proves nothing about who holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(pub [u8; 32]);

/// Why a signed document is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Another kind of document.
    #[error("expected a document of type {expected}, this one is {found}")]
    Type {
        /// The type that was asked for.
        expected: &'static str,
        /// The type of the envelope.
        found: String,
    },
    /// None of the signatures is by a key that is trusted here.
    #[error("no signature by a trusted key; signed by {0}")]
    Stranger(String),
    /// The signature does not fit the payload.
    #[error("the signature by {0} does not fit the document: it was altered, or signed with another key")]
    Forged(KeyId),
    /// The payload is not what its type says.
    #[error("the signed document cannot be read: {0}")]
    Unreadable(String),
}

impl Envelope {
    /// Signs `document` with `key`. Ed25519 is deterministic: the same document and key give the same envelope.
    pub fn seal<D: Document>(document: &D, key: &SigningKey) -> Result<Self, SignatureError> {
        let payload = serde_json::to_vec(document).map_err(|e| unreadable(&e))?;
        let signature = key.sign(&pre_authentication(D::TYPE, &payload));
        Ok(Self {
            payload_type: D::TYPE.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![EnvelopeSignature {
                keyid: KeyId(key.verifying_key().to_bytes()),
                sig: STANDARD.encode(signature.to_bytes()),
            }],
        })
    }

    /// The document, when one of `trusted` signed exactly these bytes.
    pub fn open<D: Document>(&self, trusted: &[KeyId]) -> Result<D, SignatureError> {
        if self.payload_type != D::TYPE {
            return Err(SignatureError::Type {
                expected: D::TYPE,
                found: self.payload_type.escape_debug().take(80).collect(),
            });
        }
        let payload = self.payload()?;
        let signature = self.signatures.iter().find(|s| trusted.contains(&s.keyid)).ok_or_else(|| self.stranger())?;
        if !signature.fits(&pre_authentication(D::TYPE, &payload)) {
            return Err(SignatureError::Forged(signature.keyid));
        }
        serde_json::from_slice(&payload).map_err(|e| unreadable(&e))
    }

    /// The document without looking at any signature: only for what was verified before it was stored.
    pub fn peek<D: Document>(&self) -> Result<D, SignatureError> {
        serde_json::from_slice(&self.payload()?).map_err(|e| unreadable(&e))
    }

    /// Who signed, by their own word.
    pub fn signers(&self) -> impl Iterator<Item = KeyId> {
        self.signatures.iter().map(|s| s.keyid)
    }

    fn payload(&self) -> Result<Vec<u8>, SignatureError> {
        STANDARD.decode(&self.payload).map_err(|e| unreadable(&e))
    }

    fn stranger(&self) -> SignatureError {
        let names: Vec<String> = self.signatures.iter().take(4).map(|s| s.keyid.to_string()).collect();
        SignatureError::Stranger(if names.is_empty() { "nobody".to_owned() } else { names.join(", ") })
    }
}

impl EnvelopeSignature {
    fn fits(&self, message: &[u8]) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.keyid.0) else { return false };
        let Some(signature) = STANDARD.decode(&self.sig).ok().and_then(|sig| Signature::from_slice(&sig).ok()) else {
            return false;
        };
        // Strict: refuses small-order keys and non-canonical encodings, with which one signature fits several documents.
        key.verify_strict(message, &signature).is_ok()
    }
}

/// DSSE's pre-authentication encoding: `DSSEv1 <type length> <type> <payload length> <payload>`.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

fn unreadable(error: &impl ToString) -> SignatureError {
    SignatureError::Unreadable(error.to_string())
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| "expected 64 hexadecimal digits of an Ed25519 public key".to_owned())?;
        Ok(Self(bytes))
    }
}

impl From<KeyId> for String {
    fn from(key: KeyId) -> String {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }
    impl Document for Note {
        const TYPE: &'static str = "application/vnd.custos.note+json";
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Other {
        text: String,
    }
    impl Document for Other {
        const TYPE: &'static str = "application/vnd.custos.other+json";
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn id(key: &SigningKey) -> KeyId {
        KeyId(key.verifying_key().to_bytes())
    }

    #[test]
    fn opens_only_unaltered_by_a_trusted_key_and_of_its_type() {
        let note = Note { text: "原件".into() };
        let envelope = Envelope::seal(&note, &key(1)).expect("seal");
        assert_eq!(envelope.open::<Note>(&[id(&key(1))]), Ok(note));
        assert!(matches!(envelope.open::<Note>(&[id(&key(2))]), Err(SignatureError::Stranger(_))));
        assert!(matches!(envelope.open::<Other>(&[id(&key(1))]), Err(SignatureError::Type { .. })));

        let altered = Envelope { payload: STANDARD.encode(br#"{"text":"x"}"#), ..envelope.clone() };
        assert!(matches!(altered.open::<Note>(&[id(&key(1))]), Err(SignatureError::Forged(_))));
        let retyped = Envelope { payload_type: Other::TYPE.to_owned(), ..envelope };
        assert!(matches!(retyped.open::<Other>(&[id(&key(1))]), Err(SignatureError::Forged(_))));
    }

    #[test]
    fn the_pre_authentication_encoding_is_the_one_of_the_specification() {
        assert_eq!(
            pre_authentication("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
