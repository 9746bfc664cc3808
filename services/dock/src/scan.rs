//! What is on a recorder: a walk that follows nothing, opens nothing and changes nothing.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use walkdir::{DirEntry, WalkDir};

/// Deepest folder looked into; recorders nest two or three deep, and a damaged file system nests without end.
const MAX_DEPTH: usize = 16;

/// A file as it was when it was listed: as long as both agree, it is taken as the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// Bytes.
    pub length: u64,
    /// Last change by the recorder's clock, as the file system tells it.
    pub modified: Timestamp,
}

impl Snapshot {
    /// The snapshot of an open or listed file.
    #[must_use]
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        Self { length: metadata.len(), modified: modified.unwrap_or(Timestamp::UNIX_EPOCH) }
    }
}

/// A regular file on a recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path below the recorder's folder.
    pub relative: PathBuf,
    /// Its state when listed.
    pub snapshot: Snapshot,
}

/// Something on a recorder that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Path below the recorder's folder.
    pub relative: PathBuf,
    /// Why, for a person.
    pub why: String,
}

/// One recorder's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The folder with every symbolic link in its own path resolved.
    pub root: PathBuf,
    /// Regular files, by path.
    pub files: Vec<Found>,
    /// Symbolic links and special files: never followed, never opened.
    pub ignored: Vec<Ignored>,
    /// Folders and entries that could not be looked at: what is in them stays on the recorder.
    pub unreadable: Vec<Ignored>,
}

/// Why a folder is no recorder's.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Missing, not mounted or not permitted.
    #[error("cannot read the folder {path:?} (is the recorder mounted, and may this user read it?)")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or a device.
    #[error("{0:?} is not a folder: give the folder where the recorder is mounted")]
    NotAFolder(PathBuf),
    /// Nothing at all in it.
    #[error("the folder {0:?} is empty: is the recorder mounted there?")]
    Empty(PathBuf),
}

/// Lists a recorder's folder. Blocking.
pub fn scan(folder: &Path) -> Result<Scan, FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: folder.to_owned(), source };
    let root = folder.canonicalize().map_err(unreadable)?;
    if !root.is_dir() {
        return Err(FolderError::NotAFolder(folder.to_owned()));
    }
    if root.read_dir().map_err(unreadable)?.next().is_none() {
        return Err(FolderError::Empty(folder.to_owned()));
    }
    let mut scan = Scan { root: root.clone(), files: Vec::new(), ignored: Vec::new(), unreadable: Vec::new() };
    for entry in WalkDir::new(&root).min_depth(1).max_depth(MAX_DEPTH).follow_links(false).sort_by_file_name() {
        match entry {
            Ok(entry) => scan.take(&entry),
            Err(error) => scan.unreadable.push(unreadable_entry(&root, &error)),
        }
    }
    Ok(scan)
}

/// Whether the recorder is no longer there: unplugged, unmounted, or its mount point left empty.
#[must_use]
pub fn is_gone(root: &Path) -> bool {
    root.read_dir().map_or(true, |mut entries| !entries.any(|entry| entry.is_ok()))
}

impl Scan {
    fn take(&mut self, entry: &DirEntry) {
        let relative = relative(&self.root, entry.path());
        let kind = entry.file_type();
        if kind.is_dir() {
            if entry.depth() == MAX_DEPTH {
                self.unreadable.push(Ignored { relative, why: format!("folders nested deeper than {MAX_DEPTH}") });
            }
        } else if kind.is_file() {
            match entry.metadata() {
                Ok(metadata) => self.files.push(Found { relative, snapshot: Snapshot::of(&metadata) }),
                Err(error) => self.unreadable.push(unreadable_entry(&self.root, &error)),
            }
        } else {
            let what = if kind.is_symlink() { "symbolic link: not followed" } else { "special file: not opened" };
            self.ignored.push(Ignored { relative, why: what.to_owned() });
        }
    }
}

fn unreadable_entry(root: &Path, error: &walkdir::Error) -> Ignored {
    let relative = error.path().map(|path| relative(root, path)).unwrap_or_default();
    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    Ignored { relative, why: format!("cannot be listed: {why}") }
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_and_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir_all(dir.path().join("DCIM/100")).expect("dir");
        std::fs::write(dir.path().join("DCIM/100/b.mp4"), b"12345").expect("write");
        std::fs::write(dir.path().join("a.jpg"), b"").expect("write");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", dir.path().join("passwd.mp4")).expect("link");
            std::os::unix::fs::symlink("..", dir.path().join("DCIM/loop")).expect("link");
        }
        let scan = scan(dir.path()).expect("scan");
        let names: Vec<_> =
            scan.files.iter().map(|f| (f.relative.to_str().expect("utf-8"), f.snapshot.length)).collect();
        assert_eq!(names, [("DCIM/100/b.mp4", 5), ("a.jpg", 0)]);
        #[cfg(unix)]
        assert_eq!(scan.ignored.len(), 2, "{:?}", scan.ignored);
        assert!(scan.unreadable.is_empty());
    }

    #[test]
    fn a_missing_an_empty_and_a_wrong_folder_are_told_apart() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(matches!(scan(dir.path()), Err(FolderError::Empty(_))));
        assert!(matches!(scan(&dir.path().join("none")), Err(FolderError::Unreadable { .. })));
        let file = dir.path().join("file");
        std::fs::write(&file, b"x").expect("write");
        assert!(matches!(scan(&file), Err(FolderError::NotAFolder(_))));
    }

    #[test]
    fn an_unplugged_recorder_leaves_nothing_or_an_empty_mount_point() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(is_gone(dir.path()));
        assert!(is_gone(&dir.path().join("none")));
        std::fs::write(dir.path().join("a"), b"x").expect("write");
        assert!(!is_gone(dir.path()));
    }
}
