//! Typed identifiers: one registry, so that a device can never be passed for an officer.
//!
//! Identifiers are tokens of upper-case letters, digits and `_`. They appear in object keys, subjects and unified codes,
//! where any other character would need escaping somewhere and be forgotten once.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: expected 1 to {max} characters of {alphabet}")]
pub struct IdError {
    /// Which identifier was expected, in words with their article.
    pub kind: &'static str,
    /// The offending text, shortened and escaped for display.
    pub text: String,
    /// Longest allowed length in characters.
    pub max: usize,
    /// Allowed characters, in words.
    pub alphabet: &'static str,
}

/// Checks `text` against an alphabet and a length; the one rule behind every identifier here.
fn check(
    kind: &'static str,
    text: &str,
    max: usize,
    alphabet: &'static str,
    legal: impl Fn(char) -> bool,
) -> Result<(), IdError> {
    if !text.is_empty() && text.len() <= max && text.chars().all(legal) {
        return Ok(());
    }
    let shown: String = text.escape_debug().take(64).collect();
    Err(IdError { kind, text: shown, max, alphabet })
}

macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $alphabet:literal, $legal:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` as this identifier, or says why it is none.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check($kind, text, $max, $alphabet, $legal)?;
                Ok(Self(text.to_owned()))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

fn upper(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'
}

token!(
    /// 機關: an agency under one regulation, such as `E` for the traffic police.
    TenantId, "a tenant id", 16, "A-Z, 0-9 and _", upper
);
token!(
    /// 採集站: where recorders dock.
    StationId, "a station id", 32, "A-Z, 0-9 and _", upper
);
token!(
    /// 執法記錄儀編號: the recorder (E-12.2).
    DeviceId, "a device number", 32, "A-Z, 0-9 and _", upper
);
token!(
    /// 警員信息: the recorder's wearer, by number (C-10.2, E-12.2).
    OfficerId, "an officer number", 32, "A-Z, 0-9 and _", upper
);
token!(
    /// One continuous act of recording on one device.
    RecordingId, "a recording id", 48, "A-Z, 0-9 and _", upper
);
token!(
    /// A person who signs in: the `sub` claim of their token.
    PersonId, "a person id", 64, "A-Z, a-z, 0-9, ., _, @ and -",
    |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c)
);
token!(
    /// One connection of a recorder to a station, chosen by the dock.
    DockingId, "a docking id", 36, "a-z, 0-9 and -",
    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
);
token!(
    /// One upload of one item at ingest; a lost session gets a new one.
    UploadId, "an upload id", 36, "a-f, 0-9 and -",
    |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == '-'
);
token!(
    /// 單位: a node of the tenant's tree as a path, such as `NANJING/XUANWU/01`.
    UnitPath, "a unit path", 128, "A-Z, 0-9 and _ in parts joined by single slashes",
    |c: char| upper(c) || c == '/'
);
token!(
    /// One custody fact; see [`crate::fact`].
    FactId, "a fact id", 96, "a-z, 0-9, _ and -",
    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
);
token!(
    /// One legal hold: a reason on a list of items.
    HoldId, "a hold id", 36, "a-f, 0-9 and -",
    |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == '-'
);

impl FactId {
    /// Takes what [`crate::fact::fact_id`] made.
    pub(crate) fn made(text: String) -> Self {
        debug_assert!(Self::parse(&text).is_ok(), "{text}");
        Self(text)
    }
}

impl UploadId {
    /// The upload named by a UUIDv7 (RFC 9562), which carries the moment it began.
    #[must_use]
    pub fn of(id: uuid::Uuid) -> Self {
        Self(id.to_string())
    }
}

impl HoldId {
    /// The hold named by a UUID.
    #[must_use]
    pub fn of(id: uuid::Uuid) -> Self {
        Self(id.to_string())
    }
}

impl UnitPath {
    /// Whether `other` is this unit or below it in the tree (分級授權, E-16).
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let (own, other) = (self.0.trim_matches('/'), other.0.trim_matches('/'));
        other == own || other.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Position of a file within a recording that the recorder split into several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Segment(pub u16);

impl Segment {
    /// Takes decimal digits as a segment number.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self).map_err(|_| IdError {
            kind: "a segment number",
            text: text.escape_debug().take(64).collect(),
            max: 5,
            alphabet: "digits, at most 65535",
        })
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_contains_itself_and_what_is_below_but_no_namesake() {
        let unit = |text| UnitPath::parse(text).expect("unit");
        assert!(unit("NJ/XW").contains(&unit("NJ/XW")));
        assert!(unit("NJ/XW").contains(&unit("NJ/XW/01")));
        assert!(!unit("NJ/XW").contains(&unit("NJ/XW2")));
        assert!(!unit("NJ/XW/01").contains(&unit("NJ/XW")));
    }

    #[test]
    fn hostile_text_is_no_identifier() {
        for text in ["", "../x", "a", "É", "A B", "A\0", &"A".repeat(33)] {
            assert!(DeviceId::parse(text).is_err(), "{text:?}");
        }
        assert!(DeviceId::parse("DSJ00012").is_ok());
    }

    #[test]
    fn a_refusal_is_a_sentence() {
        let error = OfficerId::parse("p 1").expect_err("not one").to_string();
        assert_eq!(error, "`p 1` is not an officer number: expected 1 to 32 characters of A-Z, 0-9 and _");
        assert!(UnitPath::parse("").expect_err("not one").to_string().contains("is not a unit path: "));
    }
}
