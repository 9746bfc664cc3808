//! What the catalogue has, to be compared with what the store has.

use std::collections::HashMap;

use custos_domain::manifest::StoredObject;

use super::Catalogue;

impl Catalogue {
    /// Those of these facts that are not known in this version.
    pub async fn unknown_of(&self, facts: &[StoredObject]) -> sqlx::Result<Vec<StoredObject>> {
        let keys: Vec<&str> = facts.iter().map(|object| object.key.as_str()).collect();
        let known: Vec<(String, String, String)> =
            sqlx::query_as("SELECT key, bucket, version FROM fact WHERE key = ANY ($1)")
                .bind(keys)
                .fetch_all(&self.pool)
                .await?;
        let known: HashMap<String, (String, String)> =
            known.into_iter().map(|(key, bucket, version)| (key, (bucket, version))).collect();
        let is_known = |object: &&StoredObject| {
            known
                .get(&object.key)
                .is_some_and(|(bucket, version)| (bucket, version) == (&object.bucket, &object.version))
        };
        Ok(facts.iter().filter(|object| !is_known(object)).cloned().collect())
    }

    /// Those of these manifests that no item has.
    pub async fn manifests_without_item(&self, keys: &[String]) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(
            "SELECT asked.key FROM unnest($1::text[]) AS asked (key)
             WHERE NOT EXISTS (SELECT FROM item WHERE manifest = asked.key)",
        )
        .bind(keys)
        .fetch_all(&self.pool)
        .await
    }

    /// Whether nothing is known at all.
    pub async fn is_empty(&self) -> sqlx::Result<bool> {
        let any: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM fact)").fetch_one(&self.pool).await?;
        Ok(!any)
    }

    /// Forgets everything. The store has it all.
    pub async fn forget(&self) -> sqlx::Result<()> {
        // Waits for transactions under way; what they learned was in the store before and is found there again.
        sqlx::query("TRUNCATE subject, fact, item, listed, docking, incident, pending")
            .execute(&self.pool)
            .await
            .map(drop)
    }
}
