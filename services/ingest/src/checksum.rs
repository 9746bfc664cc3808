//! The tus extension `checksum`: a digest over the body of one PATCH.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use sha2::Digest;

use crate::{error::IngestError, headers::UPLOAD_CHECKSUM};

/// Algorithms served, as `Tus-Checksum-Algorithm` lists them. The specification obliges `sha1`.
pub(crate) const ALGORITHMS: &str = "sha1,sha256,blake3";

/// The digest announced for a body, and the one of the bytes so far.
#[derive(Debug)]
pub struct Checksum {
    expected: Vec<u8>,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Blake3(Box<blake3::Hasher>),
}

impl Checksum {
    /// Reads `Upload-Checksum: <algorithm> <base64>`; none when the header is not there.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, IngestError> {
        let Some(header) = headers.get(&UPLOAD_CHECKSUM) else { return Ok(None) };
        let wrong = |why: String| IngestError::Header(format!("Upload-Checksum: {why}; send `<algorithm> <base64>`"));
        let text = header.to_str().map_err(|_| wrong("is not ASCII".to_owned()))?;
        let (algorithm, digest) = text.trim().split_once(' ').ok_or_else(|| wrong("has no digest".to_owned()))?;
        let (running, size) = match algorithm {
            "sha1" => (Running::Sha1(sha1::Sha1::new()), 20),
            "sha256" => (Running::Sha256(sha2::Sha256::new()), 32),
            "blake3" => (Running::Blake3(Box::default()), 32),
            other => {
                let other = other.escape_debug().take(40).collect::<String>();
                return Err(wrong(format!("`{other}` is none of {ALGORITHMS}")));
            }
        };
        let expected = STANDARD.decode(digest.trim()).map_err(|e| wrong(format!("the digest is not base64: {e}")))?;
        if expected.len() != size {
            return Err(wrong(format!("{algorithm} has {size} bytes, this digest has {}", expected.len())));
        }
        Ok(Some(Self { expected, running }))
    }

    /// Takes the body's next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.running {
            Running::Sha1(hasher) => hasher.update(bytes),
            Running::Sha256(hasher) => hasher.update(bytes),
            Running::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// Whether the bytes taken so far are the ones that were announced.
    #[must_use]
    pub fn holds(&self) -> bool {
        let found: Vec<u8> = match &self.running {
            Running::Sha1(hasher) => hasher.clone().finalize().to_vec(),
            Running::Sha256(hasher) => hasher.clone().finalize().to_vec(),
            Running::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        };
        found == self.expected
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(text: &str) -> Result<Option<Checksum>, IngestError> {
        Checksum::of(&HeaderMap::from_iter([(UPLOAD_CHECKSUM, HeaderValue::from_str(text).expect("header"))]))
    }

    /// The example of the specification: SHA-1 of `hello world`.
    #[test]
    fn the_specifications_example_holds() {
        let mut checksum = read("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").expect("header").expect("checksum");
        assert!(!checksum.holds());
        checksum.update(b"hello ");
        checksum.update(b"world");
        assert!(checksum.holds());
    }

    #[test]
    fn each_algorithm_tells_right_from_wrong() {
        let digests = [
            ("sha1", sha1::Sha1::digest(b"x").to_vec()),
            ("sha256", sha2::Sha256::digest(b"x").to_vec()),
            ("blake3", blake3::hash(b"x").as_bytes().to_vec()),
        ];
        for (name, digest) in digests {
            let header = format!("{name} {}", STANDARD.encode(digest));
            for (bytes, holds) in [(b"x", true), (b"y", false)] {
                let mut checksum = read(&header).expect("header").expect("checksum");
                checksum.update(bytes);
                assert_eq!(checksum.holds(), holds, "{name}");
            }
        }
    }

    #[test]
    fn what_is_not_served_is_refused() {
        assert!(Checksum::of(&HeaderMap::new()).expect("none").is_none());
        for text in ["md5 AAAA", "sha1", "sha1 ***", "sha1 AAAA", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", ""] {
            assert!(matches!(read(text), Err(IngestError::Header(_))), "{text}");
        }
    }
}
