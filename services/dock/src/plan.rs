//! From what lies on a recorder to what is handed in, in which order, and whose recorder it is. Pure.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use custos_domain::{
    calendar,
    ids::{DeviceId, OfficerId, RecordingId, Segment},
    item::ItemKind,
    recorder::{Recognised, Recognition, RecorderInfo, Rules, Unknown, Unrecognised, safe_name},
};
use jiff::{Timestamp, civil::DateTime};

use crate::{
    left::Left,
    scan::{Found, Ignored, Scan, Snapshot},
};

/// One file to hand in, with everything known before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Where it is and what it was when listed.
    pub found: Found,
    /// Its path, made printable.
    pub name: String,
    /// Video, photograph or audio.
    pub kind: ItemKind,
    /// The recorder.
    pub device: DeviceId,
    /// The wearer, when known.
    pub officer: Option<OfficerId>,
    /// The act of recording; absent where only the bytes can name it.
    pub recording: Option<RecordingId>,
    /// Position within the recording.
    pub segment: Segment,
    /// Start by the recorder's clock.
    pub started_at_device: Option<DateTime>,
    /// 重點文件.
    pub key_file: bool,
    /// The naming rule that understood the path.
    pub naming_rule: Option<String>,
}

/// A file that stays on the recorder before anything was tried.
#[derive(Debug)]
pub struct Stay {
    /// Its path, made printable.
    pub name: String,
    /// What it was when listed.
    pub snapshot: Snapshot,
    /// Its kind, when that is known.
    pub kind: Option<ItemKind>,
    /// Why.
    pub left: Left,
}

/// What the operator says of a recorder, where the recorder does not say it itself.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The recorder.
    pub device: Option<DeviceId>,
    /// The wearer.
    pub officer: Option<OfficerId>,
}

/// What a docking does.
#[derive(Debug)]
pub struct Plan {
    /// The recorder, as far as anything names it.
    pub device: Option<DeviceId>,
    /// The wearer, as far as operator or recorder name one.
    pub officer: Option<OfficerId>,
    /// Files to hand in: key files first, then the oldest.
    pub jobs: Vec<Job>,
    /// Files that stay.
    pub stay: Vec<Stay>,
    /// What is no footage, with the reason.
    pub ignored: Vec<(String, String)>,
    /// What the recorder says it made.
    pub counters: BTreeMap<String, u64>,
    /// What a person should know, such as two recorders' files in one folder.
    pub remarks: Vec<String>,
}

/// Decides what to do with what was found.
///
/// The number in a file's own name comes first, for it was written with the file; then what the operator says; then what the
/// recorder says of itself; then what all its other files' names agree on.
#[must_use]
pub fn plan(scan: &Scan, rules: &Rules, told: &Told, info: &RecorderInfo) -> Plan {
    let mut plan = Plan {
        device: told.device.clone().or_else(|| info.device.clone()).or_else(|| the_only_device(scan, rules)),
        officer: told.officer.clone().or_else(|| info.officer.clone()),
        jobs: Vec::new(),
        stay: Vec::new(),
        ignored: scan.ignored.iter().map(|ignored| (shown(&ignored.relative), ignored.why.clone())).collect(),
        counters: info.counters.clone(),
        remarks: info.problems.iter().map(|problem| format!("the recorder's own description: {problem}")).collect(),
    };
    plan.stay.extend(scan.unreadable.iter().map(unreadable));
    for found in &scan.files {
        plan.take(found, rules);
    }
    plan.name_the_recorder();
    plan.jobs.sort_by_cached_key(|job| (!job.key_file, job.began(), job.found.relative.clone()));
    plan
}

impl Job {
    /// When it began: by its name, else by its last change.
    #[must_use]
    pub fn began(&self) -> DateTime {
        self.started_at_device.unwrap_or_else(|| calendar::shanghai(self.found.snapshot.modified))
    }
}

/// A path in the form naming rules and evidence use: parts joined by slashes, whatever the bytes.
#[must_use]
pub fn slashed(path: &Path) -> Vec<u8> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.as_encoded_bytes()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join(&b'/')
}

/// A path made printable.
#[must_use]
pub fn shown(path: &Path) -> String {
    safe_name(&slashed(path))
}

impl Plan {
    fn take(&mut self, found: &Found, rules: &Rules) {
        let path = slashed(&found.relative);
        let name = safe_name(&path);
        if is_hidden(&found.relative) {
            return self.ignored.push((name, "hidden file".to_owned()));
        }
        if rules.is_info_file(&path) {
            return self.ignored.push((name, "the recorder's description of itself".to_owned()));
        }
        let told = match rules.recognise(&path) {
            Recognition::Recognised(item) => Name::understood(item),
            Recognition::Unrecognised(unknown) => match (unknown.kind, unknown.why) {
                (Some(kind), _) => {
                    if unknown.why == Unknown::Moment {
                        self.remarks
                            .push(format!("{name}: {}; it is handed in under an id made of its bytes", unknown.why));
                    }
                    Name::unknown(kind, unknown)
                }
                (None, Unknown::Kind) => return self.stays(found, name, None, Left::UnknownKind),
                (None, _) => {
                    return self.ignored.push((name, "neither video, photograph nor audio by its name".to_owned()));
                }
            },
        };
        if found.snapshot.length == 0 {
            return self.stays(found, name, Some(told.kind), Left::NoData);
        }
        let Some(device) = told.device.or_else(|| self.device.clone()) else {
            return self.stays(found, name, Some(told.kind), Left::NoDevice);
        };
        self.jobs.push(Job {
            found: found.clone(),
            name,
            kind: told.kind,
            device,
            officer: told.officer.or_else(|| self.officer.clone()),
            recording: told.recording,
            segment: told.segment,
            started_at_device: told.started_at_device,
            key_file: told.key_file,
            naming_rule: told.rule,
        });
    }

    fn stays(&mut self, found: &Found, name: String, kind: Option<ItemKind>, left: Left) {
        self.stay.push(Stay { name, snapshot: found.snapshot, kind, left });
    }

    /// Where neither operator nor recorder named the recorder, most of its files' names do; other numbers are remarked on.
    fn name_the_recorder(&mut self) {
        let mut count: BTreeMap<&DeviceId, usize> = BTreeMap::new();
        for job in &self.jobs {
            *count.entry(&job.device).or_default() += 1;
        }
        let most = count.iter().max_by_key(|(device, files)| (**files, std::cmp::Reverse(**device)));
        let docked = self.device.clone().or_else(|| most.map(|(device, _)| (*device).clone()));
        let others: Vec<String> = count
            .iter()
            .filter(|(device, _)| Some(**device) != docked.as_ref())
            .map(|(d, n)| format!("{n} of {d}"))
            .collect();
        if let (Some(docked), false) = (&docked, others.is_empty()) {
            self.remarks.push(format!(
                "this is recorder {docked}, but there are files by other recorders: {}",
                others.join(", ")
            ));
        }
        self.device = docked;
    }
}

/// What a file's own name tells.
struct Name {
    kind: ItemKind,
    device: Option<DeviceId>,
    officer: Option<OfficerId>,
    recording: Option<RecordingId>,
    segment: Segment,
    started_at_device: Option<DateTime>,
    key_file: bool,
    rule: Option<String>,
}

impl Name {
    fn understood(item: Recognised) -> Self {
        Self {
            kind: item.kind,
            device: item.device,
            officer: item.officer,
            recording: Some(item.recording),
            segment: item.segment,
            started_at_device: Some(item.started_at_device),
            key_file: item.key_file,
            rule: Some(item.rule),
        }
    }

    fn unknown(kind: ItemKind, unknown: Unrecognised) -> Self {
        let Unrecognised { device, officer, key_file, .. } = unknown;
        let (recording, segment, started_at_device, rule) = (None, Segment::default(), None, None);
        Self { kind, device, officer, recording, segment, started_at_device, key_file, rule }
    }
}

/// The recorder, when every name that tells a number tells the same one. Two numbers in one folder name nobody.
fn the_only_device(scan: &Scan, rules: &Rules) -> Option<DeviceId> {
    let mut told = scan.files.iter().filter_map(|found| match rules.recognise(slashed(&found.relative)) {
        Recognition::Recognised(item) => item.device,
        Recognition::Unrecognised(unknown) => unknown.device,
    });
    let first = told.next()?;
    told.all(|other| other == first).then_some(first)
}

fn unreadable(ignored: &Ignored) -> Stay {
    let snapshot = Snapshot { length: 0, modified: Timestamp::UNIX_EPOCH };
    Stay { name: shown(&ignored.relative), snapshot, kind: None, left: Left::Unlisted(ignored.why.clone()) }
}

fn is_hidden(path: &Path) -> bool {
    // One dot hides a file; a name that begins with two was made to lead elsewhere, and is footage all the same.
    let hides = |name: &[u8]| name.starts_with(b".") && !name.starts_with(b"..");
    path.components().any(|part| hides(part.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests;
