//! What a store is capable of is tried, and a store that is not fit is not given any footage (INV-2).

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use custos_domain::fact::{Act, Fact, IncidentClass};
use custos_local::{Owner, Part, Server, StackConfig};
use custos_platform::{
    clock::Clock,
    vault::probe::{Report, StoreMode, Verdict},
};
use custos_tests::{
    eventually,
    liar::Liar,
    recorder::noise_file,
    site::Site,
    store::{locked_objects, manifest, walk},
    tus::Tus,
};

/// What the command `probe` of ingest found, and whether it ended well.
async fn probe(site: &Site) -> anyhow::Result<(Report, bool)> {
    let output = site.stack.command(Part::Ingest, &["probe", "--json"]).await?.output().await?;
    let report = serde_json::from_slice(&output.stdout);
    let report = report.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((report, output.status.success()))
}

fn not_kept(report: &Report) -> BTreeSet<&str> {
    report.failed().chain(report.weak()).map(|finding| finding.id.as_str()).collect()
}

/// Docks an item of two parts and one of a single part; answers their codes once they are sealed and may be erased.
async fn dock_two(site: &Site) -> anyhow::Result<Vec<String>> {
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 9 << 20, 1)?;
    noise_file(&recorder, "PHOTO/DSJ00012_P000345_20261122091500_0002.JPG", 40_000, 2)?;
    let docked = site.dock("E", &recorder, &["--erase", "--permit-wait", "60"]).await?;
    ensure!(docked.code == 0 && docked.codes().len() == 2, "{docked:?}");
    Ok(docked.codes())
}

/// Original, outboard, manifest, seal and permit of each are there and locked, and the original is what was sent.
async fn ended_right(site: &Site, codes: &[String]) -> anyhow::Result<()> {
    let vault = site.vault()?;
    for code in codes {
        let objects = locked_objects(&vault, code).await?;
        ensure!(objects.len() == 5, "{code} has {objects:?}");
        let (manifest, _) = manifest(&vault, code).await?;
        for object in objects {
            let until = vault.lock_of(&object).await?;
            ensure!(until >= Some(manifest.locked_until), "{} is locked until {until:?}", object.key);
        }
        let bytes = vault.read_range(&manifest.original, 0, manifest.length).await?;
        ensure!(custos_domain::digest::Root::of(&bytes) == manifest.root, "the bytes of {code} changed");
    }
    Ok(())
}

#[tokio::test]
async fn minio_keeps_what_is_asked_and_a_run_leaves_nothing_behind() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest])).await?;
    let (report, fit) = probe(&site).await?;
    assert!(fit, "{report}");
    // MinIO leaves the default retention out when a hold comes alone; nobody has left a canary yet.
    assert_eq!(not_kept(&report), BTreeSet::from(["holds.header-alone", "multipart.canary"]), "{report}");
    assert!(site.metric(Part::Ingest, "custos_store_capability", "locks.multipart-header").await? > 0.0);

    // Retention's credential is enough as well, and a canary that was left is found alive.
    let vault = site.vault_of(Owner::Service(Part::Retention))?;
    let clock = Clock::system();
    vault.tend_canaries(&clock).await?;
    let report = vault.probe(StoreMode::Repair, &clock).await?;
    assert_eq!(report.verdict(), Verdict::Fit, "{report}");
    assert_eq!(not_kept(&report), BTreeSet::from(["holds.header-alone"]), "{report}");

    // A minute later every lock has run out.
    let later = Clock::manual(clock.now() + jiff::SignedDuration::from_hours(1));
    eventually("an empty probe bucket", Duration::from_mins(3), || async {
        vault.tidy_probe(&later).await?;
        let found = walk(&vault, &vault.buckets().probe, "runs/").await?;
        ensure!(found.is_empty(), "{found:?}");
        Ok(())
    })
    .await?;
    let intake = vault.keys(&vault.buckets().intake, "probe/", None).await?;
    assert!(intake.0.is_empty(), "{intake:?}");
    Ok(())
}

#[tokio::test]
async fn seaweedfs_is_found_to_race_and_a_docking_ends_right() -> anyhow::Result<()> {
    let config = StackConfig::test().with_store(Server::SeaweedFs).with_services(&[Part::Ingest, Part::Hashing]);
    let site = Site::with(config).await?;
    // A race is a matter of chance: a probe finds it nearly always, a few always.
    eventually("a race to be found", Duration::from_mins(1), || async {
        let (report, fit) = probe(&site).await?;
        assert!(fit, "{report}");
        ensure!(not_kept(&report).contains("creation.complete-race"), "{report}");
        Ok(())
    })
    .await?;
    let codes = dock_two(&site).await?;
    ended_right(&site, &codes).await
}

#[tokio::test]
async fn a_store_that_drops_lock_headers_is_refused_and_can_be_repaired() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Hashing])).await?;
    let liar = Liar::before(&site.stack).await?;
    site.stack.set_env(Part::Ingest, "CUSTOS_S3_ENDPOINT", liar.url());

    let refused = site.stack.start_part(Part::Ingest).await.expect_err("ingest runs on a store that lies");
    let why = format!("{refused:#}");
    assert!(why.contains("ended") && why.contains("locks.multipart-header"), "{why}");
    assert!(why.contains("CUSTOS_STORE_MODE=repair"), "an administrator is told what to do: {why}");
    let (report, fit) = probe(&site).await?;
    assert!(!fit && report.verdict() == Verdict::Unfit, "{report}");
    let failed: Vec<&str> = report.failed().map(|finding| finding.id.as_str()).collect();
    assert_eq!(failed, ["locks.multipart-header"], "{report}");

    site.stack.set_env(Part::Ingest, "CUSTOS_STORE_MODE", "repair");
    site.stack.start_part(Part::Ingest).await?;
    let before = liar.lies();
    let codes = dock_two(&site).await?;
    assert!(liar.lies() > before, "the original's lock headers were not dropped");
    ended_right(&site, &codes).await?;
    assert!(site.metric(Part::Ingest, "custos_ingest_lock_repaired_total", "").await? > 0.0);
    assert!(site.metric(Part::Ingest, "custos_ingest_lock_dropped_total", "").await?.abs() < 0.5);
    Ok(())
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for_and_nothing_is_taken_meanwhile() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[])).await?;
    site.stack.stop_part(Part::Minio).await?;
    let tus = Tus::of(&site, "E")?;
    let declaration = tus.declaration("20261122091500_0001", b"footage")?;
    let meanwhile = async {
        // Five seconds are two tries.
        let refused = eventually("an answer", Duration::from_secs(30), || tus.declare(&declaration)).await?;
        assert_eq!(
            (refused.status, refused.body["type"].as_str()),
            (503, Some("urn:custos:problem:store-untried")),
            "{refused:?}"
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
        let refused = tus.declare(&declaration).await?;
        assert_eq!(refused.status, 503, "{refused:?}");
        site.stack.start_part(Part::Minio).await
    };
    let (ready, restarted) = tokio::join!(site.stack.start_part(Part::Ingest), meanwhile);
    restarted.and(ready)?;
    assert_eq!(tus.declare(&declaration).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn what_broke_since_is_an_incident_of_every_agency() -> anyhow::Result<()> {
    let config =
        StackConfig::test().with_services(&[Part::Retention]).with_env(Part::Retention, "CUSTOS_PROBE_SECONDS", "3");
    let site = Site::with(config).await?;
    let vault = site.vault()?;
    let incidents = async || -> anyhow::Result<Vec<Fact>> {
        let mut facts = Vec::new();
        for object in walk(&vault, &vault.buckets().log, "facts/store/").await? {
            facts.push(serde_json::from_slice(&vault.read_document(&object).await?.bytes)?);
        }
        Ok(facts)
    };
    eventually("a recorded report", Duration::from_mins(1), || async { vault.last_report().await?.context("none") })
        .await?;
    assert!(incidents().await?.is_empty(), "MinIO is fit");

    let liar = Liar::before(&site.stack).await?;
    site.stack.set_env(Part::Retention, "CUSTOS_S3_ENDPOINT", liar.url());
    site.stack.restart(Part::Retention).await?;
    let facts = eventually("an incident of each agency", Duration::from_mins(1), || async {
        let facts = incidents().await?;
        ensure!(facts.len() == 5, "{} facts", facts.len());
        Ok(facts)
    })
    .await?;
    for fact in &facts {
        let Act::IncidentOpened { class, detail } = &fact.act else { panic!("{fact:?}") };
        assert_eq!(*class, IncidentClass::StoreFault);
        assert!(detail.contains("locks.multipart-header"), "{detail}");
    }
    // Once a day, however often it is found.
    let capability = site.metric(Part::Retention, "custos_store_capability", "locks.multipart-header").await?;
    assert!(capability.abs() < 0.5, "{capability}");
    let tenants: BTreeSet<&str> = facts.iter().map(|fact| fact.tenant.as_str()).collect();
    assert_eq!(tenants.len(), 5);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(incidents().await?.len(), 5);
    Ok(())
}
