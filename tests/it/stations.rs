//! Stations through the register: enrolment here, renewal, revocation, theft and the register's own faults below.

mod register;
mod renewal;
mod revocation;
mod theft;

use std::time::Duration;

use anyhow::{Context, ensure};
use custos_local::{Part, StackConfig, provision::database, seeds::Station};
use custos_tests::{
    enrolment::{ADMINISTRATOR, Enrolled, UNIT, request},
    eventually,
    recorder::noise_file,
    site::Site,
    tus::Tus,
};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use reqwest::Method;
use serde_json::json;

const MIB: usize = 1 << 20;
/// How long a revocation may take.
const A_MINUTE: Duration = Duration::from_mins(1);

fn config() -> StackConfig {
    StackConfig::test().with_services(&[Part::Ingest, Part::Hashing, Part::Stations])
}

/// A hand-made client with the pair of an enrolled dock.
fn tus(site: &Site, id: &str, dock: &Enrolled) -> anyhow::Result<Tus> {
    Tus::with(site, Station::parse("E", UNIT, id)?, &dock.identity(site)?)
}

/// Waits until ingest takes the station's certificate: its list of revocations must have come first.
async fn admitted(tus: &Tus) -> anyhow::Result<()> {
    eventually("ingest's look at the register", Duration::from_secs(30), || async {
        let answer = tus.head("/v1/uploads/01940000-0000-7000-8000-000000000000").await?;
        ensure!(answer.status == 404, "{answer:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_dock_enrols_with_a_code_and_hands_in() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let dock = site.enrolled("E_NEW_01").await?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(dock.state.join("station.pem"))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    admitted(&tus(&site, "E_NEW_01", &dock)?).await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 3 * MIB, 1)?;
    let folder = recorder.display().to_string();
    let pushed = dock.run(&site, &["push", &folder, "--json"]).await?;
    assert!(pushed.code == 0 && pushed.said.contains("\"deposited\""), "{pushed:?}");

    let view = site.station_of_register("E_NEW_01").await?;
    assert_eq!((&view["state"], &view["registered_by"]), (&json!("enrolled"), &json!(ADMINISTRATOR)), "{view}");
    let listed = site.get(Part::Stations, "e-auditor", "/v1/stations?limit=1&after=E_M").await?;
    assert_eq!(listed["stations"][0]["id"], "E_NEW_01", "{listed}");
    eventually("the facts", Duration::from_secs(30), || async {
        let facts = site.facts_of_station("E_NEW_01").await?;
        let acts: Vec<&str> = facts.iter().map(|fact| fact.act.name()).collect();
        ensure!(acts == ["station_registered", "enrolment_code_issued", "station_enrolled"], "{acts:?}");
        Ok(())
    })
    .await?;
    // The same command again is the same station with the same certificate, and no incident.
    let before = dock.pem()?;
    let code = site.code("E_NEW_01").await?;
    assert_eq!(dock.run(&site, &["enrol", "--code", &code]).await?.code, 0);
    let after = dock.pem()?;
    assert_ne!(before, after, "another code is another certificate");
    assert_eq!(dock.run(&site, &["enrol", "--code", &code.to_lowercase()]).await?.code, 0);
    assert_eq!(dock.pem()?, after);
    Ok(())
}

#[tokio::test]
async fn codes_are_for_one_station_once_and_for_a_while() -> anyhow::Result<()> {
    let site = Site::with(config().with_env(Part::Stations, "CUSTOS_CODE_SECONDS", "20")).await?;
    site.register("E_CODE_01").await?;
    let csr = request(&PKCS_ED25519)?;
    let refused = async |code: &str, csr: &str| -> anyhow::Result<(u16, String)> {
        let answer = site.enrol_by_hand(code, csr).await?;
        Ok((answer.status, answer.problem().to_owned()))
    };
    let is = |status: u16, problem: &str| (status, problem.to_owned());

    let void = site.code("E_CODE_01").await?;
    let code = site.code("E_CODE_01").await?;
    assert_eq!(refused(&void, &csr).await?, is(403, "code-void"), "a newer one was issued");
    for (algorithm, name) in [(&PKCS_RSA_SHA256, "RSA"), (&PKCS_ECDSA_P256_SHA256, "P-256")] {
        assert_eq!(refused(&code, &request(algorithm)?).await?, is(422, "key-refused"), "{name}");
    }
    assert_eq!(refused(&code, "nothing").await?, is(422, "request-refused"));
    let last = if code.ends_with('A') { 'B' } else { 'A' };
    let mistyped = format!("{}{last}", &code[..code.len() - 1]);
    assert_eq!(refused(&mistyped, &csr).await?, is(422, "code-mistyped"));

    let first = site.enrol_by_hand(&code, &csr).await?;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.body["station"], "E_CODE_01");
    let again = site.enrol_by_hand(&code, &csr).await?;
    assert_eq!(again.body, first.body, "the answer may have been lost");
    assert_eq!(refused(&code, &request(&PKCS_ED25519)?).await?, is(409, "code-used"));
    eventually("the incident", Duration::from_secs(30), || async {
        let facts = site.facts_of_station("E_CODE_01").await?;
        let incidents = facts.iter().filter(|fact| fact.act.name() == "incident_opened").count();
        let enrolled = facts.iter().filter(|fact| fact.act.name() == "station_enrolled").count();
        ensure!((incidents, enrolled) == (1, 1), "{facts:#?}");
        Ok(())
    })
    .await?;

    site.register("E_CODE_02").await?;
    let late = site.code("E_CODE_02").await?;
    eventually("the end of the code", A_MINUTE, || async {
        let view = site.station_of_register("E_CODE_02").await?;
        ensure!(view["code_until"].is_null(), "{view}");
        Ok(())
    })
    .await?;
    assert_eq!(refused(&late, &csr).await?, is(403, "code-expired"));
    assert_eq!(
        refused(&code, &csr).await?,
        is(403, "code-expired"),
        "the answer is given again while the code is good"
    );
    Ok(())
}

#[tokio::test]
async fn guessing_codes_ends_soon_and_only_administrators_issue_them() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let post =
        |person: &'static str, path: &'static str, body| site.call(Part::Stations, person, Method::POST, path, body);
    let station = || Some(json!({ "id": "E_WHO_01", "unit": UNIT }));
    for person in ["e-officer", "e-leader", "e-auditor", "e-archivist"] {
        assert_eq!(post(person, "/v1/stations", station()).await?.0, 403, "{person}");
    }
    let elsewhere = Some(json!({ "id": "E_WHO_01", "unit": "SUZHOU" }));
    assert_eq!(post(ADMINISTRATOR, "/v1/stations", elsewhere).await?.0, 403, "another unit");
    for odd in [json!({ "id": "e_1", "unit": UNIT }), json!({ "id": "E_1", "unit": "NANJING//X" })] {
        assert_eq!(post(ADMINISTRATOR, "/v1/stations", Some(odd)).await?.0, 422);
    }
    assert_eq!(post(ADMINISTRATOR, "/v1/stations", station()).await?.0, 201);
    assert_eq!(post(ADMINISTRATOR, "/v1/stations", station()).await?.0, 200, "the same again");
    let other = Some(json!({ "id": "E_WHO_01", "unit": UNIT, "plain": true }));
    assert_eq!(post(ADMINISTRATOR, "/v1/stations", other).await?.0, 409);
    assert_eq!(post("d-admin", "/v1/stations/E_WHO_01/codes", None).await?.0, 404, "another agency's");
    assert_eq!(post("e-leader", "/v1/stations/E_WHO_01/codes", None).await?.0, 403);
    let why = || Some(json!({ "reason": "" }));
    assert_eq!(post(ADMINISTRATOR, "/v1/stations/E_WHO_01/revoke", why()).await?.0, 422);
    assert_eq!(post("e-officer", "/v1/stations/E_WHO_01/revoke", why()).await?.0, 403);
    let renewing = site.stack.https()?.post(format!("{}/v1/renew", site.stack.url(Part::Stations)));
    let renewing = renewing.json(&json!({ "csr": request(&PKCS_ED25519)? })).send().await?;
    assert_eq!(renewing.status(), 403, "without a certificate");

    let csr = request(&PKCS_ED25519)?;
    // Another stack's code is well formed, and unknown here.
    let other = Site::with(config()).await?;
    other.register("E_WHO_01").await?;
    let foreign = other.code("E_WHO_01").await?;
    let mut answers = Vec::new();
    for _ in 0..11 {
        answers.push(site.enrol_by_hand(&foreign, &csr).await?.problem().to_owned());
    }
    assert!(answers[..10].iter().all(|problem| problem == "code-unknown"), "{answers:?}");
    assert_eq!(answers[10], "too-many-attempts");
    Ok(())
}

#[tokio::test]
async fn killed_in_the_middle_of_an_enrolment_there_is_one_certificate() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    site.register("E_KILL_01").await?;
    let (code, csr) = (site.code("E_KILL_01").await?, request(&PKCS_ED25519)?);
    // The transaction cannot end while somebody else holds its last table: the certificate is signed, nothing is committed.
    let address = site.stack.address(Part::Postgres);
    let port = address.rsplit(':').next().context("port")?.parse()?;
    let mut connection = database::connect(port, site.stack.secrets(), database::DATABASE).await?;
    sqlx::raw_sql("BEGIN; LOCK TABLE stations.outbox IN EXCLUSIVE MODE").execute(&mut connection).await?;
    let asked = tokio::spawn({
        let (client, url) = (site.stack.https()?, format!("{}/v1/enrol", site.stack.url(Part::Stations)));
        client.post(url).json(&json!({ "code": code, "csr": csr })).send()
    });
    eventually("the enrolment that waits", Duration::from_secs(20), || async {
        let mut looking = database::connect(port, site.stack.secrets(), database::DATABASE).await?;
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE application_name = 'custos-stations' AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO outbox%'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut looking).await?;
        ensure!(waiting > 0, "nothing waits");
        Ok(())
    })
    .await?;
    site.stack.kill9(Part::Stations)?;
    assert!(asked.await?.is_err(), "no answer came");
    sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
    site.stack.start_part(Part::Stations).await?;

    let first = site.enrol_by_hand(&code, &csr).await?;
    assert_eq!(first.status, 200, "{first:?}");
    // And once more after it was committed, for the answer that was lost.
    site.stack.kill9(Part::Stations)?;
    site.stack.start_part(Part::Stations).await?;
    assert_eq!(site.enrol_by_hand(&code, &csr).await?.body, first.body);
    let issued = "SELECT count(*) FROM stations.certificate WHERE station = 'E_KILL_01'";
    let issued: i64 = sqlx::query_scalar(issued).fetch_one(&mut connection).await?;
    assert_eq!(issued, 1);
    eventually("the facts", Duration::from_secs(30), || async {
        let facts = site.facts_of_station("E_KILL_01").await?;
        let enrolled = facts.iter().filter(|fact| fact.act.name() == "station_enrolled").count();
        ensure!(enrolled == 1, "{facts:#?}");
        Ok(())
    })
    .await
}
