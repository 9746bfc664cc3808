//! Uploads that the store gave up, expired or forgot: lost, never complete.

use custos_domain::ids::UploadId;
use custos_local::Part;
use custos_platform::{clock::Clock, vault::StoreError};
use custos_tests::{
    eventually,
    proxy::{Fault, Rule},
    recorder::{noise, noise_file},
};

use super::stage::{LIMIT, MIB, PART, lost_and_begun_anew, play};

/// tusd takes `NoSuchUpload` for "finished", so an upload aborted by a lifecycle rule reads as success (pipeline.md 1.3).
#[test]
fn an_upload_the_store_does_not_know_is_lost_and_never_finished() -> anyhow::Result<()> {
    play(async |stage| {
        let (tus, vault) = (stage.tus()?, stage.site.vault()?);
        let bytes = noise(2 * PART + 9, 51);
        // With some of the bytes there, and with all of them.
        for (recording, sent) in [("UNKNOWN_1", PART + MIB), ("UNKNOWN_2", bytes.len())] {
            let upload = tus.begin(recording, &bytes).await?;
            let session = stage.session(&upload).await?;
            stage.store.plan(Rule::new(Fault::Refuse(503)).on("CompleteMultipartUpload").key("/footage/"))?;
            let answer = tus.patch(&upload, 0, bytes[..sent].to_vec()).await?;
            assert_eq!(answer.status, if sent == bytes.len() { 503 } else { 204 }, "{answer:?}");
            vault.abort(session.multipart(&vault)).await?;
            stage.store.clear();
            assert_eq!(tus.head(&upload).await?.status, 410);
            lost_and_begun_anew(stage, &tus, (recording, &upload), &bytes).await?;
        }
        Ok(())
    })
}

/// MinIO drops uploads by their age, also while they are used (pipeline.md 4.3).
#[test]
fn an_upload_expired_by_the_store_is_begun_anew_by_the_dock_itself() -> anyhow::Result<()> {
    const EXPIRY: &str = "MINIO_API_STALE_UPLOADS_EXPIRY";
    const EVERY: &str = "MINIO_API_STALE_UPLOADS_CLEANUP_INTERVAL";
    play(async |stage| {
        let (stack, vault) = (&stage.site.stack, stage.site.vault()?);
        let recorder = stage.site.scratch("expired");
        let file = noise_file(&recorder, "DCIM/DSJ00061_P000345_20261122091500_0001_00.MP4", 3 * PART + 9, 52)?;
        // The third part never comes through: the dock stands in the middle.
        let held = stage.store.plan(Rule::new(Fault::HalfOpen).on("UploadPart").key("?part=3"))?;
        let mut dock = stage.site.start_dock("E", &recorder, &[])?;
        held.fired().await;
        let upload = newest_upload(&stage.store.log())?;
        let session = stage.session(&upload).await?;
        dock.kill().await?;
        stage.store.clear();
        for (name, value) in [(EXPIRY, "1s"), (EVERY, "1s")] {
            stack.set_env(Part::Minio, name, value);
        }
        stack.restart(Part::Minio).await?;
        eventually("the store to expire it", LIMIT, || async {
            let parts = vault.parts(session.multipart(&vault)).await;
            anyhow::ensure!(matches!(parts, Err(StoreError::NoSuchUpload { .. })), "{parts:?}");
            Ok(())
        })
        .await?;
        for (name, value) in [(EXPIRY, "2160h"), (EVERY, "6h")] {
            stack.set_env(Part::Minio, name, value);
        }
        stack.restart(Part::Minio).await?;
        let docked = stage.site.dock("E", &recorder, &[]).await?;
        assert_eq!((docked.code, docked.codes().len()), (0, 1), "{docked:?}");
        let manifest = stage.stored(&docked.codes()[0], &std::fs::read(file)?).await?;
        assert!(!upload.contains(manifest.upload.as_str()), "the dead upload was gone on with");
        assert_eq!(stage.session(&upload).await?.document["stage"]["stage"], "lost");
        Ok(())
    })
}

/// A lock's date is fixed when the upload is begun; completed after days of rest the original could be deletable at once
/// (pipeline.md 4.3). What is left of such an upload goes with the reaper (tests `reaper`).
#[test]
fn a_session_idle_for_days_is_lost_rather_than_locked_for_a_moment() -> anyhow::Result<()> {
    play(async |stage| {
        let (tus, vault) = (stage.tus()?, stage.site.vault()?);
        let bytes = noise(PART + 9, 53);
        let upload = tus.begin("RESTED_1", &bytes).await?;
        assert_eq!(tus.patch(&upload, 0, bytes[..MIB].to_vec()).await?.status, 204);
        // As if it had been begun so long ago that three days of its lock are left.
        let mut session = stage.session(&upload).await?;
        let left = Clock::system().now() + jiff::SignedDuration::from_hours(3 * 24);
        session.document["lock_begun"] = left.to_string().into();
        let document = serde_json::to_vec(&session.document)?;
        vault.write(&vault.buckets().intake, &session.key, document.into(), "application/json").await?;
        let before = stage.versions("footage/").await?;
        let refused = tus.patch(&upload, MIB as u64, bytes[MIB..].to_vec()).await?;
        assert_eq!((refused.status, refused.problem()), (410, "lost-session"), "{refused:?}");
        assert!(!stage.completed(&session), "it was completed under a lock of three days");
        assert_eq!(stage.versions("footage/").await?, before);
        lost_and_begun_anew(stage, &tus, ("RESTED_1", &upload), &bytes).await
    })
}

/// The path of the upload whose session was written last.
fn newest_upload(log: &[custos_tests::proxy::Seen]) -> anyhow::Result<String> {
    let sessions = log.iter().rev().filter(|seen| seen.operation == "PutObject");
    let key = sessions.filter_map(|seen| seen.key.split_once("/sessions/")).map(|(_, key)| key).next();
    let id = key.and_then(|key| key.rsplit('/').next()?.strip_suffix(".json"));
    Ok(format!("/v1/uploads/{}", UploadId::parse(id.unwrap_or_default())?))
}
