//! Ingest and the store killed, or told to stop, at the worst moments of a commit.

use std::{process::Output, time::Duration};

use anyhow::ensure;
use custos_local::Part;
use custos_tests::{
    eventually,
    proxy::{Fault, Planned, Rule},
    recorder::{noise, noise_file},
};
use serde_json::Value;
use tokio::process::Child;

use super::stage::{LIMIT, MIB, PART, Stage, patching, play};

/// One recording of several parts, on its way by the real dock.
struct Docking {
    child: Child,
    bytes: Vec<u8>,
}

impl Docking {
    fn start(stage: &Stage, number: u32) -> anyhow::Result<Self> {
        let folder = stage.site.scratch(&format!("killed-{number}"));
        let name = format!("DCIM/DSJ{number:05}_P000345_20261122091500_0001_00.MP4");
        let bytes = std::fs::read(noise_file(&folder, &name, 2 * PART + 9, u64::from(number))?)?;
        Ok(Self { child: stage.site.start_dock("E", &folder, &["--patience", "90"])?, bytes })
    }

    /// The dock came to its end by itself, and what it tells of is stored.
    async fn ends_right(self, stage: &Stage) -> anyhow::Result<()> {
        let Output { status, stdout, stderr } = self.child.wait_with_output().await?;
        let said = String::from_utf8_lossy(&stderr);
        ensure!(status.success(), "{said}");
        let lines = String::from_utf8_lossy(&stdout).into_owned();
        let line: Value = serde_json::from_str(lines.lines().next().unwrap_or_default())?;
        stage.stored(line["code"].as_str().unwrap_or_default(), &self.bytes).await.map(drop)
    }
}

fn at_complete(stage: &Stage, fault: Fault) -> anyhow::Result<Planned> {
    stage.store.plan(Rule::new(fault).on("CompleteMultipartUpload").key("/footage/").first(1))
}

/// The original that was to be completed.
fn original(stage: &Stage) -> String {
    let log = stage.store.log();
    let seen =
        log.iter().rev().find(|seen| seen.operation == "CompleteMultipartUpload" && seen.key.contains("/footage/"));
    seen.map(|seen| seen.key.clone()).unwrap_or_default()
}

/// A client gone 12 to 30 ms into Complete: MinIO destroyed 4 to 25 of 100 such uploads (pipeline.md 4.3). Whatever it does, the dock
/// ends with a receipt by itself.
#[test]
fn ingest_killed_within_30_ms_of_sending_complete() -> anyhow::Result<()> {
    play(async |stage| {
        let mut begun_anew = 0;
        for (number, wait) in (100..).zip([0, 6, 12, 18, 24, 30]) {
            let sent = at_complete(stage, Fault::Tell)?;
            let docking = Docking::start(stage, number)?;
            sent.fired().await;
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let first = original(stage);
            stage.kill_ingest().await?;
            docking.ends_right(stage).await?;
            begun_anew += usize::from(original(stage) != first);
        }
        println!("{begun_anew} of 6 uploads were destroyed and begun anew");
        Ok(())
    })
}

/// The same for certain: the upload is destroyed while its Complete is on the way, with ingest killed and with ingest alive. It ends as a
/// lost session, and the dock brings the bytes again by itself.
#[test]
fn an_upload_destroyed_during_complete_is_repeated_by_the_dock_itself() -> anyhow::Result<()> {
    play(async |stage| {
        let vault = stage.site.vault()?;
        for (number, killed) in [(120, true), (121, false)] {
            let held = at_complete(stage, Fault::HalfOpen)?;
            let docking = Docking::start(stage, number)?;
            held.fired().await;
            let upload = original(stage).rsplit('/').next().unwrap_or_default().to_owned();
            let session = stage.session(&upload).await?;
            vault.abort(session.multipart(&vault)).await?;
            if killed {
                stage.kill_ingest().await?;
            }
            stage.store.clear();
            docking.ends_right(stage).await?;
            assert_eq!(stage.session(&upload).await?.document["stage"]["stage"], "lost");
        }
        Ok(())
    })
}

/// kill -9 of MinIO destroyed 4 of 80 uploads during Complete, and 4 of 100 acknowledged parts while they were sent again
/// (pipeline.md 4.3).
#[test]
fn the_store_killed_during_complete_and_while_a_part_is_sent() -> anyhow::Result<()> {
    play(async |stage| {
        for (number, (operation, key, wait)) in (140..).zip([
            ("CompleteMultipartUpload", "/footage/", 0),
            ("CompleteMultipartUpload", "/footage/", 10),
            ("UploadPart", "?part=2", 0),
            ("UploadPart", "?part=1", 10),
        ]) {
            let sent = stage.store.plan(Rule::new(Fault::Tell).on(operation).key(key).first(1))?;
            let docking = Docking::start(stage, number)?;
            sent.fired().await;
            tokio::time::sleep(Duration::from_millis(wait)).await;
            stage.site.stack.kill9(Part::Minio)?;
            stage.store.clear();
            stage.site.stack.start_part(Part::Minio).await?;
            docking.ends_right(stage).await?;
        }
        Ok(())
    })
}

/// What is being finished when ingest is told to stop is finished before it stops; what is new is not taken.
#[test]
fn an_upload_finished_while_ingest_drains_gets_its_manifest() -> anyhow::Result<()> {
    play(async |stage| {
        let (tus, stack) = (stage.tus()?, &stage.site.stack);
        let bytes = noise(PART + 9, 160);
        let upload = tus.begin("DRAINED_1", &bytes).await?;
        let before = stage.versions("manifests/").await?;
        let held = at_complete(stage, Fault::Stall(Duration::from_secs(3)))?;
        let sending = patching(stage.tus()?, &upload, 0, &bytes);
        held.fired().await;
        let refused = async {
            eventually("a new upload to be refused", LIMIT, || async {
                match stage.tus()?.declare(&tus.declaration("DRAINED_2", &bytes[..MIB])?).await {
                    Err(_) => Ok(()),
                    Ok(answer) if answer.status == 503 => Ok(()),
                    Ok(answer) => Err(anyhow::anyhow!("taken: {answer:?}")),
                }
            })
            .await
        };
        let (by_itself, refused) = tokio::join!(stack.stop_part(Part::Ingest), refused);
        refused?;
        assert!(by_itself?, "it had to be killed");
        assert_eq!(stage.versions("manifests/").await?, before + 1, "it stopped before the manifest was written");
        if let Ok(answer) = sending.await? {
            assert_eq!(answer.status, 204, "{answer:?}");
        }
        stack.start_part(Part::Ingest).await?;
        stage.deposited(&tus, &upload, &bytes).await.map(drop)
    })
}
