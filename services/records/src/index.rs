//! From objects of the custody log to rows: the one way in, for the worker, the reconciler and a rebuild.

use std::time::Duration;

use custos_domain::manifest::StoredObject;
use custos_platform::{db::DbError, vault::Vault};
use futures::{FutureExt as _, StreamExt as _, stream};

use crate::{
    RecordsError,
    catalogue::Catalogue,
    fold::Known,
    load::{LoadError, Loader},
};

/// Facts read side by side. Each is one or two small GETs of some milliseconds.
const SIDE_BY_SIDE: usize = 24;
/// Before those are read again that could not be.
const AGAIN: Duration = Duration::from_secs(1);

/// Reads facts and makes the catalogue know them.
#[derive(Debug, Clone)]
pub struct Indexer {
    loader: Loader,
    catalogue: Catalogue,
}

/// What became of some objects.
#[derive(Debug, Default)]
pub struct Indexed {
    /// Facts that the catalogue knows now.
    pub known: Vec<Known>,
    /// Objects it cannot know: each for a person to look at.
    pub unusable: Vec<LoadError>,
}

impl Indexer {
    /// From this vault into this catalogue.
    #[must_use]
    pub fn new(vault: Vault, catalogue: Catalogue) -> Self {
        Self { loader: Loader::new(vault), catalogue }
    }

    /// Makes the fact at `key` known.
    pub async fn index_key(&self, key: &str) -> Result<(), RecordsError> {
        let known = self.loader.first(key).await?;
        self.catalogue.learn(&[known]).await?;
        Ok(())
    }

    /// Makes the facts that a walk found known. One that cannot be read does not stand in the way of the others; a store or a
    /// database that is away does.
    pub async fn index(&self, objects: &[StoredObject]) -> Result<Indexed, RecordsError> {
        let mut indexed = self.load(objects).await?;
        match self.catalogue.learn(&indexed.known).await.map_err(DbError::from) {
            Ok(_) => Ok(indexed),
            Err(DbError::Data(_)) => {
                let tried = std::mem::take(&mut indexed.known);
                self.one_by_one(tried, indexed).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads all of them, and those again that could not be read at the moment. When not one can be, the store is away; when
    /// single ones cannot, they are damaged, and must not hold up a walk for ever.
    async fn load(&self, objects: &[StoredObject]) -> Result<Indexed, RecordsError> {
        let (mut indexed, mut left) = (Indexed::default(), objects.to_vec());
        for last in [false, false, true] {
            let mut away = Vec::new();
            // Boxed: the compiler cannot tell that the nameless future is Send for every lifetime.
            let loads: Vec<_> = left.iter().map(|object| self.try_load(object).boxed()).collect();
            let mut loaded = stream::iter(loads).buffer_unordered(SIDE_BY_SIDE);
            while let Some((object, loaded)) = loaded.next().await {
                match loaded {
                    Ok(known) => indexed.known.push(known),
                    Err(LoadError::Store(error)) if !error.is_permanent() && !last => {
                        away.push((object.clone(), error));
                    }
                    Err(error) => indexed.unusable.push(error),
                }
            }
            drop(loaded);
            if indexed.known.is_empty() && indexed.unusable.is_empty() && !away.is_empty() {
                return Err(away.swap_remove(0).1.into());
            }
            left = away.into_iter().map(|(object, _)| object).collect();
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(indexed)
    }

    async fn try_load<'a>(&self, object: &'a StoredObject) -> (&'a StoredObject, Result<Known, LoadError>) {
        (object, self.loader.version(object).await)
    }

    /// Finds those that no row can hold.
    async fn one_by_one(&self, tried: Vec<Known>, mut indexed: Indexed) -> Result<Indexed, RecordsError> {
        for known in tried {
            match self.catalogue.learn(std::slice::from_ref(&known)).await.map_err(DbError::from) {
                Ok(_) => indexed.known.push(known),
                Err(DbError::Data(error)) => {
                    indexed.unusable.push(LoadError::Unusable { key: known.object.key, why: error.to_string() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(indexed)
    }
}
