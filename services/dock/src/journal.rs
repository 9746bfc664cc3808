//! The station's memory: what became of each file, so that a restart or the next plug goes on where it stopped.
//!
//! Convenience only. Ingest is idempotent and every document in here is verified again before it is relied on, so a lost
//! journal costs time and a forged one erases nothing.

mod entry;
mod file;

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use custos_domain::{ids::DockingId, outboard::Outboard};
use jiff::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    entry::{Begun, Entry, FileKey, Stage},
    file::JournalError,
};

/// Files by [`FileKey`], as JSON.
const FILES: TableDefinition<&str, &[u8]> = TableDefinition::new("files.v1");
/// Outboards of files on their way, by [`FileKey`].
const OUTBOARDS: TableDefinition<&str, &[u8]> = TableDefinition::new("outboards.v1");
/// Dockings not yet closed at ingest, by docking id, as JSON.
const DOCKINGS: TableDefinition<&str, &[u8]> = TableDefinition::new("dockings.v1");

/// How long the journal remembers what it needs no more, days.
const REMEMBERED: i64 = 90;

/// The journal of one station; cheap to clone. Each write is on disk when it returns.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The state folder.
    folder: PathBuf,
    /// None after the disk failed, until it can be opened again: the database refuses everything after one failed write.
    database: RwLock<Option<Database>>,
    /// Whether the last access failed.
    failing: AtomicBool,
}

impl Journal {
    /// What became of the file with this key.
    pub async fn entry(&self, key: &FileKey) -> Result<Option<Entry>, JournalError> {
        let key = key.to_string();
        self.off_thread(move |db| read(db, FILES, &key)).await
    }

    /// Remembers what became of a file.
    pub async fn put(&self, key: &FileKey, entry: Entry) -> Result<(), JournalError> {
        let key = key.to_string();
        self.off_thread(move |db| write(db, FILES, &key, &entry)).await
    }

    /// Remembers several files in one step.
    pub async fn put_all(&self, entries: Vec<(FileKey, Entry)>) -> Result<(), JournalError> {
        self.off_thread(move |db| {
            let transaction = db.begin_write()?;
            for (key, entry) in &entries {
                transaction.open_table(FILES)?.insert(key.to_string().as_str(), json(entry)?.as_slice())?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Remembers a file that was read once, with its outboard, in one step.
    pub async fn put_hashed(&self, key: &FileKey, entry: Entry, outboard: Vec<u8>) -> Result<(), JournalError> {
        let key = key.to_string();
        self.off_thread(move |db| {
            let transaction = db.begin_write()?;
            transaction.open_table(FILES)?.insert(key.as_str(), json(&entry)?.as_slice())?;
            transaction.open_table(OUTBOARDS)?.insert(key.as_str(), outboard.as_slice())?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// The outboard of a file on its way; none when it is missing or not one.
    pub async fn outboard(&self, key: &FileKey) -> Result<Option<Outboard>, JournalError> {
        let key = key.to_string();
        self.off_thread(move |db| {
            let table = db.begin_read()?.open_table(OUTBOARDS)?;
            Ok(table.get(key.as_str())?.and_then(|bytes| Outboard::decode(bytes.value()).ok()))
        })
        .await
    }

    /// Drops an outboard that is needed no more.
    pub async fn drop_outboard(&self, key: &FileKey) -> Result<(), JournalError> {
        let key = key.to_string();
        self.off_thread(move |db| remove(db, OUTBOARDS, &key)).await
    }

    /// Every file known here, in the order of device and path.
    pub async fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        self.off_thread(|db| Ok(all(db, FILES)?.into_iter().map(|(_, entry)| entry).collect())).await
    }

    /// Remembers that a docking was opened at ingest.
    pub async fn docking_begun(&self, begun: Begun) -> Result<(), JournalError> {
        self.off_thread(move |db| write(db, DOCKINGS, begun.docking.as_str(), &begun)).await
    }

    /// Forgets a docking that was closed at ingest.
    pub async fn docking_closed(&self, docking: &DockingId) -> Result<(), JournalError> {
        let docking = docking.clone();
        self.off_thread(move |db| remove(db, DOCKINGS, docking.as_str())).await
    }

    /// Dockings that were opened and never closed: the station stopped in the middle.
    pub async fn dockings_open(&self) -> Result<Vec<Begun>, JournalError> {
        self.off_thread(|db| Ok(all(db, DOCKINGS)?.into_iter().map(|(_, begun)| begun).collect())).await
    }

    /// Forgets what is finished and older than ninety days.
    pub async fn prune(&self, now: Timestamp) -> Result<(), JournalError> {
        self.off_thread(move |db| {
            let age = |entry: &Entry| now.as_second() - entry.changed_at.as_second();
            let old = |entry: &Entry| age(entry) > REMEMBERED * 86_400;
            for (key, _) in all::<Entry>(db, FILES)?.iter().filter(|(_, entry)| old(entry)) {
                remove(db, OUTBOARDS, key)?;
                remove(db, FILES, key)?;
            }
            Ok(())
        })
        .await
    }

    /// Whether what should be remembered just now is not.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.0.failing.load(Ordering::Relaxed)
    }

    /// Every access waits for a disk, so none is made on an async thread.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let shared = self.0.clone();
        tokio::task::spawn_blocking(move || shared.access(work)).await.map_err(|_| JournalError::Panicked)?
    }
}

impl Shared {
    /// A disk that was full has room again some time: then the journal goes on with what it last held.
    fn access<T>(&self, work: impl FnOnce(&Database) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let outcome =
            self.reopen().and_then(|()| match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
                Some(database) => work(database),
                None => Err(JournalError::Panicked),
            });
        let outcome = outcome.map_err(|error| error.of_disk(&self.folder));
        if let Err(JournalError::Storage(_) | JournalError::Full(_) | JournalError::Folder { .. }) = &outcome {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let failed_before = self.failing.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            Err(error) if !failed_before => {
                tracing::error!(%error, "the journal failed: going on without it; after a restart files are read again");
            }
            Ok(_) if failed_before => tracing::info!("the journal works again"),
            _ => {}
        }
        outcome
    }

    fn reopen(&self) -> Result<(), JournalError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            *database = Some(file::open(&self.folder)?);
        }
        Ok(())
    }
}

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

fn read<T: DeserializeOwned>(db: &Database, table: Table, key: &str) -> Result<Option<T>, JournalError> {
    let table = db.begin_read()?.open_table(table)?;
    table.get(key)?.map(|value| parse(key, value.value())).transpose()
}

fn write<T: Serialize>(db: &Database, table: Table, key: &str, value: &T) -> Result<(), JournalError> {
    let transaction = db.begin_write()?;
    transaction.open_table(table)?.insert(key, json(value)?.as_slice())?;
    Ok(transaction.commit()?)
}

fn remove(db: &Database, table: Table, key: &str) -> Result<(), JournalError> {
    let transaction = db.begin_write()?;
    transaction.open_table(table)?.remove(key)?;
    Ok(transaction.commit()?)
}

fn all<T: DeserializeOwned>(db: &impl ReadableDatabase, table: Table) -> Result<Vec<(String, T)>, JournalError> {
    let table = db.begin_read()?.open_table(table)?;
    let rows = table.iter()?.map(|row| {
        let (key, value) = row?;
        Ok((key.value().to_owned(), parse(key.value(), value.value())?))
    });
    rows.collect()
}

fn parse<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(value)
        .map_err(|e| JournalError::Unreadable { key: key.escape_debug().to_string(), detail: e.to_string() })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, JournalError> {
    serde_json::to_vec(value).map_err(|e| JournalError::Unreadable { key: String::new(), detail: e.to_string() })
}

#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;
