//! What comes over the bus.

use custos_proto::{Announcement, MAX_BYTES, subject::BusSubject};

use super::texts::{assert_key, assert_printable};

/// An announcement.
///
/// # Panics
/// When a property does not hold.
pub fn announcement(bytes: &[u8]) {
    match Announcement::decode(bytes) {
        Ok(announcement) => {
            assert!(bytes.len() <= MAX_BYTES, "longer than any announcement");
            let again = Announcement::decode(&announcement.encode());
            assert_eq!(again.as_ref(), Ok(&announcement), "written and read again");
            assert_key(&announcement.object.key);
            assert_printable(&announcement.object.bucket);
            assert_printable(&announcement.object.version);
            let subject = announcement.subject();
            assert_eq!(BusSubject::parse(&subject.to_string()), Ok(subject), "its subject");
        }
        Err(error) => assert_printable(&error.to_string()),
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(subject) = BusSubject::parse(text)
    {
        assert_eq!(subject.to_string(), text, "one subject has one form");
    }
}
