//! From a path on a recorder to what is known of the item.

use jiff::civil::DateTime;

use super::{Recognised, Recognition, Rules, Unknown, Unrecognised, rules::Parts};
use crate::{
    ids::{DeviceId, IdError, OfficerId, RecordingId, Segment},
    item::ItemKind,
};

impl Rules {
    /// Says what a path tells of the item it names. `path` is relative to the recorder's root, parts joined by `/`, and may
    /// hold any bytes at all; nothing is read from disk.
    ///
    /// A name that no rule understands goes through with what is known, and is marked.
    #[must_use]
    pub fn recognise(&self, path: impl AsRef<[u8]>) -> Recognition {
        let path = Path::split(path.as_ref());
        let (kind, key_file) = (self.kind(&path), self.is_key_file(&path));
        let nobody = Unrecognised { kind, device: None, officer: None, key_file, why: Unknown::Name };
        let unknown = |why| Recognition::Unrecognised(Unrecognised { why, ..nobody.clone() });
        if !path.legal {
            return unknown(Unknown::Path);
        }
        let Some(named) = Named::read(self, &path) else {
            return unknown(Unknown::Name);
        };
        let Some(kind) = kind else {
            return unknown(Unknown::Kind);
        };
        let Some(moment) = date_time(&named.time) else {
            let key_file = key_file || named.marked;
            let (device, officer) = (named.device, named.officer);
            return Recognition::Unrecognised(Unrecognised {
                kind: Some(kind),
                device,
                officer,
                key_file,
                why: Unknown::Moment,
            });
        };
        named.into_item(kind, key_file, moment).map_or_else(|| unknown(Unknown::Name), Recognition::Recognised)
    }

    /// Kind by extension; by the nearest folder where the extension does not tell.
    fn kind(&self, path: &Path) -> Option<ItemKind> {
        let by_folder = || path.folder.rsplit('/').find_map(|folder| self.kind_folders.get(folder));
        self.kinds.get(&path.extension).or_else(by_folder).copied()
    }

    fn is_key_file(&self, path: &Path) -> bool {
        let by_folder = || path.folder.split('/').any(|folder| self.key_folders.iter().any(|key| key == folder));
        path.stem.split('_').any(|part| self.is_mark(part)) || by_folder()
    }

    fn is_mark(&self, part: &str) -> bool {
        self.key_marks.iter().any(|mark| mark == part)
    }
}

/// The recording id of an item whose name says nothing: `X_` and the first 16 hexadecimal digits of its BLAKE3 root. The same
/// bytes met again get the same id.
pub fn recording_from_digest(blake3_hex: &str) -> Result<RecordingId, IdError> {
    let digits = blake3_hex.get(..16).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let digits = digits.ok_or_else(|| IdError {
        kind: "a BLAKE3 digest",
        text: blake3_hex.escape_debug().take(64).collect(),
        max: 64,
        alphabet: "hexadecimal digits, at least 16",
    })?;
    RecordingId::parse(&format!("X_{}", digits.to_ascii_uppercase()))
}

/// A path taken apart. Only ASCII letters change case: other scripts have letters whose capital is an ASCII one, which would
/// give two names one id.
pub(super) struct Path {
    /// Folders, joined by `/`, in upper case.
    folder: String,
    /// File name without extension, in upper case.
    stem: String,
    /// In lower case.
    extension: String,
    /// Whether this can be the path of a file below the root.
    legal: bool,
}

impl Path {
    pub(super) fn split(path: &[u8]) -> Self {
        const LONGEST: usize = 4096; // PATH_MAX on Linux
        let text = String::from_utf8_lossy(path);
        let (folder, name) = text.rsplit_once('/').unwrap_or(("", &text));
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        Self {
            folder: folder.to_ascii_uppercase(),
            stem: stem.to_ascii_uppercase(),
            extension: extension.to_ascii_lowercase(),
            legal: path.len() <= LONGEST && !text.split('/').any(|part| matches!(part, "" | "." | "..")),
        }
    }
}

/// What the first rule that understands a name makes of it.
pub(super) struct Named {
    pub(super) rule: String,
    device: Option<DeviceId>,
    officer: Option<OfficerId>,
    /// Fourteen digits, whether or not they are a time.
    time: String,
    /// Up to nine digits.
    sequence: Option<String>,
    segment: Segment,
    marked: bool,
}

impl Named {
    pub(super) fn read(rules: &Rules, path: &Path) -> Option<Self> {
        let parts = path.stem.split('_');
        // A mark is set and taken away by a button and is no part of the recording's identity.
        let stem = parts.filter(|part| !rules.is_mark(part)).collect::<Vec<_>>().join("_");
        rules.naming.iter().find_map(|rule| Self::from_parts(&rule.name, &rule.apply(&path.folder, &stem)?))
    }

    /// None where a part is not what the rule takes it for: a station's pattern may be looser than an identifier.
    fn from_parts(rule: &str, parts: &Parts<'_>) -> Option<Self> {
        let number = |digits: &&str| (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let sequence = match parts.get("sequence") {
            Some(digits) => Some(Some(digits).filter(number)?.to_owned()),
            None => None,
        };
        Some(Self {
            rule: rule.to_owned(),
            device: parts.get("device").map(|text| DeviceId::parse(&text.to_ascii_uppercase())).transpose().ok()?,
            officer: parts.get("officer").map(|text| OfficerId::parse(&text.to_ascii_uppercase())).transpose().ok()?,
            time: parts.time()?,
            sequence,
            segment: parts.get("segment").map_or(Ok(Segment::default()), Segment::parse).ok()?,
            marked: parts.get("mark").is_some(),
        })
    }

    fn into_item(self, kind: ItemKind, key_file: bool, started_at_device: DateTime) -> Option<Recognised> {
        Some(Recognised {
            kind,
            recording: self.recording(kind)?,
            started_at_device,
            sequence: self.sequence.as_deref().map(str::parse).transpose().ok()?,
            device: self.device,
            officer: self.officer,
            segment: self.segment,
            key_file: key_file || self.marked,
            rule: self.rule,
        })
    }

    /// Time and sequence as they stand in the name, and the kind: recorders count photographs apart from videos, and many
    /// write a still under the name of the video it was taken from. Those are two acts of recording.
    fn recording(&self, kind: ItemKind) -> Option<RecordingId> {
        let sequence = self.sequence.as_deref().map(|digits| format!("_{digits}")).unwrap_or_default();
        let suffix = match kind {
            ItemKind::Video => "",
            ItemKind::Photo => "_P",
            ItemKind::Audio => "_A",
        };
        RecordingId::parse(&format!("{}{sequence}{suffix}", self.time)).ok()
    }
}

/// The moment fourteen digits stand for; none for the 31st of February.
fn date_time(digits: &str) -> Option<DateTime> {
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let small = |start: usize| i8::try_from(number(start..start + 2)?).ok();
    DateTime::new(number(0..4)?, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?, 0).ok()
}
