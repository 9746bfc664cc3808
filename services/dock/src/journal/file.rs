//! The journal's file: opening it, also when it is damaged or hostile, and saying what to do then.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, RwLock, atomic::AtomicBool},
};

use redb::{Builder, ConcurrencyMode, Database, DatabaseError, ReadableDatabase, TableError};

use super::{Begun, DOCKINGS, Entry, FILES, Journal, OUTBOARDS, Shared, all};
use crate::sys;

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
    /// No room.
    #[error("the disk of the state folder {0} is full: make room there; footage is handed in all the same")]
    Full(PathBuf),
    /// The disk failed.
    #[error("the journal cannot be read or written: {0}; check the disk of the state folder")]
    Storage(#[from] Box<redb::Error>),
    /// The database gave up in the middle.
    #[error("the journal's database failed")]
    Panicked,
}

impl Journal {
    /// Opens the journal in `folder`, making both if need be, and reads it whole once: a damaged one is told now, not in the
    /// middle of a docking. Blocking.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let database = RwLock::new(Some(open(folder)?));
        Ok(Self(Arc::new(Shared { folder: folder.to_owned(), database, failing: AtomicBool::new(false) })))
    }

    /// Reads every entry beside a running dock, changing nothing. Blocking.
    pub fn read_beside(folder: &Path) -> Result<(Vec<Entry>, Vec<Begun>), JournalError> {
        let path = folder.join(NAME);
        if !path.exists() {
            return Err(JournalError::None(folder.to_owned()));
        }
        guarded(&path, || match builder().open_read_only(&path) {
            Ok(database) => everything(&database),
            // The last dock was killed: only a writer may repair what it left.
            Err(DatabaseError::RepairAborted) => everything(&builder().open(&path)?),
            Err(error) => Err(error.into()),
        })
    }
}

impl JournalError {
    /// This error, or what a person has to do about the disk of the state folder.
    pub(super) fn of_disk(self, folder: &Path) -> Self {
        match self {
            Self::Storage(error) if is_full(&error) => Self::Full(folder.to_owned()),
            Self::Folder { source, .. } if is_out_of_room(&source) => Self::Full(folder.to_owned()),
            other => other,
        }
    }
}

/// Opens the database in `folder`, making both if need be. Blocking.
pub(super) fn open(folder: &Path) -> Result<Database, JournalError> {
    let of_folder = |source| JournalError::Folder { path: folder.to_owned(), source };
    if !folder.exists() {
        std::fs::create_dir_all(folder).map_err(of_folder)?;
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
        above.map_or(Ok(()), sys::sync_folder).map_err(of_folder)?;
    }
    let path = folder.join(NAME);
    let opened = guarded(&path, || {
        if !path.exists() {
            make(folder, &path)?;
        }
        let database = checking().open(&path)?;
        prepare(&database)?;
        Ok(database)
    });
    opened.map_err(|error| error.of_disk(folder))
}

pub(super) fn everything(database: &impl ReadableDatabase) -> Result<(Vec<Entry>, Vec<Begun>), JournalError> {
    let values = |(_, value)| value;
    Ok((
        all(database, FILES)?.into_iter().map(values).collect(),
        all(database, DOCKINGS)?.into_iter().map(|(_, begun)| begun).collect(),
    ))
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
        // The name must outlive a power cut as the pages do.
        Ok(_) => sys::sync_folder(folder).map_err(of_folder),
        // Another dock made it in the same moment.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(of_folder(error.error)),
    }
}

/// Makes the tables where one is missing, and reads every row. A journal that is whole is not written: the disk may be full.
pub(super) fn prepare(database: &Database) -> Result<(), JournalError> {
    let reading = database.begin_read()?;
    let tables = [FILES, OUTBOARDS, DOCKINGS];
    if tables.iter().any(|table| matches!(reading.open_table(*table), Err(TableError::TableDoesNotExist(_)))) {
        let transaction = database.begin_write()?;
        for table in tables {
            transaction.open_table(table)?;
        }
        transaction.commit()?;
    }
    all::<Entry>(database, FILES)?;
    all::<Begun>(database, DOCKINGS).map(drop)
}

/// One process writes, others may read: `status` works beside `watch`.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Reads every page once on opening.
pub(super) fn checking() -> Builder {
    let mut builder = builder();
    builder.set_check_integrity_on_open(true);
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
            other if is_full(&other) => JournalError::Full(path.to_owned()),
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

fn is_full(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(error) if is_out_of_room(error))
}

fn is_out_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
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
from_redb!(DatabaseError, redb::TransactionError, TableError, redb::StorageError, redb::CommitError);
