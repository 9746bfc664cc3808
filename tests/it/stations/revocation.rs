//! Revocation, and the register that must not go back on one.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use custos_domain::keys;
use custos_local::{Owner, Part};
use custos_tests::{
    enrolment::{Enrolled, request},
    eventually,
    recorder::{noise, noise_file},
    site::Site,
    tus::Tus,
};
use futures::StreamExt as _;
use rcgen::PKCS_ED25519;
use reqwest::Method;
use serde_json::json;

use super::{A_MINUTE, MIB, admitted, config, tus};

#[tokio::test]
async fn a_revocation_ends_a_running_upload_and_nobody_elses() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let (stolen, honest) = (site.enrolled("E_STOLEN_01").await?, site.enrolled("E_HONEST_01").await?);
    let (one, other) = (tus(&site, "E_STOLEN_01", &stolen)?, tus(&site, "E_HONEST_01", &honest)?);
    admitted(&one).await?;
    admitted(&other).await?;
    let process = site.stack.process_id(Part::Ingest)?;
    let bytes = noise(12 * MIB, 9);
    let (first, second) = (one.begin("STOLEN_1", &bytes).await?, other.begin("HONEST_1", &bytes).await?);
    // Both send without end: a few bytes every so often, until they are told to finish.
    let (finish, finished) = tokio::sync::watch::channel(false);
    let running = |tus: &Tus, upload: &str| {
        let body = trickle(&bytes, finished.clone());
        let request = tus.request(Method::PATCH, upload).header("Upload-Offset", 0);
        let request = request.header("Content-Type", "application/offset+octet-stream");
        tokio::spawn(request.header("Content-Length", bytes.len()).body(body).send())
    };
    let (mut theirs, ours) = (running(&one, &first), running(&other, &second));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!theirs.is_finished() && !ours.is_finished());

    let view = site.shut_out("E_STOLEN_01").await?;
    assert_eq!((&view["state"], &view["revoked"]["reason"]), (&json!("revoked"), &json!("stolen")), "{view}");
    let begun = tokio::time::Instant::now();
    let cut = tokio::time::timeout(A_MINUTE, &mut theirs).await.context("the upload went on for a minute")??;
    println!("the running upload ended {:?} after the revocation was answered", begun.elapsed());
    assert!(cut.is_err(), "the connection must end: {cut:?}");
    let fresh = tus(&site, "E_STOLEN_01", &stolen)?;
    assert!(fresh.head(&first).await.is_err(), "a new connection must be refused");
    let renewing = fresh.client.post(format!("{}/v1/renew", site.stack.url(Part::Stations)));
    let renewing = renewing.json(&json!({ "csr": request(&PKCS_ED25519)? })).send().await;
    assert!(renewing.is_err(), "nothing is renewed: {renewing:?}");
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", MIB, 3)?;
    let told = stolen.run(&site, &["push", &recorder.display().to_string()]).await?;
    assert!(told.code == 69 && told.said.contains("revoked"), "{told:?}");

    assert!(!ours.is_finished(), "others go on");
    finish.send(true)?;
    let done = ours.await??;
    assert_eq!(done.status(), 204);
    assert_eq!(other.get(&second, "receipt").await?.status, 200);
    assert_eq!(site.stack.process_id(Part::Ingest)?, process, "without a restart");

    // A new code brings it back, and its old certificate does not come back with it.
    let code = site.code("E_STOLEN_01").await?;
    assert_eq!(stolen.run(&site, &["enrol", "--code", &code]).await?.code, 0);
    admitted(&tus(&site, "E_STOLEN_01", &stolen)?).await?;
    assert!(fresh.head(&first).await.is_err(), "revoked for good");
    Ok(())
}

/// The bytes in pieces of 64 KiB, one every quarter of a second until `finish`, and then the rest.
fn trickle(bytes: &[u8], finish: tokio::sync::watch::Receiver<bool>) -> reqwest::Body {
    let pieces: Vec<Bytes> = bytes.chunks(64 << 10).map(Bytes::copy_from_slice).collect();
    let stream = futures::stream::iter(pieces).then(move |piece| {
        let mut finish = finish.clone();
        async move {
            let _ = tokio::time::timeout(Duration::from_millis(250), finish.wait_for(|now| *now)).await;
            Ok::<_, std::io::Error>(piece)
        }
    });
    reqwest::Body::wrap_stream(stream)
}

#[tokio::test]
async fn the_register_never_goes_back() -> anyhow::Result<()> {
    let site = Site::with(config().with_env(Part::Stations, "CUSTOS_REGISTER_RESIGN_SECONDS", "3")).await?;
    let vault = site.vault()?;
    let stolen = site.enrolled("E_BACK_01").await?;
    let stolen = tus(&site, "E_BACK_01", &stolen)?;
    admitted(&stolen).await?;
    let bucket = &vault.buckets().intake;
    let old = vault.read_latest(bucket, keys::STATION_REGISTER).await?.context("a register")?;
    site.shut_out("E_BACK_01").await?;
    let shut_out = async |what: &'static str| {
        eventually(what, A_MINUTE, || async {
            // A connection of its own each time.
            let fresh = Tus::with(
                &site,
                stolen.station.clone(),
                &Enrolled { state: site.scratch("dock-E_BACK_01") }.identity(&site)?,
            )?;
            ensure!(fresh.head("/v1/uploads/x").await.is_err(), "it may still come in");
            Ok(())
        })
        .await
    };
    shut_out("the revocation").await?;
    let revoked = site.stored_register().await?;
    assert!(revoked.stations.iter().all(|station| station.station.as_str() != "E_BACK_01"));

    // Signed again without a change; then somebody puts an old one back, whose signature is good.
    let later = eventually("a register signed anew", A_MINUTE, || async {
        let later = site.stored_register().await?;
        ensure!(later.sequence > revoked.sequence && later.issued_at > revoked.issued_at, "{}", later.sequence);
        Ok(later)
    })
    .await?;
    let last = later.sequence;
    vault.write(bucket, keys::STATION_REGISTER, old.bytes, "application/json").await?;
    for _ in 0..10 {
        let fresh = tus(&site, "E_BACK_01", &Enrolled { state: site.scratch("dock-E_BACK_01") })?;
        assert!(fresh.head("/v1/uploads/x").await.is_err(), "an old register undid a revocation");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    eventually("the register put right", A_MINUTE, || async {
        let now = site.stored_register().await?;
        ensure!(now.sequence > last, "{} after {last}", now.sequence);
        Ok(())
    })
    .await?;

    // The database is lost: what the register knows stays, the revocation too.
    let third = site.enrolled("E_BACK_03").await?;
    let third = tus(&site, "E_BACK_03", &third)?;
    admitted(&third).await?;
    site.register("E_BACK_02").await?;
    eventually("the second station in the register", A_MINUTE, || async {
        let now = site.stored_register().await?;
        ensure!(now.stations.iter().any(|station| station.station.as_str() == "E_BACK_02"), "not yet");
        Ok(())
    })
    .await?;
    eventually("the facts of the third", Duration::from_secs(30), || async {
        let facts = site.facts_of_station("E_BACK_03").await?;
        ensure!(facts.iter().any(|fact| fact.act.name() == "station_enrolled"), "{facts:?}");
        Ok(())
    })
    .await?;
    site.stack.stop_part(Part::Stations).await?;
    let before = site.stored_register().await?;
    site.stack.reset_schema(Part::Stations).await?;
    site.stack.start_part(Part::Stations).await?;
    let after = eventually("the register of the new database", A_MINUTE, || async {
        let after = site.stored_register().await?;
        ensure!(after.sequence > before.sequence, "{}", after.sequence);
        Ok(after)
    })
    .await?;
    assert_eq!(after.stations, before.stations);
    shut_out("the revocation, still").await?;
    assert_eq!(site.station_of_register("E_BACK_02").await?["registered_by"], "register");
    // A certificate of which only the facts are left can be revoked.
    site.shut_out("E_BACK_03").await?;
    eventually("the revocation of a certificate from before", A_MINUTE, || async {
        let fresh = tus(&site, "E_BACK_03", &Enrolled { state: site.scratch("dock-E_BACK_03") })?;
        ensure!(fresh.head("/v1/uploads/x").await.is_err(), "it may still come in");
        Ok(())
    })
    .await?;
    // What ingest may do: read it.
    let ingest = custos_tests::store::Root::with(&site, Owner::Service(Part::Ingest))?;
    let object = custos_domain::manifest::StoredObject {
        bucket: bucket.clone(),
        key: keys::STATION_REGISTER.to_owned(),
        version: "null".to_owned(),
    };
    assert!(ingest.overwrite(&object).await.is_err(), "ingest may write the register");
    assert!(ingest.mc(&["rm", "--force"], &object).await.is_err(), "ingest may remove the register");
    Ok(())
}
