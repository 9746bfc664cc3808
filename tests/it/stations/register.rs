//! The register and its database: killed between the two, two replicas, an old copy of either.

use std::time::Duration;

use anyhow::{Context, ensure};
use custos_domain::keys;
use custos_local::{Part, provision::database, seeds::Station};
use custos_tests::{
    enrolment::{UNIT, request},
    eventually,
    replica::Replica,
    site::Site,
};
use futures::future::try_join_all;
use nix::sys::signal::Signal;
use rcgen::PKCS_ED25519;
use sqlx::PgConnection;

use super::{A_MINUTE, config};

async fn refused(site: &Site, identity: &custos_local::certificates::Identity) -> anyhow::Result<()> {
    eventually("the revocation at ingest", A_MINUTE, || async {
        ensure!(!site.is_let_in(identity).await?, "it is let in");
        Ok(())
    })
    .await
}

async fn let_in(site: &Site, identity: &custos_local::certificates::Identity) -> anyhow::Result<()> {
    eventually("ingest's look at the register", Duration::from_secs(30), || async {
        ensure!(site.is_let_in(identity).await?, "it is refused");
        Ok(())
    })
    .await
}

async fn superuser(site: &Site) -> anyhow::Result<PgConnection> {
    let address = site.stack.address(Part::Postgres);
    let port = address.rsplit(':').next().context("port")?.parse()?;
    database::connect(port, site.stack.secrets(), database::DATABASE).await
}

#[tokio::test]
async fn killed_between_the_database_and_the_register_a_revocation_is_not_lost() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let identity = site.enrolled("E_BETWEEN_01").await?.identity(&site)?;
    let_in(&site, &identity).await?;
    // The store stands still: the revocation is decided, and cannot be published.
    site.stack.signal(Part::Minio, Signal::SIGSTOP)?;
    let answered = site.shut_out("E_BETWEEN_01").await;
    site.stack.kill9(Part::Stations)?;
    site.stack.signal(Part::Minio, Signal::SIGCONT)?;
    assert_eq!(answered?["state"], "revoked");
    let between = site.stored_register().await?;
    assert!(between.stations.iter().any(|s| s.station.as_str() == "E_BETWEEN_01"), "it was published already");
    assert!(site.is_let_in(&identity).await?, "ingest cannot know");

    site.stack.start_part(Part::Stations).await?;
    refused(&site, &identity).await?;
    assert!(site.stored_register().await?.sequence > between.sequence);
    Ok(())
}

#[tokio::test]
async fn two_replicas_use_a_code_once_and_publish_what_both_decide() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let second = Replica::of(&site, Part::Stations).await?;
    let urls = [site.stack.url(Part::Stations), second.url.clone()];
    site.register("E_TWO_00").await?;
    let code = site.code("E_TWO_00").await?;
    let tries = (0..8).map(|n| {
        let (site, url, code) = (&site, &urls[n % 2], &code);
        async move { site.enrol_at(url, code, &request(&PKCS_ED25519)?).await }
    });
    let answers = try_join_all(tries).await?;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{answers:?}");

    let before = site.stored_register().await?.sequence;
    let names: Vec<String> = (1..=6).map(|n| format!("E_TWO_0{n}")).collect();
    let registered = names.iter().enumerate().map(|(n, id)| {
        let (site, url) = (&site, &urls[n % 2]);
        async move {
            let request = site.stack.https()?.post(format!("{url}/v1/stations"));
            let request = request.bearer_auth(site.stack.token(custos_tests::enrolment::ADMINISTRATOR)?);
            let answer = request.json(&serde_json::json!({ "id": id, "unit": UNIT })).send().await?;
            ensure!(answer.status() == 201, "{}", answer.status());
            Ok(())
        }
    });
    try_join_all(registered).await?;
    eventually("all of them in the register", A_MINUTE, || async {
        let register = site.stored_register().await?;
        let missing: Vec<&String> =
            names.iter().filter(|id| !register.stations.iter().any(|s| s.station.as_str() == *id)).collect();
        ensure!(missing.is_empty() && register.sequence > before, "{missing:?}");
        Ok(())
    })
    .await?;
    // At rest nobody writes: the two agree.
    let mut last = 0;
    let mut rounds = 0;
    while last != site.stored_register().await?.sequence {
        ensure!(rounds < 6, "they write again and again: {last}");
        rounds += 1;
        last = site.stored_register().await?.sequence;
        tokio::time::sleep(Duration::from_secs(8)).await;
    }

    // Shut out at one, it is not renewed at the other, whose list is older.
    let dock = site.enrolled("E_TWO_09").await?;
    let identity = dock.identity(&site)?;
    site.shut_out("E_TWO_09").await?;
    let renewing = site.stack.https_as(&identity)?.post(format!("{}/v1/renew", second.url));
    let renewing = renewing.json(&serde_json::json!({ "csr": request(&PKCS_ED25519)? })).send().await;
    assert!(renewing.map_or(true, |answer| answer.status() == 403), "it was renewed");
    Ok(())
}

#[tokio::test]
async fn an_older_register_is_replaced_although_it_names_the_same_stations() -> anyhow::Result<()> {
    let site = Site::with(config().with_env(Part::Stations, "CUSTOS_REGISTER_RESIGN_SECONDS", "2")).await?;
    let (vault, first) = (site.vault()?, site.stored_register().await?);
    let old = eventually("the register of the service", A_MINUTE, || async {
        let now = site.stored_register().await?;
        ensure!(now.revocations.is_some() && now.sequence > first.sequence, "not yet");
        let document =
            vault.read_latest(&vault.buckets().intake, keys::STATION_REGISTER).await?.context("a register")?;
        Ok((now, document))
    })
    .await?;
    let newer = eventually("a newer one", A_MINUTE, || async {
        let now = site.stored_register().await?;
        ensure!(now.sequence > old.0.sequence, "not yet");
        Ok(now)
    })
    .await?;
    assert_eq!(newer.stations, old.0.stations);
    site.stack.stop_part(Part::Stations).await?;
    let last = site.stored_register().await?.sequence;
    vault.write(&vault.buckets().intake, keys::STATION_REGISTER, old.1.bytes, "application/json").await?;
    // From now on nothing is signed anew because of its age.
    site.stack.set_env(Part::Stations, "CUSTOS_REGISTER_RESIGN_SECONDS", "86400");
    site.stack.start_part(Part::Stations).await?;
    eventually("the register put right", A_MINUTE, || async {
        let now = site.stored_register().await?.sequence;
        ensure!(now > last, "{now} after {last}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_database_restored_from_a_copy_forgives_nobody() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let stolen = site.enrolled("E_COPY_01").await?.identity(&site)?;
    let_in(&site, &stolen).await?;
    let mut database = superuser(&site).await?;
    sqlx::raw_sql(
        "CREATE SCHEMA copy;
         CREATE TABLE copy.station AS TABLE stations.station; CREATE TABLE copy.code AS TABLE stations.code;
         CREATE TABLE copy.certificate AS TABLE stations.certificate; CREATE TABLE copy.published AS TABLE stations.published;",
    )
    .execute(&mut database)
    .await?;
    // After the copy one is shut out, another one enrols, and a third has a code.
    site.shut_out("E_COPY_01").await?;
    refused(&site, &stolen).await?;
    let later = site.enrolled("E_COPY_02").await?.identity(&site)?;
    let_in(&site, &later).await?;
    eventually("the facts", Duration::from_secs(30), || async {
        let revoked = site.facts_of_station("E_COPY_01").await?;
        let enrolled = site.facts_of_station("E_COPY_02").await?;
        ensure!(revoked.iter().any(|fact| fact.act.name() == "station_revoked"), "{revoked:?}");
        ensure!(enrolled.iter().any(|fact| fact.act.name() == "station_enrolled"), "{enrolled:?}");
        Ok(())
    })
    .await?;
    let before = site.stored_register().await?;

    site.stack.stop_part(Part::Stations).await?;
    sqlx::raw_sql(
        "SET session_replication_role = replica;
         DELETE FROM stations.code; DELETE FROM stations.certificate; DELETE FROM stations.station;
         INSERT INTO stations.station SELECT * FROM copy.station; INSERT INTO stations.certificate SELECT * FROM copy.certificate;
         INSERT INTO stations.code SELECT * FROM copy.code;
         UPDATE stations.published SET sequence = (SELECT sequence FROM copy.published);
         RESET session_replication_role;",
    )
    .execute(&mut database)
    .await?;
    site.stack.start_part(Part::Stations).await?;
    let after = eventually("the register of the restored database", A_MINUTE, || async {
        let after = site.stored_register().await?;
        ensure!(after.sequence > before.sequence, "{}", after.sequence);
        Ok(after)
    })
    .await?;
    assert_eq!((&after.stations, &after.shut_out), (&before.stations, &before.shut_out));
    let view = site.station_of_register("E_COPY_01").await?;
    assert_eq!((&view["state"], &view["revoked"]["reason"]), (&"revoked".into(), &"stolen".into()), "{view}");
    for _ in 0..6 {
        assert!(!site.is_let_in(&stolen).await?, "the old copy undid a revocation");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(site.renew_by_hand(&stolen, &request(&PKCS_ED25519)?).await.is_err());
    // A certificate that was issued after the copy can be revoked.
    site.shut_out("E_COPY_02").await?;
    refused(&site, &later).await?;
    assert!(site.is_let_in(&site.stack.station(&Station::parse("E", UNIT, "E_XUANWU_01")?)?).await?, "others go on");
    Ok(())
}

#[tokio::test]
async fn an_ingest_that_starts_beside_a_register_nobody_signed_lets_nobody_in() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let identity = site.enrolled("E_FORGED_01").await?.identity(&site)?;
    let_in(&site, &identity).await?;
    site.shut_out("E_FORGED_01").await?;
    refused(&site, &identity).await?;
    site.stack.stop_part(Part::Stations).await?;
    let vault = site.vault()?;
    vault.write(&vault.buckets().intake, keys::STATION_REGISTER, "{}".into(), "application/json").await?;
    let second = Replica::of(&site, Part::Ingest);
    tokio::select! {
        ready = second => anyhow::bail!("it is ready: {:?}", ready.map(|replica| replica.url)),
        () = tokio::time::sleep(Duration::from_secs(12)) => {}
    }
    assert!(!site.is_let_in(&identity).await?, "the one that has seen the true one goes on with it");
    // The service puts the true one back.
    site.stack.start_part(Part::Stations).await?;
    let second = Replica::of(&site, Part::Ingest).await?;
    let url = format!("{}/v1/uploads/01940000-0000-7000-8000-000000000000", second.url);
    assert!(site.stack.https_as(&identity)?.head(url).send().await.is_err(), "the second knows of the revocation");
    Ok(())
}
