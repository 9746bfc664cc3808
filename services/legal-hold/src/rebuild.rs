//! `custos-legal-hold rebuild`: fills an empty or restored database from the custody log. May run beside the service, and again.

use std::collections::BTreeSet;

use custos_domain::{item::UnifiedCode, keys};
use custos_platform::item;

use crate::{LegalHold, error::LegalHoldError, ledger::ItemRef};

impl LegalHold {
    /// Walks the whole log. Answers how many holds or steps were added.
    pub async fn rebuild(&self) -> Result<usize, LegalHoldError> {
        let (mut recovered, mut cursor) = (0, None);
        loop {
            let page = self.vault.versions(&self.vault.buckets().log, keys::FACTS, cursor).await?;
            // An item's facts lie together, so a page names it once or runs on into the next.
            let codes: BTreeSet<UnifiedCode> = page.objects.iter().filter_map(|object| held(&object.key)).collect();
            for code in codes {
                let Some(manifest) = item::manifest(&self.vault, &code).await? else {
                    tracing::error!(item = %code, "the log has a hold on an item that has no manifest");
                    continue;
                };
                recovered += self.recover(&ItemRef::from(&manifest)).await?;
            }
            match page.next {
                Some(next) if !self.lifecycle.is_draining() => cursor = Some(next),
                _ => return Ok(recovered),
            }
        }
    }
}

/// The item, when the key is that of a hold being placed.
fn held(key: &str) -> Option<UnifiedCode> {
    let (folder, name) = key.rsplit_once('/')?;
    name.starts_with("hold_placed-")
        .then(|| folder.rsplit('/').next())
        .flatten()
        .and_then(|code| UnifiedCode::parse(code).ok())
}
