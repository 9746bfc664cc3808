//! What a server's process has used, as Linux accounts for it.

use std::time::Duration;

use anyhow::Context;

/// Clock ticks a second in `/proc`; fixed at 100 for user space on Linux.
const TICKS: u64 = 100;

/// A process under observation.
#[derive(Debug, Clone, Copy)]
pub struct Observed(pub u32);

impl Observed {
    /// Processor time so far, in user and kernel mode.
    pub fn cpu(self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        // The second field is the program's name in parentheses, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).context("reading stat");
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * (1000 / TICKS)))
    }

    /// Forgets the highest resident memory so far.
    pub fn forget_peak(self) -> anyhow::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.0), "5").context("forgetting the peak of memory")
    }

    /// The highest resident memory since it was forgotten, in MiB.
    pub fn peak_mib(self) -> anyhow::Result<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024)
    }

    fn read(self, what: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{what}", self.0)).with_context(|| format!("process {} ended", self.0))
    }
}
