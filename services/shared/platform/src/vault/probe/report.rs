//! What came of a probe.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Finding, Outcome, StoreMode, buckets};

/// Every check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What was asked of the store.
    pub mode: StoreMode,
    /// When the probe began, by our clock.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Every check, family by family.
    pub findings: Vec<Finding>,
}

/// Whether footage may be given to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything mandatory is kept.
    Fit,
    /// Something mandatory is not.
    Unfit,
    /// The store went away while it was tried; another probe will tell.
    Undecided,
}

impl Report {
    /// Whether footage may be given to the store.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let passing = |finding: &&Finding| matches!(finding.outcome, Outcome::Untried { passing: true, .. });
        match self.failed().map(|finding| passing(&finding)).min() {
            None => Verdict::Fit,
            Some(true) => Verdict::Undecided,
            Some(false) => Verdict::Unfit,
        }
    }

    /// Mandatory checks that are not kept.
    pub fn failed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.mandatory && !finding.outcome.is_kept())
    }

    /// What is wrong, in the order of the checks, and what an administrator can do. Without a probe bucket that is all there is to
    /// say.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let root = self.failed().find(|finding| finding.id == buckets::CHECKS[0].id);
        let failed: Vec<&Finding> = root.map_or_else(|| self.failed().collect(), |root| vec![root]);
        failed.into_iter().map(Finding::complaint).collect()
    }

    /// Advisory checks that are not kept.
    pub fn weak(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.mandatory && !finding.outcome.is_kept())
    }

    /// What came of the check with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.id == id)
    }

    /// What is to be told of this report, given the one before: what is mandatory and not kept, and what was kept before.
    #[must_use]
    pub fn news(&self, before: Option<&Self>) -> Vec<&Finding> {
        let broken = self.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Broken { .. }));
        let was_kept = |finding: &Finding| before?.find(&finding.id).map(|old| old.outcome.is_kept());
        broken.filter(|finding| finding.mandatory || was_kept(finding) == Some(true)).collect()
    }
}

impl Finding {
    /// One line: what is wrong and what an administrator can do.
    #[must_use]
    pub fn complaint(&self) -> String {
        let Self { id, tried, outcome, remedy, .. } = self;
        format!("{id} is {}: {} (tried: {tried}); {remedy}", outcome.name(), outcome.seen())
    }
}

/// A table for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.findings.iter().map(|finding| finding.id.len()).max().unwrap_or_default();
        for finding in &self.findings {
            let weight = if finding.mandatory { "mandatory" } else { "advisory" };
            let (outcome, seen) = (finding.outcome.name(), finding.outcome.seen());
            writeln!(f, "{:width$}  {weight:9}  {outcome:7}  {seen}", finding.id)?;
        }
        let told = self.failed().chain(self.weak());
        for (place, finding) in told.enumerate() {
            let weight = if finding.mandatory { "mandatory" } else { "advisory" };
            let gap = if place == 0 { "\n" } else { "" };
            writeln!(f, "{gap}{} ({weight})", finding.id)?;
            writeln!(f, "    tried:  {}\n    found:  {}", finding.tried, finding.outcome.seen())?;
            writeln!(f, "    why:    {}\n    remedy: {}", finding.why, finding.remedy)?;
        }
        let verdict = match self.verdict() {
            Verdict::Fit => "fit to keep evidence",
            Verdict::Unfit => "NOT fit to keep evidence",
            Verdict::Undecided => "not decided: the store went away, try again",
        };
        let kept = self.findings.iter().filter(|finding| finding.outcome.is_kept()).count();
        let (all, mode, seconds) = (self.findings.len(), self.mode, Duration::from_millis(self.took_ms).as_secs_f64());
        write!(f, "\n{kept} of {all} kept in {seconds:.1} s; in {mode} mode the store is {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, mandatory: bool, outcome: Outcome) -> Finding {
        let text = || "…".to_owned();
        Finding { id: id.to_owned(), tried: text(), mandatory, why: text(), remedy: "do".to_owned(), outcome }
    }

    fn report(findings: Vec<Finding>) -> Report {
        Report { mode: StoreMode::Strict, at: Timestamp::UNIX_EPOCH, took_ms: 1, findings }
    }

    fn away() -> Outcome {
        Outcome::Untried { seen: "away".to_owned(), passing: true }
    }

    #[test]
    fn only_what_is_mandatory_decides_and_a_store_that_is_away_is_not_judged() {
        let weak = || finding("weak", false, Outcome::broken("so"));
        assert_eq!(report(vec![weak(), finding("a", true, Outcome::kept("yes"))]).verdict(), Verdict::Fit);
        assert_eq!(report(vec![weak(), finding("a", true, away())]).verdict(), Verdict::Undecided);
        for outcome in [Outcome::broken("no"), Outcome::untried("forbidden")] {
            let report = report(vec![finding("b", true, away()), finding("a", true, outcome)]);
            assert_eq!(report.verdict(), Verdict::Unfit, "{report}");
        }
    }

    #[test]
    fn without_a_probe_bucket_that_is_all_there_is_to_say() {
        let broken = |id| finding(id, true, Outcome::untried("no such bucket"));
        let told = report(vec![broken("buckets.probe-lock"), broken("locks.extend")]).complaints();
        assert_eq!(told, ["buckets.probe-lock is untried: no such bucket (tried: …); do"]);
    }

    #[test]
    fn news_is_what_must_not_be_and_what_was_not_before() {
        let before = report(vec![
            finding("kept", false, Outcome::kept("")),
            finding("weak", false, Outcome::broken("")),
            finding("must", true, Outcome::broken("")),
        ]);
        let now = report(vec![
            finding("kept", false, Outcome::broken("")),
            finding("weak", false, Outcome::broken("")),
            finding("must", true, Outcome::broken("")),
            finding("new", false, Outcome::broken("")),
            finding("away", true, away()),
        ]);
        let ids = |news: Vec<&Finding>| news.into_iter().map(|finding| finding.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(now.news(Some(&before))), ["kept", "must"]);
        assert_eq!(ids(now.news(None)), ["must"]);
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written_and_a_table_names_every_check() {
        let report = report(vec![finding("a", true, away()), finding("bb", false, Outcome::kept("yes"))]);
        let text = serde_json::to_string(&report).expect("JSON");
        assert_eq!(serde_json::from_str::<Report>(&text).expect("report"), report);
        let table = report.to_string();
        assert!(table.contains("bb  advisory   kept     yes"), "{table}");
        assert!(table.contains("1 of 2 kept"), "{table}");
    }
}
