//! With the store administrator's own credential: what is locked stays as it is (INV-2, INV-3, INV-7).

use custos_domain::digest::Root;
use custos_local::{Part, StackConfig};
use custos_tests::{
    recorder::noise_file,
    site::Site,
    store::{Root as Administrator, locked_objects, manifest, walk},
};

#[tokio::test]
async fn nobody_deletes_shortens_or_replaces_a_locked_version() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest, Part::Hashing])).await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 9 << 20, 1)?;
    noise_file(&recorder, "PHOTO/DSJ00012_P000345_20261122091500_0002.JPG", 40_000, 2)?;
    let docked = site.dock("E", &recorder, &["--erase", "--permit-wait", "60"]).await?;
    assert_eq!(docked.code, 0, "{docked:?}");

    let (vault, root) = (site.vault()?, Administrator::of(&site)?);
    for code in docked.codes() {
        let objects = locked_objects(&vault, &code).await?;
        assert_eq!(objects.len(), 5, "original, outboard, manifest, seal and permit");
        for object in &objects {
            let before = vault.head_version(object).await?;
            assert!(before.locked_until.is_some(), "{} is not locked", object.key);
            let version = format!("--version-id={}", object.version);
            for attack in [
                &["rm", "--force", &version][..],
                &["rm", "--force", "--bypass", &version],
                &["retention", "set", "--bypass", &version, "compliance", "1d"],
                &["retention", "set", "--bypass", &version, "governance", "1d"],
                &["retention", "clear", "--bypass", &version],
            ] {
                let tried = root.mc(attack, object).await;
                assert!(tried.is_err(), "{attack:?} on {} went through: {tried:?}", object.key);
            }
            // Another version over it, or a delete marker, hides nothing from who asks by version, or for the oldest.
            root.overwrite(object).await?;
            root.mc(&["rm", "--force"], object).await?;
            let after = vault.head_version(object).await?;
            assert_eq!(after, before, "{} changed", object.key);
            assert_eq!(vault.first_version(&object.bucket, &object.key).await?.as_ref(), Some(object));
        }
        let (manifest, _) = manifest(&vault, &code).await?;
        let bytes = vault.read_range(&manifest.original, 0, manifest.length).await?;
        assert_eq!(Root::of(&bytes), manifest.root, "the original's bytes changed");
    }
    // Nothing in the locked buckets is without a lock.
    for bucket in [&vault.buckets().originals, &vault.buckets().log] {
        for object in walk(&vault, bucket, "").await? {
            assert!(vault.lock_of(&object).await?.is_some(), "{bucket}/{} is not locked", object.key);
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_service_has_only_the_credentials_it_needs() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest, Part::Hashing])).await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 10_000, 1)?;
    let docked = site.dock("E", &recorder, &[]).await?;
    let (original, _) = manifest(&site.vault()?, &docked.codes()[0]).await?;
    let version = format!("--version-id={}", original.original.version);
    for service in Part::SERVICES {
        let root = Administrator::with(&site, custos_local::Owner::Service(service))?;
        let deleted = root.mc(&["rm", "--force", &version], &original.original).await;
        assert!(deleted.is_err(), "{service} may delete an original");
        let marked = root.mc(&["rm", "--force"], &original.original).await;
        assert!(marked.is_err(), "{service} may put a delete marker on an original");
        let held = root.mc(&["legalhold", "set", &version], &original.original).await;
        assert_eq!(held.is_ok(), service == Part::LegalHold, "{service} and holds: {held:?}");
        let extended = root.mc(&["retention", "set", &version, "compliance", "40d"], &original.original).await;
        let may = matches!(service, Part::Ingest | Part::Retention);
        assert_eq!(extended.is_ok(), may, "{service} and locks: {extended:?}");
        let overwritten = root.overwrite(&original.original).await;
        assert_eq!(overwritten.is_ok(), service == Part::Ingest, "{service} and writing footage: {overwritten:?}");
    }
    Ok(())
}
