//! Seeds in the real store and database, with their administrators' credentials, while no service runs that would notice.
//!
//! What is locked stays: each seed is judged by what it adds to what was wrong before it.

use std::collections::BTreeSet;

use anyhow::Context;
use custos_domain::{item::UnifiedCode, keys, manifest::StoredObject};
use custos_local::{Owner, Part};
use custos_tests::{
    history::{Invariant, Violation, World, check, collect::collect_for, report},
    store::Root as Administrator,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::Scene;

struct Field<'s> {
    scene: &'s Scene,
    root: Administrator,
    running: Vec<Part>,
    wrong: Vec<Violation>,
}

pub(super) async fn on_the_real_servers(scene: &Scene) -> anyhow::Result<()> {
    for service in Part::SERVICES {
        scene.site.stack.stop_part(service).await?;
    }
    let root = Administrator::of(&scene.site)?;
    let mut field = Field { scene, root, running: Part::SERVICES.to_vec(), wrong: Vec::new() };
    field.is("what the services left", &[]).await?;
    field.in_the_store().await?;
    field.in_the_database().await?;
    field.in_the_intake().await
}

impl Field<'_> {
    /// What is wrong now and was not before is exactly this.
    async fn is(&mut self, what: &str, expected: &[Invariant]) -> anyhow::Result<World> {
        let world = collect_for(&self.scene.site, &self.scene.log, &self.running).await?;
        let now = check(&world, Some(&self.scene.world));
        let new: Vec<Violation> = now.iter().filter(|violation| !self.wrong.contains(violation)).cloned().collect();
        let ids: BTreeSet<Invariant> = new.iter().map(|violation| violation.invariant).collect();
        assert_eq!(ids, expected.iter().copied().collect(), "{what}: {}", report(&new));
        self.wrong = now;
        Ok(world)
    }

    async fn in_the_store(&mut self) -> anyhow::Result<()> {
        let (held, erased) = (UnifiedCode::parse(&self.scene.held)?, UnifiedCode::parse(&self.scene.erased)?);
        let manifest = self.first(&keys::manifest(erased.key()))?;
        let copy = StoredObject { key: "manifests/E/OTHER/R/00.json".to_owned(), ..manifest.clone() };
        self.root.put(&copy, &self.bytes(&manifest)?).await?;
        self.is("the manifest a second time, elsewhere", &[Invariant::OneManifest]).await?;

        let fact = self.containing("deposited-")?;
        let copy = StoredObject { key: "facts/copy.json".to_owned(), ..fact.clone() };
        self.root.put(&copy, &self.bytes(&fact)?).await?;
        self.is("a fact a second time, elsewhere", &[Invariant::Fact]).await?;

        self.root.overwrite(&manifest).await?;
        self.is("a second version of the manifest", &[Invariant::OneVersion]).await?;
        let seal = self.first(&keys::seal(erased.key()))?;
        self.root.mc(&["rm", "--force"], &seal).await?;
        self.is("a delete marker on the seal", &[Invariant::OneVersion]).await?;

        let original = self.first(&keys::seal(held.key()))?;
        let version = format!("--version-id={}", original.version);
        self.root.mc(&["legalhold", "clear", &version], &original).await?;
        self.is("a hold switched off", &[Invariant::Held]).await?;

        let permit = self.first(&keys::permit(erased.key()))?;
        let version = format!("--version-id={}", permit.version);
        self.root.mc(&["retention", "set", &version, "compliance", "150y"], &permit).await?;
        self.is("a lock past the horizon", &[Invariant::Floor]).await?;

        let bucket = StoredObject { key: String::new(), ..manifest.clone() };
        self.root.mc(&["retention", "clear", "--default"], &bucket).await?;
        let key = format!("footage/2026/11/23/09/{}", self.scene.declared);
        self.root.put(&StoredObject { key, ..manifest }, b"unlocked").await?;
        self.is("an original without a lock", &[Invariant::Locked]).await.map(drop)
    }

    async fn in_the_database(&mut self) -> anyhow::Result<()> {
        let code = &self.scene.erased;
        self.sql(format!("DELETE FROM records.item WHERE code = '{code}'")).await?;
        self.is("an item's row deleted", &[Invariant::Catalogue]).await?;
        self.sql("DELETE FROM records.fact WHERE act = 'sealed'".to_owned()).await?;
        self.is("facts' rows deleted", &[Invariant::Catalogue]).await?;
        // The schema itself refuses this, so its rules go first.
        self.sql(
            "ALTER TABLE legal_hold.hold DISABLE TRIGGER ALL;
             ALTER TABLE legal_hold.hold DROP CONSTRAINT two_people_release;
             UPDATE legal_hold.hold SET released_by = proposed_by WHERE released_by IS NOT NULL"
                .to_owned(),
        )
        .await?;
        self.is("a hold released by the one who proposed it", &[Invariant::TwoPeople]).await?;
        self.sql(
            "UPDATE legal_hold.outbox SET stated_at = NULL WHERE id = (SELECT min(id) FROM legal_hold.outbox)"
                .to_owned(),
        )
        .await?;
        self.is("a decision that waits to be stated", &[Invariant::ActIsFact]).await.map(drop)
    }

    async fn in_the_intake(&mut self) -> anyhow::Result<()> {
        let sessions = self.scene.world.of_bucket(&self.scene.world.buckets.intake);
        let mut sessions = sessions.filter(|version| version.object.key.starts_with(keys::SESSIONS));
        let committed = |version: &&custos_tests::history::world::Version| {
            String::from_utf8_lossy(&version.bytes).contains("\"committed\"")
        };
        let session = sessions.find(committed).context("no session is committed")?;
        let mut says: serde_json::Value = serde_json::from_slice(&session.bytes)?;
        says["stage"] = serde_json::json!({ "stage": "lost", "reason": "shown to fail" });
        self.root.put(&session.object, &serde_json::to_vec(&says)?).await?;
        self.is("a session lost although its bytes were receipted", &[Invariant::Session]).await.map(drop)
    }

    async fn sql(&self, statements: String) -> anyhow::Result<()> {
        let mut database = PgConnection::connect(&self.scene.site.stack.database_url(Owner::Admin)?).await?;
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut database).await?;
        Ok(database.close().await?)
    }

    fn first(&self, key: &str) -> anyhow::Result<StoredObject> {
        self.find(|version| version == key).with_context(|| key.to_owned())
    }

    fn containing(&self, part: &str) -> anyhow::Result<StoredObject> {
        self.find(|key| key.contains(part)).with_context(|| part.to_owned())
    }

    fn find(&self, is: impl Fn(&str) -> bool) -> Option<StoredObject> {
        self.scene.world.locked().find(|version| is(&version.object.key)).map(|version| version.object.clone())
    }

    fn bytes(&self, object: &StoredObject) -> anyhow::Result<bytes::Bytes> {
        Ok(self.scene.world.find(object).context("not there")?.bytes.clone())
    }
}
