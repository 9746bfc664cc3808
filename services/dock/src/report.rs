//! What became of each file, for the person at the station and for scripts.

mod table;

use custos_domain::{
    digest::Root,
    fact::LeftFile,
    ids::{DeviceId, DockingId, OfficerId, UploadId},
    item::{ItemKind, UnifiedCode},
    recorder::safe_name,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    deposit::Deposit,
    erase::NotErased,
    exit::Exit,
    left::Left,
    plan::{Job, Stay},
    scan::Found,
};

/// Files ingest takes in one list. A medium with more is broken; then the rest is handed in without having been listed.
pub const MOST_LISTED: usize = 20_000;

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored and locked in this docking.
    Deposited,
    /// Stored and locked in an earlier docking.
    DepositedBefore,
    /// Stored, locked, permitted and erased from the recorder.
    Erased,
    /// Still on the recorder and not deposited.
    #[default]
    Left,
}

/// One file of a docking; in `--json` output, one line.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Line {
    /// The docking, when it was opened at ingest.
    pub docking: Option<DockingId>,
    /// Path on the recorder, made printable.
    pub name: String,
    /// What became of it.
    pub result: Outcome,
    /// Why it was left, or why a deposited one was not erased.
    pub reason: Option<String>,
    /// A stable name of the reason a file was left.
    pub reason_code: Option<&'static str>,
    /// Whether docking again later can help without a person changing anything.
    #[serde(skip)]
    pub passing: bool,
    /// The unified code by ingest's receipt.
    pub code: Option<UnifiedCode>,
    /// Video, photograph or audio.
    pub kind: Option<ItemKind>,
    /// The recorder.
    pub device: Option<DeviceId>,
    /// The wearer, when known.
    pub officer: Option<OfficerId>,
    /// 重點文件.
    pub key_file: bool,
    /// The naming rule that understood the name.
    pub naming_rule: Option<String>,
    /// Length.
    pub bytes: u64,
    /// BLAKE3 of the bytes.
    pub blake3: Option<Root>,
    /// The upload at ingest.
    pub upload: Option<UploadId>,
    /// The lock by ingest's receipt.
    pub locked_until: Option<Timestamp>,
    /// Whether it shall be erased and is not.
    pub to_be_erased: bool,
}

impl Line {
    /// A planned file and how its deposit ended.
    #[must_use]
    pub fn of_job(docking: &DockingId, job: &Job, outcome: &Result<Deposit, Left>) -> Self {
        let base = Self {
            docking: Some(docking.clone()),
            device: Some(job.device.clone()),
            officer: job.officer.clone(),
            key_file: job.key_file,
            naming_rule: job.naming_rule.clone(),
            ..Self::bare(&job.name, job.found.snapshot.length, Some(job.kind))
        };
        match outcome {
            Ok(deposit) => {
                let receipt = deposit.receipt();
                Self {
                    result: if deposit.again { Outcome::DepositedBefore } else { Outcome::Deposited },
                    code: Some(receipt.code.clone()),
                    blake3: Some(receipt.root),
                    upload: Some(deposit.receipted.upload.clone()),
                    locked_until: Some(receipt.locked_until),
                    ..base
                }
            }
            Err(left) => base.left(left),
        }
    }

    /// A file that stayed before anything was tried.
    #[must_use]
    pub fn of_stay(docking: Option<&DockingId>, device: Option<&DeviceId>, stay: &Stay) -> Self {
        let base = Self::bare(&stay.name, stay.snapshot.length, stay.kind);
        Self { docking: docking.cloned(), device: device.cloned(), ..base }.left(&stay.left)
    }

    /// How erasing a deposited file ended.
    pub fn set_erased(&mut self, outcome: &Result<(), NotErased>) {
        match outcome {
            Ok(()) => self.result = Outcome::Erased,
            Err(not_erased) => {
                self.to_be_erased = true;
                self.passing = not_erased.is_passing();
                self.reason = Some(not_erased.to_string());
            }
        }
    }

    fn bare(name: &str, bytes: u64, kind: Option<ItemKind>) -> Self {
        Self { name: name.to_owned(), bytes, kind, ..Self::default() }
    }

    fn left(self, left: &Left) -> Self {
        let (reason, reason_code) = (Some(left.to_string()), Some(left.code()));
        Self { result: Outcome::Left, reason, reason_code, passing: left.is_passing(), ..self }
    }
}

/// One docking from beginning to end.
#[derive(Debug, Clone)]
pub struct Report {
    /// The docking, when it was opened at ingest.
    pub docking: Option<DockingId>,
    /// The recorder, as far as anything named it.
    pub device: Option<DeviceId>,
    /// Every file that is, or may be, footage.
    pub lines: Vec<Line>,
    /// What is no footage, with the reason.
    pub ignored: Vec<(String, String)>,
    /// What a person should know.
    pub remarks: Vec<String>,
    /// Every file that was listed and not erased, footage or not.
    pub remaining: Vec<Found>,
}

impl Report {
    /// Files with this outcome.
    pub fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.result == outcome)
    }

    /// Codes of all files that ingest has, each once.
    #[must_use]
    pub fn deposited(&self) -> Vec<UnifiedCode> {
        let codes: std::collections::BTreeSet<_> = self.lines.iter().filter_map(|line| line.code.clone()).collect();
        codes.into_iter().collect()
    }

    /// Names of all files that ingest has.
    #[must_use]
    pub fn arrived(&self) -> Vec<String> {
        let came = self.lines.iter().filter(|line| line.code.is_some());
        came.take(MOST_LISTED).map(|line| line.name.clone()).collect()
    }

    /// Files that stay, each with its reason.
    #[must_use]
    pub fn left(&self) -> Vec<LeftFile> {
        let left = self.with(Outcome::Left);
        left.map(|line| left_file(&line.name, line.reason.as_deref().unwrap_or_default())).collect()
    }

    /// How many files were erased.
    #[must_use]
    pub fn erased(&self) -> u32 {
        u32::try_from(self.with(Outcome::Erased).count()).unwrap_or(u32::MAX)
    }

    /// Whether trying again later can help without a person changing anything.
    #[must_use]
    pub fn worth_trying_again(&self) -> bool {
        self.lines.iter().any(|line| line.passing)
    }

    /// Whether the recorder went away in the middle.
    #[must_use]
    pub fn unplugged(&self) -> bool {
        self.lines.iter().any(|line| line.reason_code == Some("unplugged"))
    }

    /// The exit code this docking deserves: files left only for want of ingest make it "unavailable".
    #[must_use]
    pub fn exit(&self) -> Exit {
        let left: Vec<&Line> = self.with(Outcome::Left).collect();
        if !left.is_empty() && left.iter().all(|line| line.reason_code == Some("unavailable")) {
            return Exit::Unavailable;
        }
        if left.is_empty() && !self.lines.iter().any(|line| line.to_be_erased) { Exit::Done } else { Exit::Left }
    }

    /// One JSON object a line.
    pub fn json(&self) -> serde_json::Result<String> {
        let lines: Result<Vec<_>, _> = self.lines.iter().map(serde_json::to_string).collect();
        Ok(lines?.into_iter().map(|line| line + "\n").collect())
    }
}

/// A file that stays, as ingest takes it: the reason printable and no longer than a name.
#[must_use]
pub fn left_file(name: &str, reason: &str) -> LeftFile {
    LeftFile { name: name.to_owned(), reason: safe_name(reason.as_bytes()) }
}

#[cfg(test)]
mod tests;
