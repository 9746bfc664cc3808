//! The history checker is shown to fail: for every invariant something is done that breaks it and nothing else.

mod sown;
mod values;

use std::{collections::BTreeSet, time::Duration};

use anyhow::ensure;
use custos_local::{Part, StackConfig};
use custos_tests::{
    eventually,
    history::{Invariant, Log, World, assert_holds, check, collect::collect_for, report},
    recorder::noise_file,
    site::Site,
    store::facts,
    tus::Tus,
};
use ed25519_dalek::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};

/// A site that went through everything: an item held by policy (A), one that was held by people, let go and erased (E), and an
/// upload that was only declared.
struct Scene {
    site: Site,
    log: Log,
    world: World,
    held: String,
    erased: String,
    declared: String,
}

/// Who signs.
struct Keys {
    ingest: SigningKey,
    hashing: SigningKey,
}

impl Scene {
    async fn play() -> anyhow::Result<Self> {
        let site = Site::start().await?;
        let mut log = Log::default();
        let mut codes = Vec::new();
        for (tenant, options) in [("A", &[][..]), ("E", &["--erase", "--permit-wait", "60"])] {
            let recorder = site.scratch(&format!("recorder-{tenant}"));
            let name = format!("DCIM/DSJ0066{tenant}_P000345_20261122091500_0001_00.MP4");
            noise_file(&recorder, &name, 9 << 20, u64::from(tenant.as_bytes()[0]))?;
            log = log.recorder(&recorder)?;
            let docked = site.dock(tenant, &recorder, options).await?;
            ensure!(docked.code == 0, "{docked:?}");
            codes.extend(docked.codes());
        }
        let [held, erased] = [codes.remove(0), codes.remove(0)];
        hold_and_let_go(&site, &erased).await?;
        let tus = Tus::of(&site, "E")?;
        let location = tus.declare(&tus.declaration("NEVER_SENT", b"nothing")?).await?.location()?;
        let declared = location.rsplit('/').next().unwrap_or_default().to_owned();
        let world = assert_holds(&site, &log, None).await?;
        ensure!(world.log.erased.len() == 1 && world.log.receipts.len() == 2, "{:?}", world.log);
        Ok(Self { site, log, world, held, erased, declared })
    }

    fn keys(&self) -> anyhow::Result<Keys> {
        let key = |part| self.site.stack.secrets().signing_key(custos_local::Owner::Service(part));
        Ok(Keys { ingest: key(Part::Ingest)?, hashing: key(Part::Hashing)? })
    }
}

async fn hold_and_let_go(site: &Site, code: &str) -> anyhow::Result<()> {
    site.settled("E", &[code.to_owned()]).await?;
    let post = async |person: &str, path: &str, body: Value| {
        let (status, body) = site.call(Part::LegalHold, person, Method::POST, path, Some(body)).await?;
        ensure!(status.is_success(), "{path}: {status} {body}");
        Ok(body)
    };
    let body = json!({ "items": [code], "cite": "E-14.1", "text": "當事人投訴", "permanence": "open" });
    let placed = post("e-officer", "/v1/holds", body).await?;
    let hold = placed["hold"].as_str().or(placed["id"].as_str()).unwrap_or_default().to_owned();
    for (person, step) in [("e-leader", "confirm"), ("e-legal", "propose-release"), ("e-leader", "release")] {
        post(person, &format!("/v1/holds/{hold}/{step}"), json!({ "note": "同意" })).await?;
    }
    let vault = site.vault()?;
    eventually("the release in the log", Duration::from_secs(30), || async {
        let facts = facts(&vault, code).await?;
        ensure!(facts.iter().any(|fact| fact.act.name() == "hold_released"), "not released yet");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn every_invariant_can_fail_and_is_told_by_its_id() -> anyhow::Result<()> {
    let scene = Scene::play().await?;
    let seeds = values::seeds(&scene)?;
    let mut shown = BTreeSet::new();
    for seed in &seeds {
        let (mut world, mut before) = (scene.world.clone(), scene.world.clone());
        (seed.sow)(&mut world, &mut before);
        let found = check(&world, seed.with_before.then_some(&before));
        let ids: BTreeSet<Invariant> = found.iter().map(|violation| violation.invariant).collect();
        assert_eq!(ids, BTreeSet::from([seed.breaks]), "{}: {}", seed.what, report(&found));
        shown.insert(seed.breaks);
    }
    assert_eq!(shown, BTreeSet::from(Invariant::ALL), "an invariant that nothing shows to fail");
    sown::on_the_real_servers(&scene).await
}

#[tokio::test]
async fn a_deposit_that_is_never_sealed_is_told() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest])).await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 70_000, 1)?;
    let log = Log::default().recorder(&recorder)?;
    ensure!(site.dock("E", &recorder, &[]).await?.code == 0, "not docked");
    assert_holds(&site, &log, None).await?;
    let world = collect_for(&site, &log, &[Part::Ingest, Part::Hashing]).await?;
    let found = check(&world, None);
    assert_eq!(found.iter().map(|violation| violation.invariant).collect::<Vec<_>>(), [Invariant::Sealed]);
    Ok(())
}
