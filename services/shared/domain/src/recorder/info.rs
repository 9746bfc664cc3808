//! What a recorder says of itself: a small JSON or INI file in its root, different with every vendor.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Rules, safe_name};
use crate::ids::{DeviceId, IdError, OfficerId};

/// A recorder's statement about itself, as far as it could be understood. A claim, not a proof.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecorderInfo {
    /// Its number.
    pub device: Option<DeviceId>,
    /// Its wearer.
    pub officer: Option<OfficerId>,
    /// Model, printable.
    pub model: Option<String>,
    /// Firmware version, printable.
    pub firmware: Option<String>,
    /// Counters by name in small letters and digits, such as `filecount` or `lastsequence`: what it says it made, against
    /// what arrived. At most 64.
    pub counters: BTreeMap<String, u64>,
    /// What could not be used and why, for the docking's record. At most 16.
    pub problems: Vec<String>,
}

/// Under which names a recorder's statement keeps what; see `rules.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InfoKeys {
    files: Vec<String>,
    device: Vec<String>,
    officer: Vec<String>,
    model: Vec<String>,
    firmware: Vec<String>,
    counter_sections: Vec<String>,
    counters: Vec<String>,
}

impl InfoKeys {
    /// Puts `own` names before these.
    pub(super) fn prepend(&mut self, own: Self) {
        self.files.splice(0..0, own.files);
        self.device.splice(0..0, own.device);
        self.officer.splice(0..0, own.officer);
        self.model.splice(0..0, own.model);
        self.firmware.splice(0..0, own.firmware);
        self.counter_sections.splice(0..0, own.counter_sections);
        self.counters.splice(0..0, own.counters);
    }
}

impl Rules {
    /// Whether a file on a recorder is its statement about itself rather than footage, by name.
    #[must_use]
    pub fn is_info_file(&self, path: impl AsRef<[u8]>) -> bool {
        let text = String::from_utf8_lossy(path.as_ref());
        let name = text.rsplit('/').next().unwrap_or_default();
        self.info.files.iter().any(|file| file.eq_ignore_ascii_case(name))
    }

    /// Reads a recorder's statement leniently: JSON if it begins with a brace, else lines of `key=value` with `[sections]`.
    /// What is missing stays empty, what is wrong is noted; nothing fails. Only the first 64 KiB are read.
    #[must_use]
    pub fn recorder_info(&self, text: impl AsRef<[u8]>) -> RecorderInfo {
        const MOST: usize = 64 * 1024;
        let text = text.as_ref();
        let text = String::from_utf8_lossy(&text[..text.len().min(MOST)]);
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut info = RecorderInfo::default();
        let entries = if text.starts_with('{') { json_entries(text, &mut info) } else { ini_entries(text) };
        self.info.fill(&mut info, &entries);
        info
    }
}

/// One value of a statement, its section and key in comparable form.
struct Entry {
    section: String,
    key: String,
    value: String,
}

impl InfoKeys {
    fn fill(&self, info: &mut RecorderInfo, entries: &[Entry]) {
        info.device = first(&self.device, entries).and_then(|text| number(info, text, DeviceId::parse));
        info.officer = first(&self.officer, entries).and_then(|text| number(info, text, OfficerId::parse));
        let shown = |text: &str| safe_name(text.as_bytes()).chars().take(64).collect();
        info.model = first(&self.model, entries).map(shown);
        info.firmware = first(&self.firmware, entries).map(shown);
        for entry in entries {
            if !among(&self.counter_sections, &entry.section) && !among(&self.counters, &entry.key) {
                continue;
            }
            match entry.value.parse() {
                Ok(count) if info.counters.len() < 64 => drop(info.counters.entry(entry.key.clone()).or_insert(count)),
                Ok(_) => note(info, format!("more than 64 counters; {} is left out", entry.key)),
                Err(_) => note(info, format!("counter {} is not a number", entry.key)),
            }
        }
    }
}

fn first<'e>(names: &[String], entries: &'e [Entry]) -> Option<&'e str> {
    let find = |name: &String| entries.iter().find(|entry| entry.key == comparable(name) && !entry.value.is_empty());
    names.iter().find_map(find).map(|entry| entry.value.as_str())
}

fn number<T>(info: &mut RecorderInfo, text: &str, parse: impl Fn(&str) -> Result<T, IdError>) -> Option<T> {
    parse(&text.to_ascii_uppercase()).map_err(|error| note(info, error.to_string())).ok()
}

fn note(info: &mut RecorderInfo, problem: String) {
    if info.problems.len() < 16 {
        info.problems.push(problem);
    }
}

fn among(names: &[String], key: &str) -> bool {
    names.iter().any(|name| comparable(name) == key)
}

/// Letters and digits of any script, ASCII in small letters, at most 48.
fn comparable(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).take(48).collect::<String>().to_ascii_lowercase()
}

fn json_entries(text: &str, info: &mut RecorderInfo) -> Vec<Entry> {
    let mut entries = Vec::new();
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(map) => flatten("", &map, &mut entries),
        Err(error) => note(info, format!("the recorder's file is not JSON: {error}")),
    }
    entries
}

/// The depth is bounded by the JSON reader, at 128.
fn flatten(section: &str, map: &Map<String, Value>, entries: &mut Vec<Entry>) {
    for (key, value) in map {
        let key = comparable(key);
        let value = match value {
            Value::Object(inner) => {
                flatten(&key, inner, entries);
                continue;
            }
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) => continue,
        };
        entries.push(Entry { section: section.to_owned(), key, value });
    }
}

fn ini_entries(text: &str) -> Vec<Entry> {
    let mut section = String::new();
    let mut entries = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = comparable(name);
        } else if let Some((key, value)) = line.split_once(['=', ':', '：'])
            && !line.starts_with([';', '#'])
        {
            let value = value.trim().trim_matches('"').trim().to_owned();
            entries.push(Entry { section: section.clone(), key: comparable(key), value });
        }
    }
    entries
}
