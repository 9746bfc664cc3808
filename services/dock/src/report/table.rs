//! The table a person reads at the end of a docking.

use std::fmt::Write;

use custos_domain::calendar;
use indicatif::HumanBytes;

use super::{Line, Outcome, Report};

impl Report {
    /// The table for a person, and under it what was left and ignored.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.lines.iter().filter(|line| line.code.is_some()).map(row));
        let mut text = if rows.len() > 1 { aligned(&rows) + "\n" } else { String::new() };
        section(&mut text, "left on the recorder", self.with(Outcome::Left).map(with_reason));
        section(
            &mut text,
            "deposited, not erased",
            self.lines.iter().filter(|line| line.to_be_erased).map(with_reason),
        );
        section(&mut text, "not footage, ignored", self.ignored.iter().map(|(name, why)| format!("{name}: {why}")));
        section(&mut text, "please note", self.remarks.iter().cloned());
        text + &self.summary() + "\n"
    }

    /// How many files of each outcome, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |outcome| self.with(outcome).count();
        let device = self.device.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let (new, before, erased) =
            (count(Outcome::Deposited), count(Outcome::DepositedBefore), count(Outcome::Erased));
        let left = count(Outcome::Left);
        format!(
            "recorder {device}: {new} deposited, {before} deposited before, {erased} deposited and erased, {left} left"
        )
    }
}

const HEAD: [&str; 9] =
    ["unified code", "kind", "recorder", "officer", "size", "blake3", "locked until", "result", "file"];

fn row(line: &Line) -> [String; 9] {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let variant = line.code.as_ref().is_some_and(|code| code.key().variant.is_some());
    let result = match (line.result, variant) {
        (Outcome::Deposited, false) => "deposited",
        (Outcome::Deposited, true) => "deposited as a variant",
        (Outcome::DepositedBefore, _) => "deposited before",
        (Outcome::Erased, _) => "deposited, erased",
        (Outcome::Left, _) => "left",
    };
    [
        text(line.code.as_ref().map(ToString::to_string)),
        text(line.kind.map(|kind| kind.to_string())),
        text(line.device.as_ref().map(ToString::to_string)),
        text(line.officer.as_ref().map(ToString::to_string)),
        HumanBytes(line.bytes).to_string(),
        text(line.blake3.map(|root| root.short())),
        text(line.locked_until.map(|until| calendar::day(until).to_string())),
        result.to_owned(),
        if line.key_file { format!("{} (key file)", line.name) } else { line.name.clone() },
    ]
}

fn with_reason(line: &Line) -> String {
    let reason = line.reason.as_deref().unwrap_or("no reason given");
    format!("{}: {reason}", line.name)
}

/// Columns as wide as their widest cell. All but the last are ASCII.
fn aligned(rows: &[[String; 9]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string does not fail.
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.push_str(&row[8]);
        text.push('\n');
    }
    text
}

fn section(text: &mut String, title: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<String> = entries.collect();
    if !entries.is_empty() {
        let _ = writeln!(text, "{title} ({}):\n  {}\n", entries.len(), entries.join("\n  "));
    }
}
