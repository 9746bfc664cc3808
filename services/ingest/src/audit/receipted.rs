//! Which originals somebody was given a receipt for, and which deposits were stated.

use std::{sync::Arc, time::Duration};

use custos_domain::{ids::UploadId, keys};
use custos_platform::vault::{StoreError, versions::ListedVersion};
use uuid::Uuid;

use super::{Finding, Kind, Walk};
use crate::{
    Ingest,
    deposit::{self, Deposit},
    error::IngestError,
    metrics,
    session::{self, Stage},
};

/// A deposit is stated within moments of its manifest; until then its own commit does it.
const STATING: Duration = Duration::from_mins(1);

impl Walk {
    /// Notes an original that nothing but a manifest can speak for.
    pub(super) async fn original(
        &mut self,
        ingest: &Ingest,
        version: &ListedVersion,
        grace: Duration,
    ) -> Result<(), IngestError> {
        let unreceipted = || Finding { kind: Kind::Unreceipted, object: version.object.clone() };
        let age = version.modified.map(|modified| ingest.clock.now().duration_since(modified));
        if age.and_then(|age| Duration::try_from(age).ok()).is_none_or(|age| age < grace) {
            return Ok(());
        }
        let Some((upload, number)) = ours(&version.object.key) else {
            return self.report(ingest, unreceipted()).await;
        };
        let session = ingest.sessions.load(&upload).await?;
        if !session.is_some_and(|held| !matches!(held.session.stage, Stage::Lost { .. })) {
            self.unsettled.insert(number);
        }
        Ok(())
    }

    /// Strikes out the original a manifest names, names what was found of it, and states its deposit when nobody did.
    pub(super) async fn manifest(&mut self, ingest: &Arc<Ingest>, key: &str) -> Result<(), IngestError> {
        let Some(document) = ingest.vault.read_first(&ingest.vault.buckets().originals, key).await? else {
            return Ok(());
        };
        let deposit = match Deposit::read(&document.bytes, document.object) {
            Ok(deposit) => deposit,
            // It must not stand in the way of the walk.
            Err(error) => {
                tracing::error!(key, error = %error, "a manifest is unreadable");
                return Ok(());
            }
        };
        if let Some((upload, number)) = ours(&deposit.manifest.original.key) {
            self.unsettled.remove(&number);
            for finding in self.nameless.remove(&upload).unwrap_or_default() {
                self.tell_of(ingest, &finding, &deposit.manifest).await?;
            }
        }
        self.without_fact += u64::from(stated_now(ingest, &deposit).await?);
        Ok(())
    }

    /// All originals and all manifests were seen: what is left has no manifest.
    pub(super) async fn settle(&mut self, ingest: &Ingest) -> Result<(), IngestError> {
        metrics::manifests_without_fact(std::mem::take(&mut self.without_fact));
        for number in std::mem::take(&mut self.unsettled) {
            let upload = UploadId::of(Uuid::from_u128(number));
            let Some(begun) = session::begun(&upload) else { continue };
            let originals = &ingest.vault.buckets().originals;
            let rejected = ingest.vault.first_version(originals, &keys::rejected(&upload, begun)).await?;
            let original = ingest.vault.first_version(originals, &keys::original(&upload, begun)).await?;
            if let (None, Some(object)) = (rejected, original) {
                self.tell_nameless(ingest, &Finding { kind: Kind::Unreceipted, object }).await?;
            }
        }
        for finding in std::mem::take(&mut self.nameless).into_values().flatten() {
            self.tell_nameless(ingest, &finding).await?;
        }
        Ok(())
    }
}

/// The upload of an original that lies where ours do, and its number.
fn ours(key: &str) -> Option<(UploadId, u128)> {
    let upload = keys::upload_of(key)?;
    let number = Uuid::parse_str(upload.as_str()).ok()?.as_u128();
    let begun = session::begun(&upload)?;
    (keys::original(&upload, begun) == key).then_some((upload, number))
}

/// States a deposit that was never stated. Answers whether that was so.
async fn stated_now(ingest: &Ingest, deposit: &Deposit) -> Result<bool, IngestError> {
    let age = ingest.clock.now().duration_since(deposit.manifest.ingested_at);
    if Duration::try_from(age).unwrap_or_default() < STATING {
        return Ok(false);
    }
    let key = keys::fact(&deposit::deposited_fact(ingest, deposit));
    if ingest.vault.first_version(&ingest.vault.buckets().log, &key).await?.is_some() {
        return Ok(false);
    }
    tracing::warn!(item = %deposit.manifest.code, "a deposit had not been stated; stating it now");
    match deposit::state(ingest, deposit).await {
        Err(IngestError::Store(error @ StoreError::Unavailable { .. })) => Err(error.into()),
        Err(error) => {
            tracing::error!(item = %deposit.manifest.code, error = %error, "a deposit cannot be stated");
            Ok(true)
        }
        Ok(()) => {
            metrics::reconciled("fact");
            Ok(true)
        }
    }
}
