//! The only code of the dock that changes anything on a recorder.
//!
//! It takes a [`Permission`], which only [`crate::verify`] makes, and reads the file once more to its end: what is erased is
//! byte for byte what ingest stored, locked, re-read and settled (INV-4).

use std::{fs, io, path::Path};

use tokio_util::sync::CancellationToken;

use crate::{
    read::{self, ReadError, Source},
    sys,
    verify::{Distrust, Permission},
};

/// Why a file is still on the recorder though it is safe.
#[derive(Debug, thiserror::Error)]
pub enum NotErased {
    /// The permit takes its time: independent re-read, then settling.
    #[error("no erase permit yet ({0}): dock again later")]
    NotYet(String),
    /// Ingest does not permit it.
    #[error("no erase permit: {0}")]
    Refused(String),
    /// The permit cannot be believed.
    #[error("the erase permit cannot be believed: {0}")]
    Distrusted(#[from] Distrust),
    /// Not the file that was deposited.
    #[error("it is not the file that was deposited: {0}; dock again to deposit it as it is now")]
    Other(String),
    /// The recorder cannot be written.
    #[error("the recorder is mounted read-only: mount it writable to erase")]
    ReadOnly,
    /// Reading it again or removing it failed.
    #[error("it could not be erased: {0}")]
    Failed(String),
    /// The dock was stopped, or the recorder unplugged.
    #[error("the docking ended before it was erased")]
    Ended,
}

impl NotErased {
    /// Whether docking again later can help without a person changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NotYet(_) | Self::Ended | Self::Other(_))
    }
}

/// Erases the file when it is still exactly what `permission` is for. Blocking.
///
/// `root` is the recorder's folder without symbolic links in its path: a folder that became a link to elsewhere is noticed.
pub fn erase(source: &Source, root: &Path, permission: &Permission, stop: &CancellationToken) -> Result<(), NotErased> {
    let folder = source.path.parent().unwrap_or(root);
    let real = folder.canonicalize().map_err(|e| NotErased::Failed(e.to_string()))?;
    if real != folder || !real.starts_with(root) {
        return Err(NotErased::Other("its folder is not where it was listed".to_owned()));
    }
    let now = read::outboard(source, |_| {}, stop).map_err(|error| match error {
        ReadError::Stopped => NotErased::Ended,
        ReadError::Changed => NotErased::Other("it changed since it was listed".to_owned()),
        other => NotErased::Failed(with_cause(&other)),
    })?;
    if now.len() != permission.length() || now.root() != permission.root() {
        let (found, permitted) = (now.root(), permission.root());
        return Err(NotErased::Other(format!(
            "its bytes are {}, the permit is for {}",
            found.short(),
            permitted.short()
        )));
    }
    fs::remove_file(&source.path).map_err(|error| match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => NotErased::ReadOnly,
        _ => NotErased::Failed(error.to_string()),
    })?;
    // Until the folder is on the medium, unplugging could bring the name back; that costs a docking, nothing else.
    if let Err(error) = sys::sync_folder(folder) {
        tracing::debug!(%error, "the folder was not flushed after erasing");
    }
    tracing::info!(code = %permission.code(), "erased from the recorder under a permit");
    Ok(())
}

fn with_cause(error: &ReadError) -> String {
    match error {
        ReadError::Io { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::PathBuf};

    use super::*;
    use crate::{scan::Snapshot, verify::tests::permission_for};

    struct Recorder(tempfile::TempDir);

    impl Recorder {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("dir");
            fs::create_dir(dir.path().join("DCIM")).expect("dir");
            Self(dir)
        }

        fn root(&self) -> PathBuf {
            self.0.path().canonicalize().expect("root")
        }

        fn file(&self, bytes: &[u8]) -> Source {
            let path = self.root().join("DCIM/clip.mp4");
            fs::write(&path, bytes).expect("write");
            Source { snapshot: Snapshot::of(&path.metadata().expect("metadata")), path }
        }

        fn erase(&self, source: &Source, permitted: &[u8]) -> Result<(), NotErased> {
            erase(source, &self.root(), &permission_for(permitted), &CancellationToken::new())
        }
    }

    #[test]
    fn the_permitted_bytes_are_erased_and_nothing_beside_them() {
        let recorder = Recorder::new();
        let source = recorder.file(b"123456789");
        fs::write(recorder.root().join("DCIM/other.mp4"), b"123456789").expect("write");
        recorder.erase(&source, b"123456789").expect("erased");
        assert!(!source.path.exists() && recorder.root().join("DCIM/other.mp4").exists());
    }

    #[test]
    fn other_bytes_stay_however_they_came_there() {
        let recorder = Recorder::new();
        let source = recorder.file(b"12345678X");
        assert!(matches!(recorder.erase(&source, b"123456789"), Err(NotErased::Other(_))), "one byte differs");
        assert!(matches!(recorder.erase(&source, b"12345678"), Err(NotErased::Other(_))), "shorter");
        fs::write(&source.path, b"123456789 and more").expect("write");
        assert!(matches!(recorder.erase(&source, b"123456789"), Err(NotErased::Other(_))), "grew since it was listed");
        assert!(source.path.exists());
    }

    #[test]
    fn a_touched_file_stays_though_its_bytes_are_the_same() {
        let recorder = Recorder::new();
        let source = recorder.file(b"123456789");
        let later =
            source.path.metadata().and_then(|m| m.modified()).expect("time") + std::time::Duration::from_secs(2);
        File::options().write(true).open(&source.path).and_then(|file| file.set_modified(later)).expect("touch");
        assert!(matches!(recorder.erase(&source, b"123456789"), Err(NotErased::Other(_))));
        assert!(source.path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_put_in_the_place_of_file_or_folder_erases_nothing() {
        let (recorder, elsewhere) = (Recorder::new(), Recorder::new());
        let (source, victim) = (recorder.file(b"123456789"), elsewhere.file(b"123456789"));
        fs::remove_file(&source.path).expect("remove");
        std::os::unix::fs::symlink(&victim.path, &source.path).expect("link");
        assert!(recorder.erase(&source, b"123456789").is_err());
        fs::remove_file(&source.path).expect("remove");
        fs::remove_dir(recorder.root().join("DCIM")).expect("remove");
        std::os::unix::fs::symlink(elsewhere.root().join("DCIM"), recorder.root().join("DCIM")).expect("link");
        assert!(matches!(recorder.erase(&source, b"123456789"), Err(NotErased::Other(_))));
        assert!(victim.path.exists());
    }

    #[test]
    fn a_stopped_erasing_erases_nothing() {
        let recorder = Recorder::new();
        let source = recorder.file(b"123456789");
        let stop = CancellationToken::new();
        stop.cancel();
        let stopped = erase(&source, &recorder.root(), &permission_for(b"123456789"), &stop);
        assert!(matches!(stopped, Err(NotErased::Ended)) && source.path.exists());
    }
}
