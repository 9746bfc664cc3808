//! The capability probe: what an S3 server promises is not believed, it is tried.
//!
//! A server may answer 200 and drop a header it does not know: Ceph RGW 16.2 creates multipart uploads without the lock that was
//! asked for (tried). So every property an invariant rests on is tried here, through the same calls that carry footage, on scratch
//! keys in a bucket of its own and under locks of a minute. In reading order:
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

use futures::{StreamExt as _, stream};
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
        let trials = checks().enumerate().map(async |(place, check)| (place, check.find(mode, &scratch).await));
        let mut findings: Vec<(usize, Finding)> = stream::iter(trials).buffer_unordered(SIDE_BY_SIDE).collect().await;
        findings.sort_by_key(|(place, _)| *place);
        let findings = findings.into_iter().map(|(_, finding)| finding).collect();
        let report = Report { mode, at: scratch.began(), took_ms: scratch.elapsed_ms(), findings };
        metrics::record(&report);
        Ok(report)
    }
}
