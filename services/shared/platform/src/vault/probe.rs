//! The capability probe: what an S3 server promises is not believed, it is tried.
//!
//! A server may answer 200 and drop a header it does not know: Ceph RGW 16.2 creates multipart uploads without the lock that was
//! asked for (tried). So every property an invariant rests on is tried here, through the same calls that carry footage, on scratch
//! keys in a bucket of its own and under locks of half a minute. In reading order:
//!
//! 1. [`check`]: what a check is, and what can come of it; [`StoreMode`]: what is asked of the store.
//! 2. `buckets`, `locks`, `holds`, `defaults`, `creation`, `sessions`, `checksums`, `multipart`, `canary`, `listing`, `clock`: the
//!    checks, one file for each family.
//! 3. `scratch`: where they try it. `tidy`: what they leave behind is removed once its locks have run out.
//! 4. [`report`]: what came of it, for people, programs and metrics; `record`: the last report, kept in the store.

mod buckets;
mod canary;
pub mod check;
mod checksums;
mod clock;
mod creation;
mod defaults;
mod holds;
mod listing;
mod locks;
mod metrics;
mod multipart;
mod record;
pub mod report;
mod scratch;
mod sessions;
mod tidy;

pub use check::{Check, Finding, Outcome, ProbeArgs, StoreMode, Weight};
pub use report::{Report, Verdict};
pub use tidy::Tidied;

use futures::{FutureExt as _, StreamExt as _, stream};
use scratch::Scratch;

use super::{StoreError, Vault};
use crate::clock::Clock;

/// Checks under way at once: a probe at start-up must be quick, and must not be what slows the store down.
const SIDE_BY_SIDE: usize = 6;

/// Every check, family by family.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    let families: [&'static [Check]; 11] = [
        &buckets::CHECKS,
        &locks::CHECKS,
        &holds::CHECKS,
        &defaults::CHECKS,
        &creation::CHECKS,
        &sessions::CHECKS,
        &checksums::CHECKS,
        &multipart::CHECKS,
        &canary::CHECKS,
        &listing::CHECKS,
        &clock::CHECKS,
    ];
    families.into_iter().flatten()
}

impl Vault {
    /// Tries everything once. Fails only when the store does not answer at all; a check that cannot be tried is a finding.
    ///
    /// Keys are unique to the run, so any number of processes may probe at once.
    pub async fn probe(&self, mode: StoreMode, clock: &Clock) -> Result<Report, StoreError> {
        let scratch = Scratch::new(self.clone(), clock).await?;
        let scratch = &scratch;
        let trial =
            |(place, check): (usize, &'static Check)| async move { (place, check.find(mode, scratch).await) }.boxed();
        let trials: Vec<_> = checks().enumerate().map(trial).collect();
        let mut findings: Vec<(usize, Finding)> = stream::iter(trials).buffer_unordered(SIDE_BY_SIDE).collect().await;
        findings.sort_by_key(|(place, _)| *place);
        let findings = findings.into_iter().map(|(_, finding)| finding).collect();
        let report = Report { mode, at: scratch.began(), took_ms: scratch.elapsed_ms(), findings };
        metrics::record(&report);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const README: &str = include_str!("../../../../../deploy/s3/README.md");

    #[test]
    fn every_check_has_a_name_of_its_own_and_is_in_the_administrators_table() {
        let ids: BTreeSet<&str> = checks().map(|check| check.id).collect();
        assert_eq!(ids.len(), checks().count());
        for Check { id, tried, weight, why, .. } in checks() {
            let weight = match weight {
                Weight::Mandatory => "mandatory",
                Weight::Strict => "mandatory in strict mode",
                Weight::Repair => "mandatory in repair mode",
                Weight::Advisory => "advisory",
            };
            let row = format!("| `{id}` | {weight} | {tried} | {why} |");
            assert!(README.contains(&row), "deploy/s3/README.md lacks: {row}");
        }
        assert_eq!(README.matches("\n| `").count(), ids.len(), "a row names no check");
    }

    #[test]
    fn what_repair_makes_up_for_is_mandatory_in_strict_mode_only() {
        let mandatory = |mode| checks().filter(move |check| check.weight.is_mandatory(mode)).map(|check| check.id);
        let strict: BTreeSet<&str> = mandatory(StoreMode::Strict).collect();
        let repair: BTreeSet<&str> = mandatory(StoreMode::Repair).collect();
        assert_eq!(strict.difference(&repair).copied().collect::<Vec<_>>(), ["locks.multipart-header"]);
        let instead: Vec<&str> = repair.difference(&strict).copied().collect();
        assert_eq!(instead, ["buckets.originals-default", "defaults.multipart", "defaults.repair"]);
    }
}
