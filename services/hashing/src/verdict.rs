//! Whether the re-read agrees with what was declared and what was written down. Pure.

use custos_domain::{declaration::Declaration, evidence::Evidence, manifest::Manifest};

use crate::reread::Digests;

/// Every disagreement, in words; none means the original is what the dock signed for, or, when nobody signed, what ingest computed
/// as the bytes came and what the client had announced.
#[must_use]
pub fn disagreements(found: &Digests, manifest: &Manifest, declared: Option<&Declaration>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, source: &str, expected: String, found: String| {
        if expected != found {
            wrong.push(format!("{what}: the {source} says {expected}, the store holds {found}"));
        }
    };
    let declared = declared.map(|declared| ("declaration", declared.length, declared.root, declared.crc));
    let manifested = ("manifest", manifest.length, manifest.root, manifest.crc);
    for (source, length, root, crc) in declared.into_iter().chain([manifested]) {
        compare("length", source, length.to_string(), found.length.to_string());
        compare("BLAKE3", source, root.to_string(), found.root.to_string());
        compare("CRC64NVME", source, crc.to_string(), found.crc.to_string());
    }
    if let Evidence::Unsigned(said) = &manifest.evidence {
        if let Some(blake3) = said.blake3 {
            compare("BLAKE3", "client", blake3.to_string(), found.root.to_string());
        }
        if let Some(sha256) = said.sha256 {
            compare("SHA-256", "client", sha256.to_string(), found.sha256.to_string());
        }
    }
    wrong
}
