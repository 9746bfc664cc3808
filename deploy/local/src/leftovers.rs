//! Temporary folders of test stacks, and what becomes of those that nobody removed.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use tempfile::TempDir;

/// Beginning of every folder's name.
const PREFIX: &str = "custos-stack-";

/// How long the folder of a failed or killed test stays for somebody to look into.
const KEPT: Duration = Duration::from_hours(1);

/// A new folder for a stack. Sweeps away old ones whose stack is gone: a killed test cannot remove its own.
pub(crate) fn fresh_folder() -> anyhow::Result<TempDir> {
    let parent = std::env::temp_dir();
    for entry in fs::read_dir(&parent).with_context(|| format!("reading {}", parent.display()))?.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if ours && is_left_over(&entry.path()) {
            // Another test may be sweeping the same folder.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    tempfile::Builder::new().prefix(PREFIX).tempdir().context("making a temporary folder")
}

/// Says where the logs of a failed test are.
pub(crate) fn tell_kept(folder: &Path) {
    let _ = writeln!(io::stderr(), "the stack's logs are kept for an hour in {}", folder.join("logs").display());
}

/// Whether the stack in `folder` is gone: nobody holds its lock, and it is old.
fn is_left_over(folder: &Path) -> bool {
    let old = fs::metadata(folder)
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > KEPT));
    old && File::open(folder.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok())
}
