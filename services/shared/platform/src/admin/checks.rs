//! What services look at to say whether they are ready, the same way in each.

use sqlx::PgPool;

use super::Health;
use crate::{bus::Bus, vault::Vault};

impl Health {
    /// The store answers this service's credential, asked in `bucket`.
    pub fn store(&self, vault: &Vault, bucket: &str) {
        let (vault, bucket) = (vault.clone(), bucket.to_owned());
        self.check("store", move || {
            let (vault, bucket) = (vault.clone(), bucket.clone());
            async move { Ok(vault.reachable(&bucket).await?) }
        });
    }

    /// The database answers.
    pub fn database(&self, pool: &PgPool) {
        let pool = pool.clone();
        self.check("database", move || {
            let pool = pool.clone();
            async move { Ok(sqlx::query("SELECT 1").execute(&pool).await.map(drop)?) }
        });
    }

    /// The bus is there and syncs before it acknowledges; for services that do nothing without it.
    pub fn bus(&self, bus: &Bus) {
        let bus = bus.clone();
        self.check("bus", move || {
            let bus = bus.clone();
            async move { Ok(bus.verify().await?) }
        });
    }

    /// The bus keeps a place for this service's consumer ([`Bus::hears`]); for every service that has one. Passes while the bus
    /// is away: [`Health::bus`] is about that.
    pub fn consumer(&self, bus: &Bus) {
        let bus = bus.clone();
        self.check("consumer", move || {
            let bus = bus.clone();
            async move { Ok(bus.hears().await?) }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::postgres::PgPoolOptions;

    use super::*;
    use crate::{bus::BusArgs, lifecycle::Lifecycle};

    async fn bus_away(dir: &tempfile::TempDir) -> Bus {
        let file = dir.path().join("nkey");
        std::fs::write(&file, nkeys::KeyPair::new_user().seed().expect("seed")).expect("write");
        let args = BusArgs {
            nats_url: vec!["nats://127.0.0.1:1".to_owned()],
            nats_nkey_file: file,
            nats_monitor_url: vec!["http://127.0.0.1:1".to_owned()],
            nats_ca: None,
        };
        Bus::connect(&args, "custos-retention").await.expect("bus")
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_told_and_a_consumer_is_not_missed_while_the_bus_is_away() {
        let health = Health::new(Lifecycle::new());
        let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(100));
        health.database(&pool.connect_lazy("postgres://x@127.0.0.1:1/x").expect("pool"));
        let bus = bus_away(&tempfile::tempdir().expect("dir")).await;
        health.consumer(&bus);
        health.bus(&bus);
        let found: Vec<_> = health.report().await.checks.into_iter().map(|check| (check.name, check.ok)).collect();
        assert_eq!(found, [("database", false), ("consumer", true), ("bus", false)]);
    }
}
