//! One recorder with one of each, followed to the end state in store, bus, catalogue and trace (INV-5).

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use custos_domain::{
    calendar::{Period, eligible_from},
    digest::Root,
    dsse::{Envelope, KeyId},
    fact::Act,
    keys,
    seal::Seal,
};
use custos_local::{Part, StackConfig};
use custos_platform::vault::Vault;
use custos_tests::{
    eventually,
    history::{Log, assert_holds},
    otlp::Collector,
    recorder::{ONE_OF_EACH, TRUNCATED, fill},
    site::Site,
    store::{facts, locked_objects, manifest},
};
use serde_json::Value;

/// What the bus must have carried for an item, and its facts must say.
const ACTS: [&str; 4] = ["deposited", "sealed", "derived", "lock_extended"];

#[tokio::test]
async fn one_of_each_reaches_its_end_state() -> anyhow::Result<()> {
    let (collector, address) = Collector::start().await?;
    let config = StackConfig { otlp_endpoint: Some(format!("http://{address}")), ..Site::config() };
    let site = Site::with(config).await?;
    let recorder = site.scratch("recorder");
    fill(&recorder).await?;
    let log = Log::default().recorder(&recorder)?;
    let otlp = format!("http://{address}");
    let docked = site.dock("E", &recorder, &["--otlp-endpoint", &otlp]).await?;
    assert_eq!((docked.code, docked.codes().len()), (0, 7), "{docked:?}");

    let items = site.settled("E", &docked.codes()).await?;
    assert_eq!(items.len(), 7, "the catalogue has exactly what was docked: {items:#?}");
    let vault = site.vault()?;
    let ends = ONE_OF_EACH.iter().map(|clip| (clip.name, clip.kind, clip.playback));
    for (name, kind, playback) in ends.chain([(TRUNCATED, "video", "undecodable")]) {
        let line = docked.line(name)?;
        let code = line["code"].as_str().unwrap_or_default();
        in_the_store(&vault, &site, code, &recorder.join(name)).await?;
        in_the_catalogue(&items[code], line, kind, playback);
        in_the_facts(&site, &vault, code).await?;
        in_the_trace(&collector, &vault, code).await?;
    }
    on_the_bus(&site).await?;
    assert_holds(&site, &log, None).await.map(drop)
}

/// Bytes, seal and locks.
async fn in_the_store(vault: &Vault, site: &Site, code: &str, file: &std::path::Path) -> anyhow::Result<()> {
    let (manifest, object) = manifest(vault, code).await?;
    let stored = vault.read_range(&manifest.original, 0, manifest.length).await?;
    let local = std::fs::read(file)?;
    assert!(stored == local, "{code} is not the recorder's file");

    let seal =
        vault.read_first(&vault.buckets().originals, &keys::seal(manifest.code.key())).await?.context("no seal")?;
    let envelope: Envelope = serde_json::from_slice(&seal.bytes)?;
    let trust: Value = serde_json::from_slice(&std::fs::read(site.stack.trust_file())?)?;
    let trusted: Vec<KeyId> = serde_json::from_value(trust["seal"].clone())?;
    let seal: Seal = envelope.open(&trusted)?;
    assert_eq!((seal.root, seal.original.clone(), seal.manifest), (Root::of(&local), manifest.original, object));
    let sha256 = tokio::process::Command::new("sha256sum").arg(file).output().await?.stdout;
    assert!(String::from_utf8_lossy(&sha256).starts_with(&seal.sha256.to_hex()), "the court's tool disagrees");

    // E-13.1: three months, counted in Shanghai, on every object of the item.
    let until = eligible_from(manifest.ingested_at, Period::parse("P3M")?);
    for object in locked_objects(vault, code).await? {
        assert_eq!(vault.lock_of(&object).await?, Some(until), "{}", object.key);
    }
    Ok(())
}

fn in_the_catalogue(item: &Value, line: &Value, kind: &str, playback: &str) {
    assert_eq!(item["kind"], kind, "{item}");
    assert_eq!(item["playback"], playback, "{item}");
    assert_eq!(item["device"], "DSJ00077");
    assert_eq!(item["officer"], "P000345");
    assert_eq!(item["unit"], "NANJING/XUANWU");
    assert_eq!(item["root"], line["blake3"]);
    assert_eq!(item["length"], line["bytes"]);
    assert_eq!(item["held"], false);
    assert!(item["why"].to_string().contains("E-13.1"), "{}", item["why"]);
}

/// Each act once, each caused by the one before, all in the item's timeline.
async fn in_the_facts(site: &Site, vault: &Vault, code: &str) -> anyhow::Result<()> {
    let facts = facts(vault, code).await?;
    for act in ACTS {
        assert_eq!(facts.iter().filter(|fact| fact.act.name() == act).count(), 1, "{code}: {act}");
    }
    let id_of = |act: &str| facts.iter().find(|fact| fact.act.name() == act).map(|fact| fact.id.clone());
    for fact in &facts {
        let cause = match fact.act {
            Act::Sealed { .. } => id_of("deposited"),
            Act::Derived { .. } | Act::LockExtended { .. } => id_of("sealed"),
            _ => continue,
        };
        assert_eq!(fact.cause, cause, "{code}: {} has another cause", fact.act.name());
    }
    let timeline = site.get(Part::Records, "e-legal", &format!("/v1/items/{code}/timeline")).await?;
    for act in ACTS {
        assert!(timeline.to_string().contains(act), "{code}: the timeline does not tell {act}: {timeline}");
    }
    // Looking is itself a fact, durable before the answer.
    eventually("the reading's fact", Duration::from_secs(5), || async {
        let read = custos_tests::store::facts(vault, code).await?;
        anyhow::ensure!(read.iter().any(|fact| fact.act.name() == "record_read"), "nobody wrote down who read {code}");
        Ok(())
    })
    .await
}

/// One item is one trace, from the station to the last worker.
async fn in_the_trace(collector: &Collector, vault: &Vault, code: &str) -> anyhow::Result<()> {
    let (manifest, _) = manifest(vault, code).await?;
    let traceparent = manifest.trace.context("no trace")?;
    let trace = traceparent.split('-').nth(1).unwrap_or_default();
    let expected =
        ["custos-dock", "custos-ingest", "custos-hashing", "custos-transcode", "custos-retention", "custos-records"];
    eventually("the trace", Duration::from_secs(30), || async {
        let spans = collector.trace(trace);
        let services: BTreeSet<&str> = spans.iter().map(|collected| collected.service.as_str()).collect();
        for service in expected {
            anyhow::ensure!(services.contains(service), "{code}: {service} is not in its trace, only {services:?}");
        }
        Ok(())
    })
    .await
}

/// Every act of every item was announced, and every consumer has finished.
async fn on_the_bus(site: &Site) -> anyhow::Result<()> {
    let messages = site.stream("FOOTAGE").await?["state"]["messages"].as_u64().unwrap_or(0);
    assert!(messages >= 7 * ACTS.len() as u64, "{messages} messages");
    for consumer in ["hashing", "transcode", "retention", "legal-hold", "records"] {
        eventually("an idle consumer", Duration::from_secs(30), || async {
            let left = site.unfinished(consumer).await?;
            anyhow::ensure!(left == 0, "{consumer} has {left} unfinished");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
