//! What one input may cost.

use std::time::Duration;

/// What one input may cost. [`Limits::default`] suits a two-core pod with 4 GiB.
///
/// CPU seconds are the honest measure: they do not depend on the neighbours, so running out of them is the input's doing.
/// Elapsed time is only a safety net, far enough above the CPU seconds that it says something about the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// CPU seconds for reading a header or making one small picture, and the base of every longer step.
    pub cpu_base: Duration,
    /// CPU seconds per second of recording, for encoding. Measured: 1080p30 H.264 to 720p takes about 0.35.
    pub cpu_per_second: u32,
    /// Elapsed time is this factor times the CPU seconds, plus [`Limits::cpu_base`] and the time a slow volume takes to read
    /// the file. At least 2: a single busy thread must run out of CPU seconds first.
    pub wall_per_cpu: u32,
    /// Longest time without progress of output time.
    pub stall: Duration,
    /// Address space of one program, bytes. Threads reserve more than they use: below 1 GiB ordinary files fail.
    pub memory: u64,
    /// Largest single allocation FFmpeg may make, bytes (`-max_alloc`).
    pub allocation: u64,
    /// Longest recording, gaps not counted.
    pub max_duration: Duration,
    /// Largest picture, width × height (`-max_pixels`).
    pub max_pixels: u64,
    /// Threads per decoder and per encoder.
    pub threads: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_base: Duration::from_mins(1),
            cpu_per_second: 8,
            wall_per_cpu: 2,
            stall: Duration::from_mins(5),
            memory: 4 << 30,
            allocation: 1 << 30,
            max_duration: Duration::from_hours(24),
            max_pixels: 120_000_000,
            threads: 2,
        }
    }
}

/// What one run of one program may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    pub(super) stall: Duration,
    pub(super) memory: u64,
    /// Largest file the program may write, bytes.
    pub(super) file: u64,
    pub(super) threads: u32,
}

/// A slow network volume still reads this much in a second of elapsed time.
const SLOWEST_READ: u64 = 10 << 20;
/// Taking packets out of a container needs less than a CPU second for this many bytes (measured: 0.15 s for 60 MB).
const CHEAPEST_READ: u64 = 100 << 20;
/// More than the highest bit rate we encode with, bytes per second.
const ENCODED_BYTES_PER_SECOND: u64 = 600_000;
const SMALL_FILE: u64 = 256 << 20;

impl Limits {
    /// For reading a header or making a picture.
    pub(super) fn small(&self) -> Budget {
        self.budget(self.cpu_base, 0, SMALL_FILE)
    }

    /// For reading `bytes` from end to end without decoding.
    pub(super) fn reading(&self, bytes: u64) -> Budget {
        self.budget(self.cpu_base, bytes, SMALL_FILE)
    }

    /// For decoding `media` worth of recording out of `bytes`, and writing a playback copy.
    pub(super) fn converting(&self, bytes: u64, media: Duration) -> Budget {
        let cpu = self.cpu_base.saturating_add(media.saturating_mul(self.cpu_per_second));
        let encoded = media.as_secs().saturating_mul(ENCODED_BYTES_PER_SECOND);
        self.budget(cpu, bytes, SMALL_FILE.saturating_add(bytes.saturating_mul(2)).saturating_add(encoded))
    }

    fn budget(&self, cpu: Duration, read: u64, file: u64) -> Budget {
        let cpu = cpu.saturating_add(Duration::from_secs(read / CHEAPEST_READ));
        let reading = Duration::from_secs(read / SLOWEST_READ);
        let wall = cpu.saturating_mul(self.wall_per_cpu.max(2)).saturating_add(self.cpu_base).saturating_add(reading);
        Budget { cpu, wall, stall: self.stall, memory: self.memory, file, threads: self.threads.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_runs_out_of_cpu_seconds_before_elapsed_time() {
        let limits = Limits { wall_per_cpu: 0, ..Limits::default() };
        for media in [0, 1, 60, 86_400] {
            let budget = limits.converting(8 << 30, Duration::from_secs(media));
            assert!(budget.wall >= budget.cpu * 2);
        }
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let budget = Limits::default().converting(u64::MAX, Duration::from_secs(u64::MAX / 1_000_000));
        assert_eq!(budget.file, u64::MAX);
    }
}
