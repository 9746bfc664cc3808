//! The journal's file: opening it, also when it is damaged or hostile, and saying what to do then.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{Builder, ConcurrencyMode, Database, DatabaseError};

use super::{Begun, DOCKINGS, Entry, FILES, Journal, OUTBOARDS, all};

/// The file's name in the state folder.
const NAME: &str = "journal.redb";
/// Memory for pages. The library would take a GiB.
const CACHE: usize = 8 << 20;

/// What can be wrong with the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The state folder cannot be made or opened.
    #[error("cannot use the state folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is none yet.
    #[error("no journal in {0}: nothing was docked with this state folder yet")]
    None(PathBuf),
    /// Another dock has it.
    #[error("another custos-dock is using the journal {0}: wait until it ends, or give this one a --state of its own")]
    InUse(PathBuf),
    /// The file is not one, or damaged.
    #[error(
        "the journal {path} cannot be read ({detail}): move the file aside and start again; nothing is lost, files already \
         deposited are recognised by ingest"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// One row is not what it should be.
    #[error(
        "the journal's row {key} cannot be read ({detail}): move the journal aside and start again; nothing is lost"
    )]
    Unreadable {
        /// The row.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// The disk failed, or is full.
    #[error("the journal cannot be read or written")]
    Storage(#[from] Box<redb::Error>),
    /// The database gave up in the middle.
    #[error("the journal's database failed")]
    Panicked,
}

impl Journal {
    /// Opens the journal in `folder`, making both if need be, and reads it whole once: a damaged one is told now, not in the
    /// middle of a docking. Blocking.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        std::fs::create_dir_all(folder).map_err(|source| JournalError::Folder { path: folder.to_owned(), source })?;
        let path = folder.join(NAME);
        guarded(&path, || {
            if !path.exists() {
                make(folder, &path)?;
            }
            let database = builder().set_check_integrity_on_open(true).open(&path)?;
            prepare(&database)?;
            Ok(Self(Arc::new(database)))
        })
    }

    /// Reads every entry beside a running dock, changing nothing. Blocking.
    pub fn read_beside(folder: &Path) -> Result<Vec<Entry>, JournalError> {
        let path = folder.join(NAME);
        if !path.exists() {
            return Err(JournalError::None(folder.to_owned()));
        }
        let entries = guarded(&path, || match builder().open_read_only(&path) {
            Ok(database) => all(&database, FILES),
            // The last dock was killed: only a writer may repair what it left.
            Err(DatabaseError::RepairAborted) => all(&builder().open(&path)?, FILES),
            Err(error) => Err(error.into()),
        })?;
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }
}

/// Makes an empty journal beside its place and moves it there whole: a dock killed while the database writes its first pages
/// would otherwise leave a file that is none.
fn make(folder: &Path, path: &Path) -> Result<(), JournalError> {
    let of_folder = |source| JournalError::Folder { path: folder.to_owned(), source };
    let begun = tempfile::Builder::new().prefix("journal-new-").tempfile_in(folder).map_err(of_folder)?;
    let database = builder().create(begun.path())?;
    prepare(&database)?;
    drop(database);
    begun.as_file().sync_all().map_err(of_folder)?;
    match begun.persist_noclobber(path) {
        Ok(_) => Ok(()),
        // Another dock made it in the same moment.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(of_folder(error.error)),
    }
}

fn prepare(database: &Database) -> Result<(), JournalError> {
    let transaction = database.begin_write()?;
    for table in [FILES, OUTBOARDS, DOCKINGS] {
        transaction.open_table(table)?;
    }
    transaction.commit()?;
    all::<Entry>(database, FILES)?;
    all::<Begun>(database, DOCKINGS).map(drop)
}

/// One process writes, others may read: `status` works beside `watch`.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Runs what first touches the file. The database checks itself on opening, but its authors do not promise that no damaged page
/// ever makes it panic; a panic here means the same as an error.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, JournalError>) -> Result<T, JournalError> {
    let damaged = |detail: String| JournalError::Damaged { path: path.to_owned(), detail };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Err(JournalError::Storage(error))) => Err(match *error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                JournalError::InUse(path.to_owned())
            }
            redb::Error::Io(source) if is_of_the_folder(&source) => {
                JournalError::Folder { path: path.to_owned(), source }
            }
            other => damaged(other.to_string()),
        }),
        Ok(Err(JournalError::Unreadable { key, detail })) => Err(damaged(format!("row {key}: {detail}"))),
        Ok(outcome) => outcome,
        Err(_panic) => Err(damaged("its pages contradict each other".to_owned())),
    }
}

/// Whether the trouble is with the folder or disk; anything else an access can end in comes of what is in the file.
fn is_of_the_folder(error: &io::Error) -> bool {
    use io::ErrorKind::{
        IsADirectory, NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    matches!(
        error.kind(),
        PermissionDenied | ReadOnlyFilesystem | StorageFull | QuotaExceeded | NotADirectory | IsADirectory
    )
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for JournalError {
            fn from(error: $error) -> Self {
                Self::Storage(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(DatabaseError, redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);
