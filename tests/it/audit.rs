//! What somebody with the store's root credential did to the locked buckets is found, and visible to people with the item's code, or
//! with the key when no item is known.

use std::time::Duration;

use anyhow::Context;
use custos_domain::{ids::UploadId, keys, manifest::StoredObject};
use custos_local::{Part, StackConfig, seeds::Person, tokens};
use custos_platform::clock::Clock;
use custos_tests::{
    eventually,
    recorder::noise_file,
    site::Site,
    store::{Root, locked_objects, walk},
};
use serde_json::Value;

const LONG: Duration = Duration::from_mins(1);

/// Every incident that somebody above all agencies sees.
async fn incidents(site: &Site) -> anyhow::Result<Vec<Value>> {
    let above = Person { id: "p-auditor", name: "省", tenant: "PROVINCE", unit: "PROVINCE", roles: &["auditor"] };
    let claims = tokens::claims(&above, Clock::system().now(), LONG);
    let token = site.stack.issuer()?.sign(&claims)?;
    let url = format!("{}/v1/incidents?limit=200", site.stack.url(Part::Records));
    let page: Value = site.stack.https()?.get(url).bearer_auth(token).send().await?.error_for_status()?.json().await?;
    page["incidents"].as_array().cloned().context("no incidents")
}

/// The incident of this class about this key.
async fn told(site: &Site, class: &str, key: &str, words: &str) -> anyhow::Result<Value> {
    eventually(&format!("{class}: {words}: {key}"), LONG, || async {
        let all = incidents(site).await?;
        let found = all.iter().find(|incident| {
            let detail = incident["detail"].as_str().unwrap_or_default();
            incident["class"] == class && detail.starts_with(key) && detail.contains(words)
        });
        found.cloned().with_context(|| format!("{all:#?}"))
    })
    .await
}

/// Waits for the end of a round that began after now: a round is over in a second, and the next begins a second later.
async fn another_round(site: &Site) -> anyhow::Result<()> {
    let now = Clock::system().now().as_duration().as_secs_f64();
    eventually("another round", LONG, || async {
        anyhow::ensure!(site.metric(Part::Ingest, "custos_reconcile_round_end", "store").await? > now + 4.0);
        Ok(())
    })
    .await
}

fn upload_now() -> (UploadId, jiff::Timestamp) {
    let id = uuid::Uuid::now_v7();
    let (seconds, nanos) = id.get_timestamp().map(|t| t.to_unix()).unwrap_or_default();
    let begun = jiff::Timestamp::new(i64::try_from(seconds).unwrap_or(0), i32::try_from(nanos).unwrap_or(0));
    (UploadId::of(id), begun.unwrap_or_default())
}

#[tokio::test]
async fn every_sabotage_with_the_root_credential_is_an_incident_with_the_items_name() -> anyhow::Result<()> {
    let config = StackConfig::test()
        .with_services(&[Part::Ingest, Part::Hashing, Part::Records])
        .with_env(Part::Ingest, "CUSTOS_AUDIT_SECONDS", "1")
        .with_env(Part::Ingest, "CUSTOS_AUDIT_PAGES", "50")
        .with_env(Part::Ingest, "CUSTOS_AUDIT_GRACE_SECONDS", "1");
    let site = Site::with(config).await?;
    let (vault, root) = (site.vault()?, Root::of(&site)?);
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 9 << 20, 1)?;
    noise_file(&recorder, "PHOTO/DSJ00012_P000345_20261122091500_0002.JPG", 40_000, 2)?;
    let docked = site.dock("E", &recorder, &["--erase", "--permit-wait", "60"]).await?;
    assert_eq!((docked.code, docked.codes().len()), (0, 2), "{docked:?}");
    let [first, second] = [docked.codes()[0].clone(), docked.codes()[1].clone()];

    // An untouched store is silent through a whole round.
    another_round(&site).await?;
    assert!(site.metric(Part::Ingest, "custos_ingest_store_alarms_total", "").await?.abs() < 0.5);
    assert_eq!(incidents(&site).await?, Vec::<Value>::new());

    let [original, outboard, manifest, seal, _] = &locked_objects(&vault, &first).await?[..] else {
        anyhow::bail!("five locked objects");
    };
    let others = locked_objects(&vault, &second).await?;
    root.overwrite(manifest).await?;
    root.overwrite(original).await?;
    root.mc(&["rm", "--force"], seal).await?;
    root.mc(&["rm", "--force"], &others[0]).await?;
    let fact = walk(&vault, &vault.buckets().log, keys::FACTS).await?.remove(0);
    root.overwrite(&fact).await?;
    // Without the bucket's net a version without any lock can be put.
    let bucket = StoredObject { key: String::new(), ..original.clone() };
    root.mc(&["retention", "clear", "--default"], &bucket).await?;
    root.overwrite(outboard).await?;
    root.mc(&["retention", "set", "--default", "compliance", "1d"], &bucket).await?;
    let (upload, begun) = upload_now();
    let nobodys = StoredObject { key: keys::original(&upload, begun), ..original.clone() };
    root.overwrite(&nobodys).await?;
    let strange = StoredObject { key: "footage/strange".to_owned(), ..original.clone() };
    root.overwrite(&strange).await?;

    for (class, key, words, code) in [
        ("foreign_version", &manifest.key, "written over", &first),
        ("foreign_version", &original.key, "written over", &first),
        ("foreign_version", &seal.key, "delete marker", &first),
        ("foreign_version", &others[0].key, "delete marker", &second),
        ("foreign_version", &outboard.key, "written over", &first),
        ("lock_drift", &outboard.key, "no compliance lock", &first),
    ] {
        let incident = told(&site, class, key, words).await?;
        assert_eq!(incident["item"], **code, "{incident}");
        assert_eq!((&incident["tenant"], &incident["unit"]), (&"E".into(), &"NANJING/XUANWU".into()), "{incident}");
    }
    told(&site, "foreign_version", &fact.key, "written over").await?;
    let incident = told(&site, "foreign_version", &nobodys.key, "nobody was given a receipt").await?;
    assert_eq!((&incident["upload"], &incident["tenant"]), (&upload.as_str().into(), &"PROVINCE".into()), "{incident}");
    told(&site, "foreign_version", &strange.key, "nobody was given a receipt").await?;

    // The agency's own auditor sees its items' incidents, and each only once a day however often the rounds pass.
    let own = site.get(Part::Records, "e-auditor", "/v1/incidents?class=lock_drift").await?;
    assert_eq!(own["incidents"].as_array().map(Vec::len), Some(1), "{own}");
    another_round(&site).await?;
    let all = incidents(&site).await?;
    let mut details: Vec<_> = all.iter().map(|incident| incident["detail"].to_string()).collect();
    details.sort();
    details.dedup();
    assert_eq!(details.len(), all.len(), "told twice: {all:#?}");
    Ok(())
}

#[tokio::test]
async fn an_items_name_is_found_by_its_manifest_when_the_session_is_forgotten() -> anyhow::Result<()> {
    let config = StackConfig::test()
        .with_services(&[Part::Ingest, Part::Records])
        .with_env(Part::Ingest, "CUSTOS_REAP_SECONDS", "1")
        .with_env(Part::Ingest, "CUSTOS_ABANDON_AFTER_SECONDS", "8")
        .with_env(Part::Ingest, "CUSTOS_FORGET_AFTER_SECONDS", "1")
        .with_env(Part::Ingest, "CUSTOS_AUDIT_SECONDS", "1")
        .with_env(Part::Ingest, "CUSTOS_AUDIT_PAGES", "50")
        .with_env(Part::Ingest, "CUSTOS_AUDIT_GRACE_SECONDS", "1");
    let site = Site::with(config).await?;
    let (vault, root) = (site.vault()?, Root::of(&site)?);
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 40_000, 1)?;
    let docked = site.dock("E", &recorder, &[]).await?;
    assert_eq!(docked.code, 0, "{docked:?}");
    eventually("forgotten sessions", LONG, || async {
        let (left, _) = vault.keys(&vault.buckets().intake, keys::SESSIONS, None).await?;
        anyhow::ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await?;
    let original = locked_objects(&vault, &docked.codes()[0]).await?.remove(0);
    root.mc(&["rm", "--force"], &original).await?;
    let incident = told(&site, "foreign_version", &original.key, "delete marker").await?;
    assert_eq!(incident["item"], *docked.codes()[0], "{incident}");
    assert!(site.metric(Part::Ingest, "custos_ingest_store_alarms_total", "unreceipted").await?.abs() < 0.5);
    Ok(())
}
