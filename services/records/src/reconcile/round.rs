use std::{sync::Arc, time::Duration};

use custos_domain::keys;
use custos_platform::{
    db::{self, DbError},
    vault::listing::Page,
};
use jiff::SignedDuration;
use sqlx::PgPool;
use tokio::{sync::Mutex, time::Instant};

use super::recent;
use crate::{
    Records, RecordsError, SCHEMA,
    fold::Known,
    metrics,
    serve::MIGRATIONS,
    walk::{Told, Walk},
};

/// Manifests without an item that are looked at again at the end of a walk, at most.
const MOST_ORPHANS: usize = 10_000;

/// Compares the store with the catalogue, and the catalogue with what should have followed.
#[derive(Debug)]
pub struct Reconciler {
    records: Arc<Records>,
    pool: PgPool,
    pages: u16,
    patience: Duration,
    walks: Mutex<Walks>,
}

/// Where each walk stands. Begins anew with the process.
#[derive(Debug, Default)]
struct Walks {
    recent: Facts,
    full: Facts,
    manifests: Manifests,
    told: Told,
}

/// A walk over facts.
#[derive(Debug, Default)]
struct Facts {
    walk: Walk,
    begun: Option<Instant>,
    unusable: usize,
    late: usize,
}

/// A walk over manifests.
#[derive(Debug, Default)]
struct Manifests {
    walk: Walk,
    begun: Option<Instant>,
    without_item: Vec<String>,
}

impl Reconciler {
    /// A reconciler that walks this many pages a round and waits this long for a step.
    #[must_use]
    pub fn new(records: Arc<Records>, pool: PgPool, pages: u16, patience: Duration) -> Self {
        Self { records, pool, pages, patience, walks: Mutex::default() }
    }

    /// One round.
    pub async fn round(&self) -> Result<(), RecordsError> {
        self.ensure_schema().await?;
        // A store that cannot be walked does not keep others from hearing what the catalogue knows already.
        let walked = self.walk().await;
        self.records.ask_again(self.patience).await.and(walked)
    }

    async fn walk(&self) -> Result<(), RecordsError> {
        let mut walks = self.walks.lock().await;
        let Walks { recent, full, manifests, told } = &mut *walks;
        recent.begin(|| recent::prefixes(self.records.clock.now()));
        if let Some(ended) = self.walk_facts(recent, told).await? {
            metrics::walked("recent", ended.took, self.records.clock.now());
        }
        full.begin(|| vec![keys::FACTS.to_owned()]);
        if let Some(ended) = self.walk_facts(full, told).await? {
            metrics::walked("full", ended.took, self.records.clock.now());
            metrics::differences("full", ended.late);
            metrics::unusable(ended.unusable);
        }
        self.walk_manifests(manifests, told).await
    }

    /// Brings the schema back when somebody dropped it.
    async fn ensure_schema(&self) -> Result<(), RecordsError> {
        match self.records.catalogue.reachable().await.map_err(DbError::from) {
            Err(DbError::Other(error)) => {
                tracing::warn!(%error, "the catalogue's tables cannot be read; making them again");
                Ok(db::migrate(&self.pool, &MIGRATIONS, SCHEMA).await?)
            }
            other => Ok(other?),
        }
    }

    /// Goes on with a walk over facts and indexes what the catalogue lacks. Tells when it came to its end.
    async fn walk_facts(&self, facts: &mut Facts, told: &mut Told) -> Result<Option<Ended>, RecordsError> {
        let Records { vault, catalogue, indexer, .. } = &*self.records;
        for _ in 0..self.pages {
            let Some((Page { objects, disturbed, .. }, step)) = facts.walk.page(vault, &vault.buckets().log).await?
            else {
                break;
            };
            told.disturbed(disturbed);
            let unknown = catalogue.unknown_of(&objects).await?;
            let indexed = indexer.index(&unknown).await?;
            told.unusable(&indexed.unusable);
            facts.late += self.tell_late(&indexed.known);
            facts.unusable += indexed.unusable.len();
            facts.walk.take(step);
        }
        Ok(facts.walk.is_over().then(|| facts.end()))
    }

    /// Counts facts that are news though they were stated long ago.
    fn tell_late(&self, known: &[Known]) -> usize {
        let patience = SignedDuration::try_from(self.patience).unwrap_or(SignedDuration::MAX);
        let now = self.records.clock.now();
        let late = known.iter().filter(|known| now.duration_since(known.fact.at) > patience).count();
        if late > 0 {
            tracing::info!(facts = late, "found facts that no announcement had led to");
            metrics::undelivered(late);
        }
        late
    }

    /// Goes on with the walk over manifests. One without a stated deposit is ingest's to finish; here it is only counted.
    async fn walk_manifests(&self, manifests: &mut Manifests, told: &mut Told) -> Result<(), RecordsError> {
        let Records { vault, catalogue, .. } = &*self.records;
        if manifests.walk.is_over() {
            *manifests = Manifests { walk: Walk::over([keys::MANIFESTS.to_owned()]), ..Manifests::default() };
        }
        let begun = *manifests.begun.get_or_insert_with(Instant::now);
        for _ in 0..self.pages {
            let Some((page, step)) = manifests.walk.page(vault, &vault.buckets().originals).await? else { break };
            told.disturbed(page.disturbed);
            let found: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            manifests.without_item.extend(catalogue.manifests_without_item(&found).await?);
            manifests.without_item.truncate(MOST_ORPHANS);
            manifests.walk.take(step);
        }
        if manifests.walk.is_over() {
            // Most were only on their way when the walk met them.
            let still = catalogue.manifests_without_item(&manifests.without_item).await?;
            metrics::orphans(still.len());
            metrics::differences("manifests", still.len());
            metrics::walked("manifests", begun.elapsed(), self.records.clock.now());
        }
        Ok(())
    }
}

/// A walk that came to its end.
struct Ended {
    took: Duration,
    unusable: usize,
    late: usize,
}

impl Facts {
    /// Begins anew where the last walk ended; goes on where it did not.
    fn begin(&mut self, prefixes: impl FnOnce() -> Vec<String>) {
        if self.walk.is_over() {
            *self = Self { walk: Walk::over(prefixes()), begun: Some(Instant::now()), unusable: 0, late: 0 };
        }
    }

    fn end(&self) -> Ended {
        let took = self.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        Ended { took, unusable: self.unusable, late: self.late }
    }
}
