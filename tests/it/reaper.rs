//! Dead uploads are dropped with a record, what ended is forgotten, and what lacks a fact gets one. Ages are configured, never slept.

use std::time::Duration;

use custos_domain::{
    fact::{Act, Fact},
    ids::{RecordingId, UploadId},
    item::UnifiedCode,
    keys,
    manifest::{Manifest, StoredObject},
};
use custos_local::{Part, StackConfig};
use custos_platform::vault::{StoreError, Vault, multipart::Multipart};
use custos_tests::{
    eventually,
    recorder::{noise, noise_file},
    site::Site,
    store::{facts, manifest, walk},
    tus::Tus,
};
use serde_json::Value;

const MIB: usize = 1 << 20;
const LONG: Duration = Duration::from_mins(1);

/// A site that gives up and forgets after so many seconds.
async fn impatient(services: &[Part], abandon: u32, forget: u32) -> anyhow::Result<Site> {
    let config = StackConfig::test()
        .with_services(services)
        .with_env(Part::Ingest, "CUSTOS_REAP_SECONDS", "1")
        .with_env(Part::Ingest, "CUSTOS_ABANDON_AFTER_SECONDS", abandon.to_string())
        .with_env(Part::Ingest, "CUSTOS_FORGET_AFTER_SECONDS", forget.to_string());
    Site::with(config).await
}

fn upload_of(location: &str) -> anyhow::Result<UploadId> {
    Ok(UploadId::parse(location.rsplit('/').next().unwrap_or_default())?)
}

/// Every session in the intake bucket, as JSON.
async fn sessions(vault: &Vault) -> anyhow::Result<Vec<Value>> {
    let intake = &vault.buckets().intake;
    let mut sessions = Vec::new();
    for key in vault.keys(intake, keys::SESSIONS, None).await?.0 {
        let Some(document) = vault.read_latest(intake, &key).await? else { continue };
        sessions.push(serde_json::from_slice(&document.bytes)?);
    }
    Ok(sessions)
}

async fn session(vault: &Vault, upload: &UploadId) -> anyhow::Result<Value> {
    let found = sessions(vault).await?.into_iter().find(|session| session["upload"] == upload.as_str());
    found.ok_or_else(|| anyhow::anyhow!("no session of {upload}"))
}

/// The parts the store holds for a session.
async fn parts(vault: &Vault, session: &Value) -> Result<usize, StoreError> {
    let (key, upload_id) = (session["original"].as_str().unwrap_or(""), session["multipart"].as_str().unwrap_or(""));
    let upload = Multipart { bucket: &vault.buckets().originals, key, upload_id };
    vault.parts(upload).await.map(|parts| parts.len())
}

/// The facts about an upload that became no item.
async fn records_of(vault: &Vault, tenant: &str, upload: &UploadId) -> anyhow::Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for object in walk(vault, &vault.buckets().log, &format!("{}uploads/{tenant}/{upload}/", keys::FACTS)).await? {
        facts.push(serde_json::from_slice(&vault.read_document(&object).await?.bytes)?);
    }
    Ok(facts)
}

/// Waits until a session says that what was left of it is dropped.
async fn cleared(vault: &Vault, upload: &UploadId) -> anyhow::Result<Value> {
    eventually("the reaper", LONG, || async {
        let session = session(vault, upload).await?;
        anyhow::ensure!(session["cleared"] == true, "{session}");
        Ok(session)
    })
    .await
}

#[tokio::test]
async fn a_dead_upload_is_dropped_with_a_record_and_a_living_one_is_not() -> anyhow::Result<()> {
    let site = impatient(&[Part::Ingest], 12, 600).await?;
    let (tus, vault) = (Tus::of(&site, "E")?, site.vault()?);
    let bytes = noise(19 * MIB + 7, 1);
    let dead = tus.begin("DEAD_1", &bytes).await?;
    assert_eq!(tus.patch(&dead, 0, bytes[..11 * MIB].to_vec()).await?.offset(), Some(11 * MIB as u64));
    let upload = upload_of(&dead)?;
    let before = session(&vault, &upload).await?;
    assert_eq!(parts(&vault, &before).await?, 1);
    let silent = upload_of(&tus.declare(&tus.declaration("SILENT_1", &bytes)?).await?.location()?)?;

    // Longer under way than the reaper's patience, but something comes all the time.
    let living = tus.begin("LIVING_1", &bytes).await?;
    let mut offset = 0;
    let after = eventually("the reaper, while another upload goes on", LONG, || {
        let (piece, at) = (bytes[offset..offset + 100_000].to_vec(), offset as u64);
        offset += 100_000;
        let (tus, living, vault, upload) = (&tus, &living, &vault, &upload);
        async move {
            let answer = tus.patch(living, at, piece).await.expect("an answer");
            assert_eq!(answer.offset(), Some(at + 100_000), "{answer:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
            let session = session(vault, upload).await?;
            anyhow::ensure!(session["cleared"] == true, "{session}");
            Ok(session)
        }
    })
    .await?;
    assert_eq!(after["stage"]["stage"], "lost", "{after}");
    assert!(
        matches!(parts(&vault, &before).await, Err(StoreError::NoSuchUpload { .. })),
        "the multipart is still there"
    );
    let intake = &vault.buckets().intake;
    assert!(vault.keys(intake, &keys::tails(&upload), None).await?.0.is_empty(), "a tail was left");
    assert!(vault.read_latest(intake, &keys::intake_outboard(&upload)).await?.is_none(), "the outboard was left");
    cleared(&vault, &silent).await?;
    for (upload, file) in [(&upload, "DCIM/DEAD_1.mp4"), (&silent, "DCIM/SILENT_1.mp4")] {
        let records = records_of(&vault, "E", upload).await?;
        let [Fact { act: Act::UploadAbandoned { file_name, length, reason, .. }, unit: Some(_), .. }] = &records[..]
        else {
            panic!("one record of {upload}: {records:?}");
        };
        assert_eq!((file_name.as_str(), *length), (file, bytes.len() as u64));
        assert!(reason.contains("nothing came for it"), "{reason}");
    }

    let lost = tus.patch(&dead, 11 * MIB as u64, bytes[11 * MIB..].to_vec()).await?;
    assert_eq!((lost.status, lost.problem()), (410, "lost-session"), "{lost:?}");
    let anew = tus.begin("DEAD_1", &bytes).await?;
    assert_ne!(anew, dead);
    assert_eq!(tus.patch(&anew, 0, bytes.clone()).await?.status, 204);
    assert_eq!(tus.patch(&living, offset as u64, bytes[offset..].to_vec()).await?.status, 204);
    for upload in [&anew, &living] {
        assert_eq!(tus.get(upload, "receipt").await?.status, 200);
    }
    assert!(site.metric(Part::Ingest, "custos_ingest_reaped_total", "abandoned").await? >= 2.0);
    Ok(())
}

#[tokio::test]
async fn a_dock_that_comes_back_after_the_reaper_begins_anew_by_itself() -> anyhow::Result<()> {
    let site = impatient(&[Part::Ingest], 8, 600).await?;
    let vault = site.vault()?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 200 << 20, 1)?;
    let mut dock = site.start_dock("E", &recorder, &[])?;
    let upload = eventually("the first parts", LONG, || async {
        for session in sessions(&vault).await? {
            if session["multipart"].is_string() && parts(&vault, &session).await? > 2 {
                return Ok(UploadId::parse(session["upload"].as_str().unwrap_or_default())?);
            }
        }
        anyhow::bail!("no parts yet")
    })
    .await?;
    dock.kill().await?;
    cleared(&vault, &upload).await?;
    let docked = site.dock("E", &recorder, &[]).await?;
    assert_eq!((docked.code, docked.codes().len()), (0, 1), "{docked:?}");
    let (manifest, _) = manifest(&vault, &docked.codes()[0]).await?;
    assert_ne!(manifest.upload, upload);
    Ok(())
}

#[tokio::test]
async fn what_ended_is_forgotten_and_the_same_declaration_gets_the_same_receipt() -> anyhow::Result<()> {
    let site = impatient(&[Part::Ingest, Part::Hashing], 8, 3).await?;
    let (tus, vault) = (Tus::of(&site, "E")?, site.vault()?);
    let bytes = noise(9 * MIB, 2);
    let first = tus.begin("FORGOTTEN_1", &bytes).await?;
    assert_eq!(tus.patch(&first, 0, bytes.clone()).await?.status, 204);
    let receipt = tus.get(&first, "receipt").await?;
    let given_up = tus.begin("GIVEN_UP_1", &bytes).await?;
    assert_eq!(tus.request(reqwest::Method::DELETE, &given_up).send().await?.status().as_u16(), 204);
    assert!(
        site.metric(Part::Ingest, "custos_ingest_lost_sessions_total", "").await?.abs() < 0.5,
        "given up is not lost"
    );

    for _ in 0..2 {
        eventually("an empty intake bucket", LONG, || async {
            let (left, _) = vault.keys(&vault.buckets().intake, "", None).await?;
            let left: Vec<_> = left.into_iter().filter(|key| !key.starts_with("stations/")).collect();
            anyhow::ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
        .await?;
        assert_eq!(tus.head(&first).await?.status, 404);
        let again = tus.declare(&tus.declaration("FORGOTTEN_1", &bytes)?).await?;
        assert_eq!(again.offset(), Some(bytes.len() as u64), "{again:?}");
        let same = tus.get(&again.location()?, "receipt").await?;
        assert_eq!((same.status, &same.body), (200, &receipt.body));
        let permit = tus.get(&again.location()?, "permit").await?;
        assert!([200, 202].contains(&permit.status), "{permit:?}");
    }
    assert_eq!(walk(&vault, &vault.buckets().originals, "footage/").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_reaper_killed_at_any_moment_ends_the_same() -> anyhow::Result<()> {
    let site = impatient(&[Part::Ingest], 600, 600).await?;
    let (tus, vault) = (Tus::of(&site, "E")?, site.vault()?);
    let bytes = noise(9 * MIB, 3);
    let mut uploads = Vec::new();
    for number in 0..12 {
        let upload = tus.begin(&format!("KILLED_{number}"), &bytes).await?;
        assert_eq!(tus.patch(&upload, 0, bytes[..MIB].to_vec()).await?.status, 204);
        uploads.push(upload_of(&upload)?);
    }
    site.stack.set_env(Part::Ingest, "CUSTOS_ABANDON_AFTER_SECONDS", "1");
    for round in 0..6 {
        site.stack.kill9(Part::Ingest)?;
        site.stack.start_part(Part::Ingest).await?;
        tokio::time::sleep(Duration::from_millis(37 * round)).await;
    }
    for upload in &uploads {
        let session = cleared(&vault, upload).await?;
        assert!(matches!(parts(&vault, &session).await, Err(StoreError::NoSuchUpload { .. })));
        assert!(vault.keys(&vault.buckets().intake, &keys::tails(upload), None).await?.0.is_empty());
        assert_eq!(records_of(&vault, "E", upload).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_manifest_whose_deposit_was_never_stated_gets_its_fact() -> anyhow::Result<()> {
    let config = StackConfig::test().with_services(&[Part::Ingest]).with_env(Part::Ingest, "CUSTOS_AUDIT_SECONDS", "1");
    let site = Site::with(config).await?;
    let (tus, vault) = (Tus::of(&site, "E")?, site.vault()?);
    let bytes = noise(5000, 4);
    let upload = tus.begin("STATED_1", &bytes).await?;
    assert_eq!(tus.patch(&upload, 0, bytes.clone()).await?.status, 204);
    let code = UnifiedCode::of(tus.declaration("STATED_1", &bytes)?.item());
    let (stated, _) = manifest(&vault, &code.to_string()).await?;
    // As a commit leaves it that was killed after its manifest, ten minutes ago.
    let mut item = code.key().clone();
    item.recording = RecordingId::parse("UNSTATED_1")?;
    let code = UnifiedCode::of(item);
    let ingested_at = stated.ingested_at - jiff::SignedDuration::from_mins(10);
    let unstated = Manifest { code: code.clone(), ingested_at, ..stated.clone() };
    let document = serde_json::to_vec(&unstated)?;
    let key = keys::manifest(code.key());
    let until = stated.locked_until;
    vault.create_locked(&vault.buckets().originals, &key, document.into(), "application/json", until).await?;
    let deposited = eventually("the fact", LONG, || async {
        let facts = facts(&vault, &code.to_string()).await?;
        anyhow::ensure!(facts.iter().any(|fact| fact.act.name() == "deposited"), "{facts:?}");
        Ok(facts)
    })
    .await?;
    assert_eq!(deposited[0].at, ingested_at);
    let Act::Deposited { manifest: StoredObject { key: named, .. }, .. } = &deposited[0].act else {
        panic!("{deposited:?}");
    };
    assert_eq!(*named, key);
    assert!(site.metric(Part::Ingest, "custos_reconcile_finished_total", "fact").await? >= 1.0);
    eventually("the round's end", LONG, || async {
        anyhow::ensure!(site.metric(Part::Ingest, "custos_reconcile_round_end", "store").await? > 0.0);
        Ok(())
    })
    .await
}
