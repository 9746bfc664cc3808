//! What a stack remembers from one command to the next.

use std::collections::BTreeSet;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::{
    folders::{self, Folders},
    ports::Ports,
};

/// `stack.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The block of ports.
    pub ports: Ports,
    /// Stations whose sample recorder was docked.
    #[serde(default)]
    pub docked: BTreeSet<String>,
}

impl State {
    /// What was remembered, if anything was.
    pub fn load(folders: &Folders) -> anyhow::Result<Option<Self>> {
        let path = folders.state();
        if !path.exists() {
            return Ok(None);
        }
        let state = serde_json::from_str(&folders::read(&path)?);
        state.map(Some).with_context(|| format!("reading {}", path.display()))
    }

    /// Remembers it.
    pub fn save(&self, folders: &Folders) -> anyhow::Result<()> {
        folders::write(&folders.state(), serde_json::to_vec_pretty(self)?)
    }
}
