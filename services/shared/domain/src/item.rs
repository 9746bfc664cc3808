//! What an item is, and its unified code (統一編碼, D-12.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Root,
    ids::{DeviceId, IdError, RecordingId, Segment, TenantId},
};

/// What a recorder makes (A-2.1: 錄像、照相、錄音).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// 錄像.
    Video,
    /// 照相.
    Photo,
    /// 錄音.
    Audio,
}

impl ItemKind {
    /// The kind as it stands in subjects, keys and documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Photo => "photo",
            Self::Audio => "audio",
        }
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What makes an item this item: (device, recording, segment) within a tenant, and the variant when two stations handed in
/// different bytes for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemKey {
    /// The agency.
    pub tenant: TenantId,
    /// The recorder.
    pub device: DeviceId,
    /// The act of recording.
    pub recording: RecordingId,
    /// The file's position in the recording.
    pub segment: Segment,
    /// Set when other bytes were already kept for the same segment; names these bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
}

impl ItemKey {
    /// The same recording and segment with other bytes: kept beside the first, never over it.
    #[must_use]
    pub fn variant_of(&self, root: &Root) -> Self {
        Self { variant: Some(Variant::of(root)), ..self.clone() }
    }
}

/// A variant is named by its bytes, so that two docks racing with the same variant meet in one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Variant(String);

impl Variant {
    /// The variant named by `root`.
    #[must_use]
    pub fn of(root: &Root) -> Self {
        Self(root.to_hex()[..16].to_ascii_uppercase())
    }

    /// 16 upper-case hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// 統一編碼: the one name of an item on screens, forms, discs and in the store (D-12.2).
///
/// `TENANT-DEVICE-RECORDING-SEGMENT[-VVARIANT]-C`, where `C` is an ISO 7064 MOD 37,36 check character: a code typed from paper
/// with one wrong or two swapped characters names no other item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnifiedCode(ItemKey);

impl UnifiedCode {
    /// The code of the item with this key.
    #[must_use]
    pub fn of(key: ItemKey) -> Self {
        Self(key)
    }

    /// Reads a code and checks its check character.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let malformed = || CodeError::Malformed(text.escape_debug().take(160).collect());
        let (body, check) = text.rsplit_once('-').ok_or_else(malformed)?;
        let parts: Vec<&str> = body.split('-').collect();
        let (base, variant) = match parts.as_slice() {
            [base @ .., last] if parts.len() == 5 => (base, Some(parse_variant(last).ok_or_else(malformed)?)),
            all => (all, None),
        };
        let [tenant, device, recording, segment] = base else {
            return Err(malformed());
        };
        let key = ItemKey {
            tenant: TenantId::parse(tenant)?,
            device: DeviceId::parse(device)?,
            recording: RecordingId::parse(recording)?,
            segment: Segment::parse(segment)?,
            variant,
        };
        let code = Self(key);
        let (whole, expected) = (code.to_string(), check_character(body));
        if check.chars().ne([expected]) {
            return Err(CodeError::Check { code: whole, found: check.escape_debug().take(8).collect() });
        }
        if whole != text {
            return Err(malformed());
        }
        Ok(code)
    }

    /// What the code names.
    #[must_use]
    pub fn key(&self) -> &ItemKey {
        &self.0
    }
}

/// Why a text is not a unified code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not of the form `TENANT-DEVICE-RECORDING-SEGMENT-C`.
    #[error("`{0}` is not a unified code: expected TENANT-DEVICE-RECORDING-SEGMENT-C")]
    Malformed(String),
    /// One part is not the identifier that stands there.
    #[error(transparent)]
    Part(#[from] IdError),
    /// The last character does not fit: a typing mistake.
    #[error("the check character `{found}` does not fit; did you mean {code}?")]
    Check {
        /// The code with the right check character.
        code: String,
        /// What stood there.
        found: String,
    },
}

pub(crate) fn parse_variant(text: &str) -> Option<Variant> {
    let hex = text.strip_prefix('V')?;
    let legal = hex.len() == 16 && hex.chars().all(|c| c.is_ascii_digit() || ('A'..='F').contains(&c));
    legal.then(|| Variant(hex.to_owned()))
}

impl fmt::Display for UnifiedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ItemKey { tenant, device, recording, segment, variant } = &self.0;
        let mut body = format!("{tenant}-{device}-{recording}-{segment}");
        if let Some(variant) = variant {
            body.push_str("-V");
            body.push_str(variant.as_str());
        }
        write!(f, "{body}-{}", check_character(&body))
    }
}

impl TryFrom<String> for UnifiedCode {
    type Error = CodeError;
    fn try_from(text: String) -> Result<Self, CodeError> {
        Self::parse(&text)
    }
}

impl From<UnifiedCode> for String {
    fn from(code: UnifiedCode) -> String {
        code.to_string()
    }
}

/// ISO 7064 MOD 37,36 over letters and digits; separators do not count.
fn check_character(body: &str) -> char {
    const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let remainder = body.chars().filter_map(|c| c.to_digit(36)).fold(36_u32, |acc, value| {
        let sum = (acc + value) % 36;
        (if sum == 0 { 36 } else { sum }) * 2 % 37
    });
    char::from(ALPHABET[((37 - remainder) % 36) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(device: &str, recording: &str, segment: u16, variant: bool) -> ItemKey {
        let key = ItemKey {
            tenant: TenantId::parse("E").expect("tenant"),
            device: DeviceId::parse(device).expect("device"),
            recording: RecordingId::parse(recording).expect("recording"),
            segment: Segment(segment),
            variant: None,
        };
        if variant { key.variant_of(&Root::of(device.as_bytes())) } else { key }
    }

    #[test]
    fn a_mistyped_code_is_refused_and_corrected() {
        let code = UnifiedCode::of(key("DSJ00012", "20261123091500_0007", 0, false)).to_string();
        let wrong = code.replacen("00012", "00021", 1);
        assert!(matches!(UnifiedCode::parse(&wrong), Err(CodeError::Check { .. })), "{wrong}");
    }

    proptest! {
        #[test]
        fn code_round_trips(device in "[A-Z0-9_]{1,32}", recording in "[A-Z0-9_]{1,48}", segment: u16, variant: bool) {
            let code = UnifiedCode::of(key(&device, &recording, segment, variant));
            prop_assert_eq!(UnifiedCode::parse(&code.to_string()), Ok(code));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,80}") {
            let _ = UnifiedCode::parse(&text);
        }

        #[test]
        fn one_wrong_letter_or_digit_is_noticed(at in 0_usize..12, other in "[A-Z0-9]") {
            let code = UnifiedCode::of(key("DSJ00012", "20261123091500", 0, false)).to_string();
            let mut typed = code.clone();
            typed.replace_range(at..=at, &other);
            prop_assume!(typed != code && code.as_bytes()[at] != b'-');
            prop_assert!(UnifiedCode::parse(&typed).is_err());
        }
    }
}
