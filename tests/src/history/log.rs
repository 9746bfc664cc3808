//! What the docks were told: the word that was given, to be compared with what became of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::Context;
use custos_dock::journal::{Entry, Journal, JournalError, Stage};
use custos_domain::{digest::Root, dsse::Envelope, ids::UploadId, recorder::safe_name};

/// Receipts, permits and offsets that were handed out, and the files they are about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// The recorders' files by their shown name, each with the bytes it had.
    pub files: BTreeMap<String, BTreeSet<Root>>,
    /// Receipts, each with the file's shown name when it is known.
    pub receipts: Vec<(Option<String>, Envelope)>,
    /// Permits.
    pub permits: Vec<Envelope>,
    /// Files that a dock erased: the permit it had, when it had one.
    pub erased: Vec<(String, Option<Envelope>)>,
    /// Offsets as answered, in the order of the answers.
    pub offsets: Vec<(UploadId, u64)>,
    /// State folders of docks whose journals are read with the world.
    pub journals: Vec<PathBuf>,
}

impl Log {
    /// Remembers the bytes of every file below a recorder's folder. Call it before the docking.
    pub fn recorder(mut self, folder: &Path) -> anyhow::Result<Self> {
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))? {
                let entry = entry?;
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let mut hasher = blake3::Hasher::new();
                    hasher.update_reader(std::fs::File::open(&path)?)?;
                    let name = shown(path.strip_prefix(folder)?);
                    self.files.entry(name).or_default().insert(Root(*hasher.finalize().as_bytes()));
                }
            }
        }
        Ok(self)
    }

    /// Reads the journal in this state folder, too, whenever the world is read.
    #[must_use]
    pub fn journal(mut self, state: PathBuf) -> Self {
        self.journals.push(state);
        self
    }

    /// Remembers a receipt as ingest answered it to a client without a journal.
    pub fn receipt(&mut self, body: &serde_json::Value) -> anyhow::Result<()> {
        self.receipts.push((None, serde_json::from_value(body.clone()).context("no receipt")?));
        Ok(())
    }

    /// Remembers a permit likewise.
    pub fn permit(&mut self, body: &serde_json::Value) -> anyhow::Result<()> {
        self.permits.push(serde_json::from_value(body.clone()).context("no permit")?);
        Ok(())
    }

    /// Adds what the journals hold. A dock that never ran has none.
    pub(super) fn read_journals(&mut self, folders: &[PathBuf]) -> anyhow::Result<()> {
        for folder in folders {
            match Journal::read_beside(folder) {
                Ok((entries, _begun)) => entries.into_iter().for_each(|entry| self.entry(entry)),
                Err(JournalError::None(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn entry(&mut self, Entry { name, stage, .. }: Entry) {
        if let Some((_, _, receipt)) = stage.receipted() {
            self.receipts.push((Some(name.clone()), receipt.clone()));
        }
        match stage {
            Stage::Permitted { permit, .. } => self.permits.push(permit),
            Stage::Erased { permit, .. } => {
                self.permits.push(permit.clone());
                self.erased.push((name, Some(permit)));
            }
            Stage::Seen | Stage::Hashed { .. } | Stage::Uploading { .. } | Stage::Receipted { .. } => {}
        }
    }
}

fn shown(path: &Path) -> String {
    safe_name(path.as_os_str().as_encoded_bytes())
}
