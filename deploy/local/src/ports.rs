//! Loopback ports that no other stack has.
//!
//! A stack owns a block of consecutive ports, so two stacks either share none or meet at once. Blocks lie below the range
//! from which the kernel hands out ports by itself (32768 upwards on Linux): an outgoing connection can never sit on one.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::part::Part;

/// Ports of a block: two for each part, and some for a server that is made of several.
const BLOCK: u16 = 30;

/// Where those begin.
const INNER: u16 = 22;

/// First port of the first block, and the end of the last.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// The block of ports of one stack, by its first port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ports(u16);

impl Ports {
    /// Finds a free block and keeps other stacks from taking it until the lease is dropped. Once one process of the stack
    /// listens, the block is safe without the lease: a block counts as free only when all its ports are.
    pub fn reserve() -> anyhow::Result<(Self, Lease)> {
        for first in RANGE.step_by(usize::from(BLOCK)) {
            let ports = Self(first);
            if let Some(lease) = ports.lease()? {
                return Ok((ports, lease));
            }
        }
        bail!("no {BLOCK} consecutive loopback ports between {} and {} are free", RANGE.start, RANGE.end)
    }

    /// Takes this very block, if it is free.
    pub fn lease(self) -> anyhow::Result<Option<Lease>> {
        let file = lock_file(self.0)?;
        if file.try_lock().is_err() || !self.is_free() {
            return Ok(None);
        }
        Ok(Some(Lease { _locked: file }))
    }

    /// The port on which `part` does its work.
    pub fn work(self, part: Part) -> u16 {
        self.0 + 2 * part as u16
    }

    /// The port on which `part` tells how it is: the admin port of services, the monitor of nats-server.
    pub fn admin(self, part: Part) -> u16 {
        self.work(part) + 1
    }

    /// The port that says most about `part`: where it does its work, or else where it tells how it is.
    pub fn telling(self, part: Part) -> u16 {
        if part.is_service() && !part.has_api() { self.admin(part) } else { self.work(part) }
    }

    /// One of eight more ports, for the inner parts of a server.
    pub fn inner(self, number: u16) -> u16 {
        self.0 + INNER + number.min(BLOCK - INNER - 1)
    }

    fn is_free(self) -> bool {
        (self.0..self.0 + BLOCK).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    }
}

/// Keeps a block of ports for the process that holds it.
#[derive(Debug)]
pub struct Lease {
    _locked: File,
}

/// The file whose lock stands for a block, among the processes of one user.
fn lock_file(first: u16) -> anyhow::Result<File> {
    let folder: PathBuf = std::env::temp_dir().join(format!("custos-ports-{}", nix::unistd::getuid()));
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let path = folder.join(first.to_string());
    File::options().create(true).append(true).open(&path).with_context(|| format!("opening {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stacks_get_different_blocks_and_a_dropped_one_is_free_again() {
        let (first, lease) = Ports::reserve().expect("ports");
        let (second, _lease) = Ports::reserve().expect("ports");
        assert_ne!(first, second);
        assert!(first.lease().expect("look").is_none());
        drop(lease);
        assert!(first.lease().expect("look").is_some());
    }

    #[test]
    fn a_block_with_one_listener_is_taken() {
        let (ports, lease) = Ports::reserve().expect("ports");
        drop(lease);
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.admin(Part::Records))).expect("bind");
        assert!(ports.lease().expect("look").is_none());
    }

    #[test]
    fn no_two_parts_share_a_port_and_all_lie_in_the_block() {
        let ports = Ports(RANGE.start);
        let mut all: Vec<u16> = Part::all().flat_map(|part| [ports.work(part), ports.admin(part)]).collect();
        all.extend((0..8).map(|number| ports.inner(number)));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Part::all().count() * 2 + 8);
        assert!(all.iter().all(|port| (RANGE.start..RANGE.start + BLOCK).contains(port)));
    }
}
