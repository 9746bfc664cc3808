//! Whether the re-read agrees with what was declared and what was written down. Pure.

use custos_domain::{declaration::Declaration, evidence::Evidence, manifest::Manifest};

use crate::reread::Digests;

/// Deliveries after which reads that keep differing are a mismatch all the same: a store that never says the same twice does not
/// hold what was deposited.
const MANY: u32 = 5;

/// What two re-reads come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The second agreed: the first was misread.
    Agrees,
    /// The second found something else again: neither says what the store holds.
    Undecided,
    /// The store holds something else, in words.
    Differs(String),
}

/// Judges a first re-read that disagreed by a second one; `wrong` are the second's disagreements.
#[must_use]
pub fn verdict(first: &Digests, second: &Digests, wrong: &[String], deliveries: u32) -> Verdict {
    match wrong {
        [] => Verdict::Agrees,
        _ if first != second && deliveries < MANY => Verdict::Undecided,
        _ => Verdict::Differs(wrong.join("; ")),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_read_condemns_nothing() {
        let (nothing, wrong) = (Digests::nothing(), [String::from("length")]);
        let other = Digests { length: 1, ..nothing };
        assert_eq!(verdict(&nothing, &other, &[], 1), Verdict::Agrees);
        assert_eq!(verdict(&nothing, &other, &wrong, 1), Verdict::Undecided);
        assert_eq!(verdict(&nothing, &nothing, &wrong, 1), Verdict::Differs("length".to_owned()));
        assert_eq!(verdict(&nothing, &other, &wrong, MANY), Verdict::Differs("length".to_owned()));
    }
}
