//! Options that bound what is taken in at once, and those of what is looked after in the background.

use std::time::Duration;

use custos_domain::outboard::PART;
use custos_platform::config::seconds;

use crate::{pace, quota, reap};

/// How much is taken in at once.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// Memory for parts under way, in MiB; uploads beyond it wait or are told to come back. An eighth of it is for units that hold
    /// none.
    #[arg(long, env = "CUSTOS_PART_BUDGET_MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=65_536))]
    part_budget_mib: u32,
    /// Parts of 8 MiB on their way to the store at once; more for a store that is far away or large.
    #[arg(long, env = "CUSTOS_PARTS_AT_ONCE", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) parts_at_once: u16,
    /// Declared MiB that may be under way for one recorder; a small upload counts as 8.
    #[arg(long, env = "CUSTOS_DEVICE_QUOTA_MIB", default_value_t = 1 << 20, value_parser = clap::value_parser!(u64).range(8..=1 << 40))]
    device_quota_mib: u64,
    /// Declared MiB that may be under way for one station; a small upload counts as 8.
    #[arg(long, env = "CUSTOS_STATION_QUOTA_MIB", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(8..=1 << 40))]
    station_quota_mib: u64,
    /// KiB a second that a sender must bring on average over a window, or it is cut off and its bytes kept; 0 for no bound.
    #[arg(long, env = "CUSTOS_SLOWEST_SENDER_KIB", default_value_t = 8)]
    slowest_sender_kib: u32,
    /// Seconds of the window in which a sender's speed is measured.
    #[arg(long = "sender-window-seconds", env = "CUSTOS_SENDER_WINDOW_SECONDS", default_value = "60", value_parser = seconds)]
    sender_window: Duration,
}

impl LoadArgs {
    pub(crate) fn parts(&self) -> usize {
        usize::try_from(u64::from(self.part_budget_mib) * (1 << 20) / PART).unwrap_or(usize::MAX)
    }

    pub(crate) fn quotas(&self) -> quota::Limits {
        quota::Limits { device: self.device_quota_mib << 20, station: self.station_quota_mib << 20 }
    }

    pub(crate) fn pace(&self) -> pace::Terms {
        pace::Terms { slowest: u64::from(self.slowest_sender_kib) << 10, window: self.sender_window }
    }
}

/// What is looked after in the background.
#[derive(Debug, clap::Args)]
pub(crate) struct UpkeepArgs {
    /// Seconds between rounds of the reaper.
    #[arg(long = "reap-seconds", env = "CUSTOS_REAP_SECONDS", default_value = "3600", value_parser = seconds)]
    pub(crate) reap_every: Duration,
    /// Seconds after which an upload that nothing comes for is given up and dropped (30 days). Longer than any dock's patience, and
    /// shorter than the store keeps an upload under way (90 days by its required setting).
    #[arg(long = "abandon-after-seconds", env = "CUSTOS_ABANDON_AFTER_SECONDS", default_value = "2592000", value_parser = seconds)]
    abandon_after: Duration,
    /// Seconds after which the session of an upload that ended is dropped (90 days). Its manifest answers the same declaration for ever.
    #[arg(long = "forget-after-seconds", env = "CUSTOS_FORGET_AFTER_SECONDS", default_value = "7776000", value_parser = seconds)]
    forget_after: Duration,
    /// Seconds between rounds of the auditor of the locked buckets.
    #[arg(long = "audit-seconds", env = "CUSTOS_AUDIT_SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) audit_every: Duration,
    /// Pages of a thousand versions that one round audits at most; the next round goes on there.
    #[arg(long, env = "CUSTOS_AUDIT_PAGES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) audit_pages: u16,
    /// Seconds after which an original that nobody was given a receipt for is an incident (a day).
    #[arg(long = "audit-grace-seconds", env = "CUSTOS_AUDIT_GRACE_SECONDS", default_value = "86400", value_parser = seconds)]
    pub(crate) audit_grace: Duration,
}

impl UpkeepArgs {
    pub(crate) fn terms(&self) -> reap::Terms {
        reap::Terms { abandon_after: self.abandon_after, forget_after: self.forget_after }
    }
}
