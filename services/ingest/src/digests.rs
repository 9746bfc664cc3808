//! Whether bytes are those an unsigned client announced.

use custos_domain::{
    digest::{Root, Sha256},
    evidence::Statement,
};

/// Compares what came with what was announced; answers the difference in words. A digest nobody computed is not compared.
#[must_use]
pub(crate) fn difference(said: &Statement, blake3: Option<Root>, sha256: Option<Sha256>) -> Option<String> {
    let differs = |name: &str, said: String, came: String| {
        format!("the bytes that came have the {name} {came}, Upload-Metadata said {said}")
    };
    let by_blake3 = said.blake3.zip(blake3).filter(|(said, came)| said != came);
    let by_sha256 = said.sha256.zip(sha256).filter(|(said, came)| said != came);
    by_blake3
        .map(|(said, came)| differs("BLAKE3", said.to_string(), came.to_string()))
        .or_else(|| by_sha256.map(|(said, came)| differs("SHA-256", said.to_string(), came.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis;

    #[test]
    fn only_what_was_said_is_compared() {
        let mut said = basis::tests::plain(7).statement;
        let (a, b) = (Root::of(b"a"), Root::of(b"b"));
        assert_eq!(difference(&said, Some(a), Some(Sha256([1; 32]))), None);
        said.blake3 = Some(a);
        assert_eq!(difference(&said, Some(a), None), None);
        assert!(difference(&said, Some(b), None).expect("differs").contains("BLAKE3"));
        said.sha256 = Some(Sha256([1; 32]));
        assert_eq!(difference(&said, Some(a), None), None);
        assert!(difference(&said, Some(a), Some(Sha256([2; 32]))).expect("differs").contains("SHA-256"));
    }
}
