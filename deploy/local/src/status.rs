//! What runs, how it is, and where its log is. Looks only; may be asked while another command is at work.

use std::path::PathBuf;

use anyhow::Context;
use futures::future::try_join_all;

use crate::{
    config::Server, folders::Folders, health::Health, part::Part, process::Process, secrets::Secrets, state::State,
};

/// How one part is.
#[derive(Debug)]
pub struct PartStatus {
    /// Which part.
    pub part: Part,
    /// Its process, if it runs.
    pub process: Option<i32>,
    /// Where it does its work, or tells how it is.
    pub address: String,
    /// Why it is not ready.
    pub trouble: Option<String>,
    /// What it printed.
    pub log: PathBuf,
}

/// Looks at every part of the stack in `folders`.
pub async fn look(folders: &Folders) -> anyhow::Result<Vec<PartStatus>> {
    let state = State::load(folders)?.with_context(|| {
        format!("there is no stack in {}; start one with deploy/local/up", folders.root().display())
    })?;
    let health = Health::new(state.ports, Server::default(), folders, &Secrets::of(folders))?;
    let parts = Part::all().map(async |part| {
        let process = Process::find(&folders.pid(part))?.map(|process| process.id());
        let trouble = match process {
            None => Some("does not run".to_owned()),
            Some(_) => health.check(part).await.err().map(|error| format!("not ready: {error:#}")),
        };
        anyhow::Ok(PartStatus {
            part,
            process,
            address: format!("127.0.0.1:{}", state.ports.telling(part)),
            trouble,
            log: folders.log(part),
        })
    });
    try_join_all(parts).await
}

impl PartStatus {
    /// The line for people.
    pub fn line(&self) -> String {
        let Self { part, process, address, trouble, log } = self;
        let process = process.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let how = trouble.as_deref().unwrap_or("ready");
        format!("  {part:<11} {process:>8}  {address:<16} {how:<14} {}", log.display())
    }
}
