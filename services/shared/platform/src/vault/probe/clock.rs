//! The store's clock, which judges every lock.

use std::future::ready;

use super::{Check, Outcome, Weight, scratch::Scratch};

/// Seconds the two clocks may differ before nothing is locked any more; the store tells whole seconds only.
const MAX_SKEW: i64 = 5;

pub(super) const CHECKS: [Check; 1] = [Check {
    id: "clock.agrees",
    tried: "the store's Date header is within 5 seconds of our clock",
    weight: Weight::Advisory,
    why: "INV-11: ingest and retention lock nothing for as long as the clocks disagree",
    remedy: "synchronise the clocks of this machine and the store's (chrony, ntpd)",
    trial: |scratch| Box::pin(ready(Ok(agrees(scratch)))),
}];

fn agrees(scratch: &Scratch) -> Outcome {
    let skew = scratch.skew;
    Outcome::when(skew.abs() <= MAX_SKEW, format!("{skew} s apart"))
}
