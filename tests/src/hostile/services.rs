//! What only a service or the dock reads.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use custos_dock::journal::{Begun, Entry};
use custos_ingest::strangers::{upload_metadata, whole_number};

use super::{documents, texts::assert_same_again};

/// The headers of tus, any bytes at all.
///
/// # Panics
/// When a property does not hold.
pub fn tus_headers(bytes: &[u8]) {
    if let Ok(number) = whole_number(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let digits = text.trim_start_matches('0');
        assert_eq!(number.to_string(), if digits.is_empty() { "0" } else { digits }, "{text:?}");
    }
    for key in ["declaration", "filename", ""] {
        if let Ok(Some(value)) = upload_metadata(bytes, key) {
            let header = String::from_utf8_lossy(bytes);
            assert!(header.contains(&STANDARD.encode(&value)), "{value:?} is not in {header:?}");
            documents::declaration(&value);
        }
    }
}

/// A row of the dock's journal.
///
/// # Panics
/// When a property does not hold.
pub fn journal(bytes: &[u8]) {
    if let Ok(entry) = serde_json::from_slice::<Entry>(bytes) {
        assert_same_again(&entry);
        assert_same_again(&entry.stage.clone().found_again());
        let _ = entry.stage.code();
        if let Some((declaration, _, receipt)) = entry.stage.receipted() {
            assert_same_again(declaration);
            assert_same_again(receipt);
        }
    }
    if let Ok(begun) = serde_json::from_slice::<Begun>(bytes) {
        assert_same_again(&begun);
    }
}
