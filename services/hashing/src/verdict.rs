//! Whether the re-read agrees with what was declared and what was written down. Pure.

use custos_domain::{declaration::Declaration, manifest::Manifest};

use crate::reread::Digests;

/// Every disagreement, in words; none means the original is what the dock signed for.
#[must_use]
pub fn disagreements(found: &Digests, manifest: &Manifest, declared: &Declaration) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, source: &str, expected: String, found: String| {
        if expected != found {
            wrong.push(format!("{what}: the {source} says {expected}, the store holds {found}"));
        }
    };
    for (source, length, root, crc) in [
        ("declaration", declared.length, declared.root, declared.crc),
        ("manifest", manifest.length, manifest.root, manifest.crc),
    ] {
        compare("length", source, length.to_string(), found.length.to_string());
        compare("BLAKE3", source, root.to_string(), found.root.to_string());
        compare("CRC64NVME", source, crc.to_string(), found.crc.to_string());
    }
    wrong
}
