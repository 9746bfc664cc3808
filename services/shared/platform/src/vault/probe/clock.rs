//! The store's clock, which judges every lock.

use std::future::ready;

use super::{Check, Outcome, Weight, scratch::Scratch};
use crate::vault::skew::MAX_SKEW;

pub(super) const CHECKS: [Check; 1] = [Check {
    id: "clock.agrees",
    tried: "the store's Date header is within 5 seconds of our clock",
    weight: Weight::Advisory,
    why: "INV-11: ingest and retention lock nothing for as long as the clocks disagree",
    remedy: "synchronise the clocks of this machine and the store's (chrony, ntpd)",
    trial: |scratch| Box::pin(ready(Ok(agrees(scratch)))),
}];

fn agrees(scratch: &Scratch) -> Outcome {
    let skew_ms = scratch.skew_ms;
    Outcome::when(i128::from(skew_ms.abs()) <= MAX_SKEW.as_millis(), format!("{skew_ms} ms apart"))
}
