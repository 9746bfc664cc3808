//! Where a stack keeps things. The only place that spells a path inside its folder.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::part::Part;

/// The folder of one stack: `data`, `logs`, `pids`, `secrets`, `certificates`, `stack.json`, `stack.env`.
#[derive(Debug, Clone)]
pub struct Folders(PathBuf);

impl Folders {
    /// The stack in `root`, an absolute path.
    pub fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// What `part` stores.
    pub fn data(&self, part: Part) -> PathBuf {
        self.0.join("data").join(part.name())
    }

    /// What `part` prints.
    pub fn log(&self, part: Part) -> PathBuf {
        self.0.join("logs").join(format!("{part}.log"))
    }

    /// Which process `part` is.
    pub fn pid(&self, part: Part) -> PathBuf {
        self.0.join("pids").join(format!("{part}.json"))
    }

    /// A secret of `owner`, which is a part or `admin`.
    pub fn secret(&self, owner: &str, name: &str) -> PathBuf {
        self.0.join("secrets").join(owner).join(name)
    }

    /// A certificate, key or revocation list.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.0.join("certificates").join(name)
    }

    /// A configuration file written for `part`.
    pub fn settings(&self, part: Part, name: &str) -> PathBuf {
        self.0.join("settings").join(part.name()).join(name)
    }

    /// The public keys of those who sign tokens.
    pub fn jwks(&self) -> PathBuf {
        self.0.join("jwks.json")
    }

    /// The public keys of those who sign receipts and seals.
    pub fn trust(&self) -> PathBuf {
        self.0.join("trust.json")
    }

    /// Ports, revocations and what was docked.
    pub fn state(&self) -> PathBuf {
        self.0.join("stack.json")
    }

    /// Shell variables for people.
    pub fn environment(&self) -> PathBuf {
        self.0.join("stack.env")
    }

    /// Held by the one command that is changing the stack.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// What the dock of a station keeps.
    pub fn dock(&self, station: &str) -> PathBuf {
        self.0.join("data").join("docks").join(station)
    }
}

/// Creates a folder that only its owner may enter, and those above it.
pub fn create(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("creating the folder {}", folder.display()))
}

/// Writes a file that only its owner may read, whole or not at all; creates its folder.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let doing = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        create(folder)?;
    }
    let next = path.with_added_extension("next");
    let mut file =
        fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&next).with_context(doing)?;
    file.write_all(content.as_ref()).with_context(doing)?;
    drop(file);
    fs::rename(&next, path).with_context(doing)
}

/// Reads a text file.
pub fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a/b");
        write(&path, "first, longer").expect("write");
        write(&path, "second").expect("write again");
        assert_eq!(read(&path).expect("read"), "second");
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder.path().join("a"))), (0o600, 0o700));
    }
}
