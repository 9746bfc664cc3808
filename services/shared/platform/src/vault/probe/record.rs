//! The last report that was acted on, kept in the store: a restart must not make a store that changed look new.

use custos_domain::keys;

use super::Report;
use crate::vault::{StoreError, Vault};

impl Vault {
    /// The report recorded last, when there is a readable one.
    pub async fn last_report(&self) -> Result<Option<Report>, StoreError> {
        let document = self.read_latest(&self.buckets().probe, keys::PROBE_REPORT).await?;
        Ok(document.and_then(|document| serde_json::from_slice(&document.bytes).ok()))
    }

    /// Records a report in the place of the one before.
    pub async fn record_report(&self, report: &Report) -> Result<(), StoreError> {
        let bucket = &self.buckets().probe;
        let before = self.probe_versions(keys::PROBE_REPORT).await?;
        let bytes = serde_json::to_vec_pretty(report).unwrap_or_default();
        self.write(bucket, keys::PROBE_REPORT, bytes.into(), "application/json").await?;
        for object in before {
            // Its default lock may not have been set by us; what cannot be removed now is a few kilobytes.
            let _ = self.discard_probe(&object, true).await;
        }
        Ok(())
    }
}
