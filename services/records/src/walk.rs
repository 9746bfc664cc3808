//! Walking a bucket page by page, with rests: a walk goes on where it stopped, so that a round always ends.

use std::collections::{HashSet, VecDeque};

use custos_platform::vault::{
    StoreError, Vault,
    listing::{Cursor, Page},
};

use crate::{load::LoadError, metrics};

/// A walk over some prefixes, one after the other. Begins anew when it has come to the end.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    prefixes: VecDeque<String>,
    cursor: Option<Cursor>,
}

impl Walk {
    /// A walk that is to begin with these prefixes.
    pub(crate) fn over(prefixes: impl IntoIterator<Item = String>) -> Self {
        Self { prefixes: prefixes.into_iter().collect(), cursor: None }
    }

    /// Whether the end was reached.
    pub(crate) fn is_over(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// The next page, and the step that goes past it; none at the end. Until the step is taken the same page comes again.
    pub(crate) async fn page(&self, vault: &Vault, bucket: &str) -> Result<Option<(Page, Step)>, StoreError> {
        let Some(prefix) = self.prefixes.front() else { return Ok(None) };
        let mut page = vault.versions(bucket, prefix, self.cursor.clone()).await?;
        let step = Step(page.next.take());
        Ok(Some((page, step)))
    }

    /// Goes past a page.
    pub(crate) fn take(&mut self, Step(next): Step) {
        if next.is_none() {
            self.prefixes.pop_front();
        }
        self.cursor = next;
    }
}

/// The way past one page.
#[derive(Debug)]
pub(crate) struct Step(Option<Cursor>);

/// What was complained of already: walks meet the same wrong object for ever, a person needs to hear of it once.
#[derive(Debug, Default)]
pub(crate) struct Told(HashSet<String>);

impl Told {
    /// Complains of create-only keys with more than one version, or a delete marker.
    pub(crate) fn disturbed(&mut self, keys: Vec<String>) {
        for key in keys {
            if !self.0.contains(&key) {
                tracing::error!(
                    key,
                    "a create-only key has a second version or a delete marker; the oldest version stands"
                );
                metrics::disturbed();
                self.0.insert(key);
            }
        }
    }

    /// Complains of what is in the custody log and is of no use.
    pub(crate) fn unusable(&mut self, errors: &[LoadError]) {
        for error in errors {
            if self.0.insert(error.to_string()) {
                tracing::error!(%error, "the custody log holds something the catalogue cannot read");
            }
        }
    }
}
