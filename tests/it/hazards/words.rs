//! Words that do not fit the bytes: lengths, sizes read back, clocks.

use anyhow::ensure;
use base64::{Engine, engine::general_purpose::STANDARD};
use custos_domain::dsse::Envelope;
use custos_local::seeds;
use custos_platform::clock::Clock;
use custos_tests::{
    eventually,
    proxy::{Fault, Rewrite, Rule},
    recorder::noise,
    store::walk,
    tus::{Answer, Tus},
};
use jiff::SignedDuration;
use reqwest::Method;

use super::stage::{LIMIT, MIB, PART, Stage, play};

/// Upload-Length is what a client says; what it signed and what it sends decide.
#[test]
fn a_lying_upload_length_makes_no_item() -> anyhow::Result<()> {
    play(async |stage| {
        let (known, plain) = (stage.tus()?, plain(stage)?);
        let bytes = noise(MIB + 5, 81);
        let before = stage.versions("").await?;
        let envelope = |tus: &Tus| -> anyhow::Result<Vec<u8>> {
            let declared = tus.declaration("LYING_1", &bytes)?;
            Ok(serde_json::to_vec(&Envelope::seal(&declared, &tus.key)?)?)
        };
        for length in [bytes.len() as u64 - 1, bytes.len() as u64 + 1, 0, u64::MAX] {
            let refused = known.declare_envelope(&envelope(&known)?, length).await?;
            assert_eq!((refused.status, refused.problem()), (422, "declaration-refused"), "{length}: {refused:?}");
        }
        for length in ["", "-1", "1e6", "18446744073709551616", "0x10", "10, 10"] {
            let refused = create(&plain, length, "LYING_2").await?;
            assert_eq!(refused.status, 400, "`{length}`: {refused:?}");
        }
        // More bytes than said: none of them counts. Fewer: the upload waits for the rest, and there is no receipt for it.
        for (said, recording) in [(MIB, "LYING_3"), (2 * MIB, "LYING_4")] {
            let upload = create(&plain, &said.to_string(), recording).await?.location()?;
            let answer = plain.patch(&upload, 0, bytes.clone()).await?;
            let kept = if said < bytes.len() { 0 } else { bytes.len() as u64 };
            assert_eq!(answer.status, if kept == 0 { 413 } else { 204 }, "{answer:?}");
            assert_eq!(plain.head(&upload).await?.offset(), Some(kept));
            let receipt = plain.get(&upload, "receipt").await?;
            assert_eq!((receipt.status, receipt.body["offset"].as_u64()), (409, Some(kept)), "{receipt:?}");
        }
        assert_eq!(stage.versions("").await?, before, "something was stored for good");
        Ok(())
    })
}

/// Finished, and the object has no bytes (tusd issue 497): what the store says it holds is compared before anybody is told.
#[test]
fn a_finished_object_of_zero_bytes_is_rejected_at_read_back() -> anyhow::Result<()> {
    play(async |stage| {
        let (tus, vault) = (stage.tus()?, stage.site.vault()?);
        for (recording, len) in [("ZERO_1", MIB), ("ZERO_2", PART + 9)] {
            let bytes = noise(len, 82);
            let upload = tus.begin(recording, &bytes).await?;
            let id = upload.rsplit('/').next().unwrap_or_default();
            let (manifests, rejected) = (stage.versions("manifests/").await?, stage.versions("rejected/").await?);
            let zero = Rewrite::Header("content-length".into(), "0".into());
            stage.store.plan(Rule::new(Fault::Rewrite(zero)).on("HeadObject").key("/footage/"))?;
            let refused = tus.patch(&upload, 0, bytes.clone()).await?;
            assert_eq!((refused.status, refused.problem()), (409, "deposit-rejected"), "{refused:?}");
            stage.store.clear();
            assert_eq!(stage.versions("manifests/").await?, manifests, "a manifest was written");
            let found = walk(&vault, &vault.buckets().originals, "rejected/").await?;
            assert!(found.len() == rejected + 1 && found.iter().any(|object| object.key.contains(id)), "{found:?}");
            assert_eq!(tus.get(&upload, "receipt").await?.status, 410);
            let anew = tus.begin(recording, &bytes).await?;
            assert_eq!(tus.patch(&anew, 0, bytes.clone()).await?.status, 204);
            stage.deposited(&tus, &anew, &bytes).await?;
        }
        Ok(())
    })
}

/// The store's clock steps away from ours, or ours from it, forth and back: nothing is locked until they agree, and nothing that came
/// before is lost by it (INV-11).
#[test]
fn clocks_that_step_apart_stop_every_lock_until_they_agree() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        let bytes = noise(PART + MIB, 83);
        for (recording, hours) in [("STEP_FORTH_1", 1), ("STEP_BACK_1", -1)] {
            let upload = tus.begin(recording, &bytes).await?;
            assert_eq!(tus.patch(&upload, 0, bytes[..5 * MIB].to_vec()).await?.status, 204);
            let stepped = Clock::system().now() + SignedDuration::from_hours(hours);
            let date = stepped.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            stage.store.plan(Rule::new(Fault::Rewrite(Rewrite::Header("date".into(), date))).on("Other"))?;
            let other = tus.declaration(&format!("{recording}_OTHER"), &bytes)?;
            eventually("the step to be noticed", LIMIT, || async {
                let refused = tus.declare(&other).await?;
                ensure!((refused.status, refused.problem()) == (503, "clock-skew"), "{refused:?}");
                Ok(())
            })
            .await?;
            let before = stage.versions("").await?;
            let refused = tus.patch(&upload, 5 * MIB as u64, bytes[5 * MIB..].to_vec()).await?;
            assert_eq!((refused.status, refused.problem()), (503, "clock-skew"), "{refused:?}");
            assert_eq!(stage.versions("").await?, before, "something was locked by a clock that is wrong");
            assert_eq!(tus.head(&upload).await?.offset(), Some(5 * MIB as u64));

            stage.store.clear();
            eventually("the clocks to agree again", LIMIT, || async {
                let answer = tus.patch(&upload, 5 * MIB as u64, bytes[5 * MIB..].to_vec()).await?;
                ensure!(answer.status == 204, "{answer:?}");
                Ok(())
            })
            .await?;
            let manifest = stage.deposited(&tus, &upload, &bytes).await?;
            let off = Clock::system().now().duration_since(manifest.ingested_at);
            assert!(off.abs() < SignedDuration::from_mins(30), "{off} off");
        }
        Ok(())
    })
}

/// The station that may deposit what nobody signed.
fn plain(stage: &Stage) -> anyhow::Result<Tus> {
    let station = seeds::plain_station()?;
    let identity = stage.site.stack.station(&station)?;
    Tus::with(&stage.site, station, &identity)
}

async fn create(tus: &Tus, length: &str, recording: &str) -> anyhow::Result<Answer> {
    let said = [
        ("device", "DSJ00099"),
        ("recording", recording),
        ("filename", "clip.mp4"),
        ("started_at", "2026-11-23T09:15:00"),
    ];
    let said: Vec<String> = said.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    let request = tus.request(Method::POST, "/v1/uploads").header("Upload-Length", length);
    Answer::read(request.header("Upload-Metadata", said.join(",")).send().await?).await
}
