//! The auditor: the locked buckets are read from end to end, slowly and for ever. Whatever no step of ours put there, or left without a
//! lock, becomes an incident; a manifest whose deposit was never stated gets its fact.
//!
//! Ingest does it because it needs no right more for it: it reads locks and versions of both buckets, and it alone knows the
//! sessions. What a full round must remember is one number for each original whose session is forgotten; the manifests, which come
//! after the originals in the order of keys, strike them out.
//!
//! 1. `finding`: what is wrong with a page of versions. Pure.
//! 2. `receipted`: which originals have a manifest, a session or a rejection.
//! 3. `tell`: whose it is, and the incident, once a day for as long as it lasts.

mod finding;
mod receipted;
mod tell;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use custos_domain::{ids::UploadId, keys, manifest::StoredObject};
use custos_platform::vault::{
    StoreError,
    versions::{ListedVersion, VersionMarker},
};
use futures::{StreamExt as _, stream};
use tokio::sync::Mutex;

pub use finding::{Finding, Kind};

use crate::{Ingest, error::IngestError, metrics};

/// Locks read side by side.
const SIDE_BY_SIDE: usize = 8;

/// Audits the locked buckets. Takes no input and may run at any time, also twice at once.
#[derive(Debug)]
pub struct Auditor {
    grace: Duration,
    pages: u16,
    walk: Mutex<Walk>,
}

/// A full round on its way. Begins anew with the process.
#[derive(Debug, Default)]
struct Walk {
    /// Whether the originals are done and the log is being read.
    in_log: bool,
    next: Option<VersionMarker>,
    /// The version listed last: the next page may go on with the same key.
    last: Option<StoredObject>,
    /// Uploads that have an original but no session, as numbers.
    unsettled: HashSet<u128>,
    /// Findings whose item only a manifest can tell.
    nameless: HashMap<UploadId, Vec<Finding>>,
    without_fact: u64,
}

impl Auditor {
    /// An auditor that begins at the beginning, and leaves originals alone until they are this old.
    #[must_use]
    pub fn new(grace: Duration, pages: u16) -> Self {
        Self { grace, pages, walk: Mutex::default() }
    }

    /// One round: goes on where the last one stopped.
    pub async fn round(&self, ingest: &Arc<Ingest>) -> Result<(), IngestError> {
        let mut walk = self.walk.lock().await;
        for _ in 0..self.pages {
            let buckets = ingest.vault.buckets();
            let bucket = if walk.in_log { &buckets.log } else { &buckets.originals };
            let page = ingest.vault.page_of_versions(bucket, "", walk.next.clone()).await?;
            let mut last = walk.last.clone();
            let mut findings = finding::disturbed(&page.listed, &mut last);
            findings.extend(unlocked(ingest, &page.listed).await?);
            for finding in findings {
                walk.report(ingest, finding).await?;
            }
            if !walk.in_log {
                self.originals(ingest, &mut walk, &page.listed).await?;
            }
            (walk.next, walk.last) = (page.next, last);
            if walk.next.is_some() {
                continue;
            }
            if walk.in_log {
                metrics::round_ended("store", ingest.clock.now());
                *walk = Walk::default();
                break;
            }
            walk.settle(ingest).await?;
            (walk.in_log, walk.last) = (true, None);
        }
        Ok(())
    }

    async fn originals(
        &self,
        ingest: &Arc<Ingest>,
        walk: &mut Walk,
        listed: &[ListedVersion],
    ) -> Result<(), IngestError> {
        for version in listed.iter().filter(|version| !version.marker && version.object.key.starts_with("footage/")) {
            walk.original(ingest, version, self.grace).await?;
        }
        let manifests: BTreeSet<&str> = listed.iter().map(|version| version.object.key.as_str()).collect();
        for key in manifests.into_iter().filter(|key| key.starts_with(keys::MANIFESTS)) {
            walk.manifest(ingest, key).await?;
        }
        Ok(())
    }
}

/// Versions that nothing protects from being deleted. A lock that ran out is none of these: it was kept as long as it had to be.
async fn unlocked(ingest: &Ingest, listed: &[ListedVersion]) -> Result<Vec<Finding>, StoreError> {
    let versions = listed.iter().filter(|version| !version.marker).map(|version| version.object.clone());
    let looks: Vec<_> = versions.map(|object| unlocked_one(ingest, object)).collect();
    let mut looks = stream::iter(looks).buffer_unordered(SIDE_BY_SIDE);
    let mut findings = Vec::new();
    while let Some(look) = looks.next().await {
        findings.extend(look?);
    }
    Ok(findings)
}

async fn unlocked_one(ingest: &Ingest, object: StoredObject) -> Result<Option<Finding>, StoreError> {
    match ingest.vault.lock_of(&object).await {
        Ok(None) => Ok(Some(Finding { kind: Kind::Unlocked, object })),
        // Gone since it was listed: that it went is no news, it was not locked then.
        Ok(Some(_)) | Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
