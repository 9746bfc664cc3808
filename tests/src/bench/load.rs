//! How many sessions send which files.

use bytes::{Bytes, BytesMut};
use rand::{RngExt as _, SeedableRng, rngs::SmallRng};
use serde::Serialize;

/// A number of sessions that send files of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Uploads under way at once.
    pub sessions: usize,
    /// Files in all.
    pub files: usize,
    /// MiB of each.
    pub mib: usize,
}

/// One long recording, recorders' usual files on few and on many sessions, and the storm of small ones after a shift.
pub const LOADS: [Load; 4] = [
    Load { sessions: 1, files: 1, mib: 1024 },
    Load { sessions: 16, files: 64, mib: 32 },
    Load { sessions: 64, files: 64, mib: 32 },
    Load { sessions: 256, files: 512, mib: 4 },
];

/// More sessions than the memory for parts has room for: must be refused politely and still end.
pub const CROWD: Load = Load { sessions: 1000, files: 1000, mib: 2 };

impl Load {
    /// The same with fewer bytes, to try the benchmark itself: fewer files, and shorter ones where there is only one.
    #[must_use]
    pub fn divided(self, by: usize) -> Self {
        let files = (self.files / by).max(self.sessions.min(self.files));
        let mib = if self.files == 1 { (self.mib / by).max(1) } else { self.mib };
        Self { files, mib, ..self }
    }

    /// Bytes in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.files * self.mib) as u64 * (1 << 20)
    }

    /// The files: noise, as compressed video is to every layer below, and each different from the others.
    #[must_use]
    pub fn files(&self, seed: u64) -> Vec<Bytes> {
        let noise = |index: usize| {
            let mut rng = SmallRng::seed_from_u64(seed ^ (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut file = BytesMut::zeroed(self.mib << 20);
            rng.fill(&mut file[..]);
            file.freeze()
        };
        (0..self.files).map(noise).collect()
    }
}
