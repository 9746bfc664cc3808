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
