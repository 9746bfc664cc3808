//! The worker's verb: every announcement leads to its fact, and the fact to its rows.

use std::sync::Arc;

use custos_platform::worker::{Delivery, Fault};
use custos_proto::ACTS;

use crate::{Records, RecordsError, load::LoadError};

impl Records {
    /// Handles one announcement. Of the message only the key is believed: the fact is read from the store, and of its key the
    /// oldest version.
    pub async fn follow(self: Arc<Self>, delivery: Delivery) -> Result<(), Fault> {
        let announced = delivery.announcement();
        match self.indexer.index_key(&announced.object.key).await {
            // Stated by a newer release while this one still runs. After the upgrade the reconciler finds it.
            Err(RecordsError::Load(LoadError::Unusable { .. })) if !ACTS.contains(&announced.act.as_str()) => {
                tracing::info!(act = %announced.act, "passed by: this release does not know such acts");
                Ok(())
            }
            other => Ok(other?),
        }
    }
}
