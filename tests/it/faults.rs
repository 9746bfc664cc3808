//! Whatever is killed, stopped or lost: the same end state (INV-1, INV-9).

use std::{collections::BTreeMap, time::Duration};

use custos_local::Part;
use custos_tests::{
    eventually,
    history::{Log, assert_holds},
    recorder::{ONE_OF_EACH, fill, noise_file},
    site::Site,
    store::{facts, manifest, walk},
};
use serde_json::Value;

/// What must be the same whichever way an item took.
fn outcome(items: &BTreeMap<String, Value>) -> BTreeMap<String, [String; 5]> {
    let fields = |item: &Value| ["root", "state", "playback", "locked_until", "kind"].map(|f| item[f].to_string());
    items.iter().map(|(code, item)| (code.clone(), fields(item))).collect()
}

/// Each item has one manifest, one original, and each act once.
async fn exactly_once(site: &Site, codes: &[String]) -> anyhow::Result<()> {
    let vault = site.vault()?;
    let originals = &vault.buckets().originals;
    assert_eq!(walk(&vault, originals, "footage/").await?.len(), codes.len(), "originals");
    assert_eq!(walk(&vault, originals, "manifests/").await?.len(), codes.len(), "manifests");
    for code in codes {
        manifest(&vault, code).await?;
        let facts = facts(&vault, code).await?;
        for act in ["deposited", "sealed", "derived", "lock_extended"] {
            assert_eq!(facts.iter().filter(|fact| fact.act.name() == act).count(), 1, "{code}: {act}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_service_killed_in_the_middle_of_its_work() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let recorder = site.scratch("recorder");
    fill(&recorder).await?;
    noise_file(&recorder, "DCIM/DSJ00077_P000345_20261120100000_0008_00.MP4", 90 << 20, 8)?;
    let log = Log::default().recorder(&recorder)?;
    let dock = site.start_dock("E", &recorder, &[])?;
    for round in 0..3_u64 {
        for service in Part::SERVICES {
            tokio::time::sleep(Duration::from_millis(150 + 70 * round)).await;
            site.stack.kill9(service)?;
            site.stack.start_part(service).await?;
        }
    }
    let docked = dock.wait_with_output().await?;
    assert!(docked.status.success(), "{}", String::from_utf8_lossy(&docked.stderr));
    let again = site.dock("E", &recorder, &[]).await?;
    assert_eq!((again.code, again.codes().len()), (0, 8), "{again:?}");
    let items = site.settled("E", &again.codes()).await?;
    assert_eq!(items.len(), 8);
    exactly_once(&site, &again.codes()).await?;
    assert_holds(&site, &log, None).await.map(drop)
}

#[tokio::test]
async fn the_bus_and_the_database_away_and_then_lost() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let recorder = site.scratch("recorder");
    fill(&recorder).await?;
    // Neither bus nor database: receipts are issued all the same.
    site.stack.stop_part(Part::Nats).await?;
    site.stack.stop_part(Part::Postgres).await?;
    let docked = site.dock("E", &recorder, &[]).await?;
    assert_eq!((docked.code, docked.codes().len()), (0, 7), "{docked:?}");
    site.stack.start_part(Part::Postgres).await?;
    site.stack.start_part(Part::Nats).await?;
    let items = site.settled("E", &docked.codes()).await?;
    let first = outcome(&items);
    exactly_once(&site, &docked.codes()).await?;
    let before = assert_holds(&site, &Log::default().recorder(&recorder)?, None).await?;

    // The bus with all its messages and consumers is lost, while more comes in.
    let more = site.scratch("more");
    for (number, clip) in ONE_OF_EACH.iter().enumerate() {
        let name = clip.name.replace("DSJ00077", "DSJ00078");
        std::fs::create_dir_all(more.join(&name).parent().expect("folder"))?;
        std::fs::copy(recorder.join(clip.name), more.join(&name))?;
        assert!(number < 9);
    }
    let dock = site.start_dock("E", &more, &[])?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    site.stack.wipe_bus().await?;
    assert!(dock.wait_with_output().await?.status.success());
    let again = site.dock("E", &more, &[]).await?;
    assert_eq!(again.codes().len(), 6, "{again:?}");
    let all: Vec<String> = docked.codes().into_iter().chain(again.codes()).collect();
    let items = site.settled("E", &all).await?;
    assert_eq!(
        outcome(&items).into_iter().filter(|(code, _)| first.contains_key(code)).collect::<BTreeMap<_, _>>(),
        first
    );
    exactly_once(&site, &all).await?;
    let log = Log::default().recorder(&recorder)?.recorder(&more)?;
    assert_holds(&site, &log, Some(&before)).await.map(drop)
}

#[tokio::test]
async fn a_bus_without_streams_is_told_by_those_who_consume() -> anyhow::Result<()> {
    let site = Site::start().await?;
    site.stack.empty_bus().await?;
    // Neither docks nor stations wait for the bus.
    let without = [Part::Ingest, Part::Stations];
    for service in Part::SERVICES.into_iter().filter(|service| !without.contains(service)) {
        ready_or_not(&site, service, 503, "the bus has no stream FOOTAGE").await?;
    }
    for service in without {
        ready_or_not(&site, service, 200, "").await?;
    }
    site.stack.provision_bus().await?;
    for service in Part::SERVICES {
        ready_or_not(&site, service, 200, "").await?;
    }
    Ok(())
}

async fn ready_or_not(site: &Site, service: Part, status: u16, says: &str) -> anyhow::Result<()> {
    eventually(&format!("{service}: {status}"), Duration::from_mins(1), || async {
        let answer = reqwest::get(format!("{}/readyz", site.stack.admin_url(service))).await?;
        let (got, body) = (answer.status(), answer.text().await?);
        anyhow::ensure!(got.as_u16() == status && body.contains(says), "{got}: {body}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_catalogue_dropped_and_rebuilt_has_the_same_rows() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let recorder = site.scratch("recorder");
    fill(&recorder).await?;
    let docked = site.dock("B", &recorder, &[]).await?;
    site.settled("B", &docked.codes()).await?;
    site.get(Part::Records, "b-legal", &format!("/v1/items/{}", docked.codes()[0])).await?;
    // Everything that is announced has arrived before the two are compared.
    eventually("an idle catalogue", Duration::from_secs(30), || async {
        anyhow::ensure!(site.unfinished("records").await? == 0, "still working");
        Ok(())
    })
    .await?;
    let before = site.records(&["fingerprint"]).await?;
    assert!(before.lines().count() > 2, "a fingerprint names every table: {before}");

    site.stack.stop_part(Part::Records).await?;
    site.stack.reset_schema(Part::Records).await?;
    let rebuilt = site.records(&["rebuild"]).await?;
    let after = site.records(&["fingerprint"]).await?;
    assert_eq!(after, before, "{rebuilt}");
    site.stack.start_part(Part::Records).await?;
    assert_eq!(site.items("B").await?.len(), 7);
    assert_holds(&site, &Log::default().recorder(&recorder)?, None).await.map(drop)
}
