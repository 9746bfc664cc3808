//! What the journal knows, for a person or a script, beside a running dock.

use std::{collections::BTreeMap, fmt::Write};

use custos_domain::item::UnifiedCode;
use indicatif::HumanBytes;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::journal::{Begun, Entry, Stage};

/// One file in the journal; in `--json` output, one line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    device: &'a str,
    name: &'a str,
    bytes: u64,
    /// `seen`, `hashed`, `uploading`, `receipted` (awaits its erase permit), `permitted` or `erased`.
    stage: &'static str,
    code: Option<UnifiedCode>,
    reason: Option<&'a str>,
    docking: &'a str,
    changed_at: String,
}

/// One JSON object a line.
pub fn json(entries: &[Entry]) -> serde_json::Result<String> {
    let line = |entry: &Entry| {
        serde_json::to_string(&Line {
            device: entry.device.as_str(),
            name: &entry.name,
            bytes: entry.length,
            stage: entry.stage.name(),
            code: entry.stage.code(),
            reason: entry.trouble.as_deref(),
            docking: entry.docking.as_str(),
            changed_at: entry.changed_at.to_string(),
        })
        .map(|line| line + "\n")
    };
    entries.iter().map(line).collect()
}

/// For a person: how many in each state, each recorder in a line, and by name what needs attention.
#[must_use]
pub fn text(entries: &[Entry], open: &[Begun], zone: &TimeZone) -> String {
    let of = |name: &str| entries.iter().filter(|entry| entry.stage.name() == name).collect::<Vec<_>>();
    let (receipted, permitted, erased) = (of("receipted"), of("permitted"), of("erased"));
    let under_way: Vec<&Entry> =
        entries.iter().filter(|entry| entry.stage.receipted().is_none() && entry.trouble.is_none()).collect();
    let failed: Vec<&Entry> =
        entries.iter().filter(|entry| entry.stage.receipted().is_none() && entry.trouble.is_some()).collect();
    let mut text = format!(
        "{} deposited ({} still on the recorder when last seen, {} erased), {} under way, {} failed\n",
        receipted.len() + permitted.len() + erased.len(),
        receipted.len() + permitted.len(),
        erased.len(),
        under_way.len(),
        failed.len(),
    );
    text += &recorders(entries, open, zone);
    section(&mut text, "failed", &failed, zone);
    section(&mut text, "under way", &under_way, zone);
    section(&mut text, "deposited, without an erase permit so far", &receipted, zone);
    section(&mut text, "permitted and not erased", &permitted, zone);
    text
}

/// A line for each recorder, and whether its docking was not closed: under way, or cut off.
fn recorders(entries: &[Entry], open: &[Begun], zone: &TimeZone) -> String {
    let mut of_device: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        of_device.entry(entry.device.as_str()).or_default().push(entry);
    }
    for begun in open {
        of_device.entry(begun.device.as_str()).or_default();
    }
    let line = |(device, files): (&str, Vec<&Entry>)| {
        let deposited = files.iter().filter(|entry| entry.stage.receipted().is_some()).count();
        let last = files.iter().map(|entry| entry.changed_at).max().map(|at| format!(", last at {}", shown(at, zone)));
        let begun = open.iter().filter(|begun| begun.device.as_str() == device).max_by_key(|begun| begun.at);
        let begun = begun.map(|begun| format!(", docking since {} (or cut off then)", shown(begun.at, zone)));
        let (all, last, begun) = (files.len(), last.unwrap_or_default(), begun.unwrap_or_default());
        format!("  {device}: {deposited} of {all} files deposited{last}{begun}\n")
    };
    let lines: String = of_device.into_iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\nrecorders:\n{lines}") }
}

fn shown(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
}

fn section(text: &mut String, title: &str, entries: &[&Entry], zone: &TimeZone) {
    if entries.is_empty() {
        return;
    }
    let lines: String = entries.iter().map(|entry| line(entry, zone)).collect();
    // Writing to a string does not fail.
    let _ = write!(text, "\n{title} ({}):\n{lines}", entries.len());
}

fn line(entry: &Entry, zone: &TimeZone) -> String {
    let what = match (&entry.stage, &entry.trouble) {
        (_, Some(trouble)) => trouble.clone(),
        (Stage::Uploading { .. }, None) => "being sent".to_owned(),
        (Stage::Seen | Stage::Hashed { .. }, None) => "waiting to be sent".to_owned(),
        (stage, None) => stage.code().map(|code| code.to_string()).unwrap_or_default(),
    };
    let at = shown(entry.changed_at, zone);
    format!("  {} {} ({}, {at}): {what}\n", entry.device, entry.name, HumanBytes(entry.length))
}

#[cfg(test)]
mod tests {
    use custos_domain::ids::{DeviceId, DockingId};
    use jiff::Timestamp;

    use super::*;

    fn entry(name: &str, trouble: Option<&str>) -> Entry {
        Entry {
            device: DeviceId::parse("DSJ00012").expect("device"),
            name: name.to_owned(),
            length: 2048,
            probe: String::new(),
            docking: DockingId::parse("0192-ab").expect("docking"),
            changed_at: Timestamp::UNIX_EPOCH,
            stage: Stage::Seen,
            trouble: trouble.map(str::to_owned),
        }
    }

    #[test]
    fn what_failed_is_told_with_its_reason() {
        let entries = [entry("a.mp4", None), entry("b.mp4", Some("MiB 3 reads differently each time"))];
        let begun = Begun {
            docking: DockingId::parse("0192-cd").expect("docking"),
            device: DeviceId::parse("DSJ00013").expect("device"),
            at: Timestamp::UNIX_EPOCH,
            clock: None,
            files: Vec::new(),
        };
        let text = text(&entries, &[begun], &TimeZone::get("Asia/Shanghai").expect("zone"));
        assert!(text.contains("\n  DSJ00012: 0 of 2 files deposited, last at 1970-01-01 08:00\n"), "{text}");
        assert!(text.contains("DSJ00013: 0 of 0 files deposited, docking since 1970-01-01 08:00"), "{text}");
        assert!(
            text.starts_with("0 deposited (0 still on the recorder when last seen, 0 erased), 1 under way, 1 failed\n"),
            "{text}"
        );
        assert!(text.contains("b.mp4 (2.00 KiB, 1970-01-01 08:00): MiB 3 reads differently each time"), "{text}");
        let json = json(&entries).expect("json");
        assert_eq!(json.lines().count(), 2);
        assert!(json.contains(r#""stage":"seen""#) && json.contains("MiB 3"), "{json}");
    }
}
