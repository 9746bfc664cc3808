//! Dock, cut, look; hold, cut, look.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context, ensure};
use custos_domain::{digest::Root, manifest::StoredObject};
use custos_local::{Part, StackConfig};
use custos_platform::{
    clock::Clock,
    vault::{StoreError, Vault},
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::json;

use super::{Disk, Outcome, Setting};
use crate::{
    eventually,
    recorder::noise,
    site::Site,
    store::{locked_objects, manifest},
};

/// Whose station docks.
const TENANT: &str = "E";
/// How long services get to bring the store to where it ought to be.
const LIMIT: Duration = Duration::from_mins(3);
/// Bytes of the files of a recorder, in turn: of several parts, of one, and of less.
const LENGTHS: [usize; 3] = [(17 << 20) + 5, 3 << 20, 40_000];

/// How much is played.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Cuts after a docking, and as many after a hold.
    pub rounds: u32,
    /// Items of one docking.
    pub items: usize,
}

/// A lock and a hold as they were read from the store.
struct Kept {
    object: StoredObject,
    locked_until: Option<Timestamp>,
}

/// Plays one setting in `folder`; tells each cut as it is played.
pub async fn play(folder: &Path, setting: Setting, plan: Plan, tell: impl Fn(&str)) -> anyhow::Result<Outcome> {
    let root = folder.join(setting.to_string());
    let disk = Disk::make(&root.join("data/minio"), setting.mount_options()).await?;
    let mut config = StackConfig { folder: Some(root), ..StackConfig::test() }
        .with_services(&[Part::Ingest, Part::Hashing, Part::Retention, Part::LegalHold])
        .with_env(Part::Minio, "MINIO_FS_OSYNC", setting.osync());
    for auditor in [Part::Retention, Part::LegalHold] {
        config = config.with_env(auditor, "CUSTOS_AUDIT_SECONDS", "2");
    }
    let site = Site::with(config).await?;
    let mut outcome = Outcome::default();
    for round in 0..plan.rounds {
        let codes = docked(&site, &disk, setting, round, plan.items).await?;
        let word = last_word(&site, round).await?;
        power_cut(&site, &disk).await?;
        outcome.acknowledged += 1;
        outcome.acknowledged_lost += usize::from(site.vault()?.read_document(&word).await.is_err());
        let there = after_docking(&site, &codes, round, &mut outcome).await?;
        tell(&format!("{setting}, docking {}: {} of {} items there", round + 1, there.len(), codes.len()));
        if !there.is_empty() {
            let kept = held(&site, &there).await?;
            held_at_last(&site, &disk, &kept).await?;
            power_cut(&site, &disk).await?;
            let lost = after_hold(&site, &kept, &mut outcome).await?;
            tell(&format!("{setting}, hold {}: {lost} of {} objects lost it", round + 1, kept.len()));
        }
    }
    // The store before its disk.
    drop(site);
    drop(disk);
    Ok(outcome)
}

/// Docks a recorder until every file is erased under a permit.
async fn docked(site: &Site, disk: &Disk, setting: Setting, round: u32, items: usize) -> anyhow::Result<Vec<String>> {
    let recorder = site.scratch(&format!("recorder-{round}"));
    std::fs::create_dir_all(recorder.join("DCIM"))?;
    for (number, bytes) in contents(round, items).enumerate() {
        let name = format!("DCIM/DSJ{round:05}_P000345_202611220915{number:02}_{number:04}_00.MP4");
        std::fs::write(recorder.join(name), bytes)?;
    }
    disk.flush().await?;
    let docked = site.dock(TENANT, &recorder, &["--erase", "--permit-wait", "120"]).await?;
    ensure!(docked.code == 0 && docked.codes().len() == items, "{setting}: {docked:?}");
    Ok(docked.codes())
}

/// The last thing the store acknowledges before the cut: nothing that is written later makes it durable by the way.
async fn last_word(site: &Site, round: u32) -> anyhow::Result<StoredObject> {
    let (vault, key) = (site.vault()?, format!("power-cut/{round}"));
    let (bucket, until) = (vault.buckets().log.clone(), Clock::system().now() + SignedDuration::from_hours(1));
    let created = vault.create_locked_first(&bucket, &key, "the last word".into(), "text/plain", until).await?;
    Ok(created.object().clone())
}

/// The hold of one object, given again as the last thing before the cut: off and durable, then on, acknowledged and read back.
async fn held_at_last(site: &Site, disk: &Disk, kept: &[Kept]) -> anyhow::Result<()> {
    let (vault, last) = (site.vault()?, kept.last().context("nothing is held")?);
    vault.set_hold(&last.object, false).await?;
    disk.flush().await?;
    Ok(vault.set_hold(&last.object, true).await?)
}

fn contents(round: u32, items: usize) -> impl Iterator<Item = Vec<u8>> {
    LENGTHS.into_iter().cycle().take(items).zip(1..).map(move |(len, seed)| noise(len, u64::from(round) * 1000 + seed))
}

/// The store's machine loses its power, and gets it back.
async fn power_cut(site: &Site, disk: &Disk) -> anyhow::Result<()> {
    disk.cut().await?;
    site.stack.kill9(Part::Minio)?;
    disk.restore().await?;
    site.stack.start_part(Part::Minio).await
}

/// Which items are still there, whole and locked.
async fn after_docking(
    site: &Site,
    codes: &[String],
    round: u32,
    outcome: &mut Outcome,
) -> anyhow::Result<Vec<String>> {
    let vault = site.vault()?;
    let roots: BTreeSet<String> = contents(round, codes.len()).map(|bytes| Root::of(&bytes).to_hex()).collect();
    let mut there = Vec::new();
    for code in codes {
        outcome.permitted += 1;
        match is_there(&vault, code, &roots).await {
            Ok(objects) => {
                outcome.papers_lost += usize::from(objects < 5);
                there.push(code.clone());
            }
            Err(_) => outcome.footage_lost += 1,
        }
    }
    Ok(there)
}

/// How many of an item's five objects are there; fails when the footage or its manifest is not.
async fn is_there(vault: &Vault, code: &str, roots: &BTreeSet<String>) -> anyhow::Result<usize> {
    let (manifest, object) = manifest(vault, code).await?;
    let stored = vault.read_range(&manifest.original, 0, manifest.length).await?;
    let root = Root::of(&stored);
    ensure!(root == manifest.root && roots.contains(&root.to_hex()), "other bytes");
    for object in [&manifest.original, &object] {
        ensure!(vault.lock_of(object).await? >= Some(manifest.locked_until), "{} is not locked", object.key);
    }
    let objects = locked_objects(vault, code).await?;
    Ok(join_all(objects.iter().map(|object| vault.head_version(object)))
        .await
        .iter()
        .filter(|head| head.is_ok())
        .count())
}

/// Asks for a hold on items, and waits until the store shows it on every object.
async fn held(site: &Site, codes: &[String]) -> anyhow::Result<Vec<Kept>> {
    let body = json!({ "items": codes, "cite": "E-14.1", "text": "當事人投訴", "permanence": "open" });
    let placed = eventually("the hold to be taken", LIMIT, || async {
        let (status, said) =
            site.call(Part::LegalHold, "e-officer", Method::POST, "/v1/holds", Some(body.clone())).await?;
        ensure!(status == 201, "{status} {said}");
        Ok(())
    });
    placed.await?;
    let vault = site.vault()?;
    eventually("the store's hold", LIMIT, || async {
        let mut kept = Vec::new();
        for code in codes {
            for object in locked_objects(&vault, code).await? {
                ensure!(vault.is_held(&object).await?, "{} is not held", object.key);
                let locked_until = vault.lock_of(&object).await?;
                kept.push(Kept { object, locked_until });
            }
        }
        Ok(kept)
    })
    .await
}

/// What the store forgot, and whether the auditors put it back. Answers how many objects lost their hold.
async fn after_hold(site: &Site, kept: &[Kept], outcome: &mut Outcome) -> anyhow::Result<usize> {
    let vault = site.vault()?;
    let (mut unheld, mut shortened) = (Vec::new(), Vec::new());
    for kept in kept {
        if !holds(&vault, kept).await? {
            unheld.push(kept);
        }
        if !locks(&vault, kept).await? {
            shortened.push(kept);
        }
    }
    outcome.held += kept.len();
    outcome.holds_lost += unheld.len();
    outcome.locks_lost += shortened.len();
    outcome.holds_back += put_back(&unheld, async |kept| holds(&vault, kept).await).await;
    outcome.locks_back += put_back(&shortened, async |kept| locks(&vault, kept).await).await;
    Ok(unheld.len())
}

async fn holds(vault: &Vault, kept: &Kept) -> Result<bool, StoreError> {
    vault.is_held(&kept.object).await
}

async fn locks(vault: &Vault, kept: &Kept) -> Result<bool, StoreError> {
    Ok(vault.lock_of(&kept.object).await? >= kept.locked_until)
}

/// How many are as they were before the time is over.
async fn put_back(lost: &[&Kept], is_back: impl AsyncFn(&Kept) -> Result<bool, StoreError>) -> usize {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let mut back = 0;
        for &kept in lost {
            back += usize::from(is_back(kept).await.unwrap_or(false));
        }
        if back == lost.len() || tokio::time::Instant::now() > deadline {
            return back;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
