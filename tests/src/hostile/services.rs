//! What only a service or the dock reads.

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use custos_dock::journal::{Begun, Entry};
use custos_domain::{
    evidence::Statement,
    ids::{StationId, TenantId, UnitPath},
    item::UnifiedCode,
    keys,
    outboard::MAX_LEN,
};
use custos_ingest::{
    IngestError,
    basis::{Basis, Plain},
    station::Station,
    strangers,
};
use custos_platform::http::identity::{PeerCertificate, StationIdentity};
use http::HeaderName;

use super::{
    documents,
    recorder::rules,
    texts::{assert_key, assert_printable, assert_same_again},
};

/// Every `Upload-Checksum` that holds for no bytes at all.
const OF_NOTHING: [&str; 3] = [
    "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    "sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "blake3 rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=",
];

/// The headers of tus, any bytes at all.
///
/// # Panics
/// When a property does not hold.
pub fn tus_headers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(number) = strangers::whole_number(bytes) {
        let digits = text.trim_start_matches('0');
        assert_eq!(number.to_string(), if digits.is_empty() { "0" } else { digits }, "{text:?}");
    }
    for key in ["declaration", "filename", ""] {
        if let Ok(Some(value)) = strangers::upload_metadata(bytes, key) {
            assert!(text.contains(&STANDARD.encode(&value)), "{value:?} is not in {text:?}");
            documents::declaration(&value);
        }
    }
    match strangers::upload_checksum(bytes) {
        Ok(checksum) => {
            let words = text.trim().split_once(' ').map(|(name, digest)| format!("{name} {}", digest.trim()));
            let of_nothing = words.is_some_and(|words| OF_NOTHING.contains(&words.as_str()));
            assert_eq!(checksum.is_some_and(|checksum| checksum.holds()), of_nothing, "{text:?}");
        }
        Err(error) => assert_printable(&error.to_string()),
    }
    for unserved in ["upload-concat", "upload-defer-length"] {
        assert!(strangers::served(HeaderName::from_static(unserved), bytes).is_err(), "{unserved}: {text:?}");
    }
}

/// `Upload-Metadata` of a client that signs nothing, any bytes at all.
///
/// # Panics
/// When a property does not hold.
pub fn plain(bytes: &[u8]) {
    let plain = match read_plain(bytes) {
        Ok(plain) => plain,
        Err(error) => return assert_printable(&error.to_string()),
    };
    let Statement { file_name, metadata, started_at_device, .. } = &plain.statement;
    assert!((1..=255).contains(&file_name.chars().count()), "{file_name:?}");
    assert_printable(file_name);
    assert!(metadata.as_bytes() == bytes && metadata.len() <= 4096, "other than it came: {metadata:?}");
    assert!((1970..=2200).contains(&started_at_device.year()), "{started_at_device}");
    for (length, taken) in [(0, false), (1, true), (MAX_LEN + 1, false)] {
        assert_eq!(strangers::plain(rules(), station(), bytes, length).is_ok(), taken, "{length} bytes");
    }
    let basis = Basis::Plain { plain: Box::new(plain) };
    assert_same_again(&basis);
    assert_key(&basis.claim());
    assert_key(&keys::manifest(&basis.item()));
    let code = UnifiedCode::of(basis.item());
    assert_eq!(UnifiedCode::parse(&code.to_string()), Ok(code), "the code of a said item");
}

/// What an `Upload-Metadata` says of seven bytes, as ingest reads it.
pub fn read_plain(bytes: &[u8]) -> Result<Plain, IngestError> {
    strangers::plain(rules(), station(), bytes, 7)
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

/// A client's certificate, or the address in it that names the station.
///
/// # Panics
/// When a property does not hold.
pub fn identity(bytes: &[u8]) {
    if let Some(peer) = PeerCertificate::parse(&bytes.into()) {
        assert_printable(&peer.serial);
        match peer.station() {
            Ok(identity) => named(identity),
            Err(why) => assert_printable(&why.to_string()),
        }
    }
    match std::str::from_utf8(bytes).map(StationIdentity::parse) {
        Ok(Ok(identity)) => {
            assert_eq!(identity.uri().as_bytes(), bytes, "one station has one address");
            named(&identity);
        }
        Ok(Err(why)) => assert_printable(&why.to_string()),
        Err(_) => {}
    }
}

fn named(identity: &StationIdentity) {
    assert_eq!(StationIdentity::parse(&identity.uri()).as_ref(), Ok(identity));
    for part in [identity.tenant.as_str(), identity.unit.as_str(), identity.station.as_str()] {
        assert_key(part);
    }
}

fn station() -> &'static Station {
    static STATION: OnceLock<Station> = OnceLock::new();
    let known = || {
        let (tenant, unit) = (TenantId::parse("E")?, UnitPath::parse("NANJING")?);
        let id = StationId::parse("S1")?;
        Ok::<_, custos_domain::ids::IdError>(Station { tenant, unit, id, key: None, certificate: String::new() })
    };
    STATION.get_or_init(|| known().unwrap_or_else(|error| panic!("{error}")))
}
