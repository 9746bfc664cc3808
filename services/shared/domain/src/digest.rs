//! Digests: BLAKE3 is the item's identity, CRC64NVME is what the store checks, SHA-256 and SM3 are for courts and 密評.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} digest: expected {digits} lower-case hexadecimal digits")]
pub struct DigestError {
    kind: &'static str,
    text: String,
    digits: usize,
}

macro_rules! digest32 {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Reads 64 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Result<Self, DigestError> {
                let wrong = || DigestError {
                    kind: $kind,
                    text: text.escape_debug().take(80).collect(),
                    digits: 64,
                };
                if text.chars().any(|c| c.is_ascii_uppercase()) {
                    return Err(wrong());
                }
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| wrong())?;
                Ok(Self(bytes))
            }

            /// 64 lower-case hexadecimal digits.
            #[must_use]
            pub fn to_hex(&self) -> String {
                hex::encode(self.0)
            }

            /// The first twelve digits, for a person comparing by eye.
            #[must_use]
            pub fn short(&self) -> String {
                hex::encode(&self.0[..6])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($kind, ":{}"), self.to_hex())
            }
        }

        impl TryFrom<String> for $name {
            type Error = DigestError;
            fn try_from(text: String) -> Result<Self, DigestError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_hex()
            }
        }
    };
}

digest32!(
    /// The BLAKE3 root of an item's bytes: the item's identity everywhere in Custos.
    Root, "BLAKE3"
);
digest32!(
    /// SHA-256 (FIPS 180-4), the digest a court expert's tools know.
    Sha256, "SHA-256"
);
digest32!(
    /// SM3 (GB/T 32905), the digest a 密評 assessor asks for.
    Sm3, "SM3"
);

impl Root {
    /// The root of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// CRC64NVME, the full-object checksum S3 verifies and returns (AWS "full object" checksum type).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crc64(pub u64);

impl Crc64 {
    /// The checksum of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes))
    }

    /// The checksum of these bytes followed by `next`, which are `next_len` bytes long.
    #[must_use]
    pub fn then(self, next: Self, next_len: u64) -> Self {
        Self(crc_fast::checksum_combine(crc_fast::CrcAlgorithm::Crc64Nvme, self.0, next.0, next_len))
    }

    /// As S3 headers carry it: base64 of the big-endian bytes.
    #[must_use]
    pub fn to_base64(self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(self.0.to_be_bytes())
    }

    /// Reads what S3 headers carry.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        Some(Self(u64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CRC64NVME:{self}")
    }
}

impl TryFrom<String> for Crc64 {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        match u64::from_str_radix(&text, 16) {
            Ok(value) if text.len() == 16 => Ok(Self(value)),
            _ => Err(DigestError { kind: "CRC64NVME", text: text.escape_debug().take(80).collect(), digits: 16 }),
        }
    }
}

impl From<Crc64> for String {
    fn from(crc: Crc64) -> String {
        crc.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The check value of CRC-64/NVME in the CRC catalogue.
    #[test]
    fn crc64_is_the_nvme_variant() {
        assert_eq!(Crc64::of(b"123456789"), Crc64(0xae8b_1486_0a79_9888));
    }

    proptest! {
        #[test]
        fn crc_of_parts_combines(a in proptest::collection::vec(any::<u8>(), 0..300), b in proptest::collection::vec(any::<u8>(), 0..300)) {
            let whole: Vec<u8> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(Crc64::of(&a).then(Crc64::of(&b), b.len() as u64), Crc64::of(&whole));
        }

        #[test]
        fn hex_round_trips(bytes: [u8; 32]) {
            prop_assert_eq!(Root::parse(&Root(bytes).to_hex()), Ok(Root(bytes)));
        }
    }
}
