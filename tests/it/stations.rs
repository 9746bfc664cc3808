//! Stations through the register: enrolment, renewal, revocation.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use custos_domain::keys;
use custos_local::{Owner, Part, StackConfig, provision::database, seeds::Station};
use custos_platform::clock::Clock;
use custos_tests::{
    enrolment::{ADMINISTRATOR, Enrolled, UNIT, request},
    eventually,
    recorder::{noise, noise_file},
    site::Site,
    tus::Tus,
};
use futures::StreamExt as _;
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
async fn a_certificate_is_renewed_while_the_dock_runs_until_it_is_too_late() -> anyhow::Result<()> {
    let site = Site::with(config().with_env(Part::Stations, "CUSTOS_CERTIFICATE_SECONDS", "25")).await?;
    let dock = site.enrolled("E_RENEW_01").await?;
    let first = dock.pem()?;
    let (mounts, recorder) = (site.scratch("mounts"), site.scratch("mounts/one"));
    std::fs::create_dir_all(&mounts)?;
    let mut watch = dock.command(&site);
    watch.arg("watch").arg("--mounts").arg(&mounts).args(["--poll", "1", "--quiet"]);
    let log = std::fs::File::create(site.scratch("watch.log"))?;
    let mut watch = watch.stdout(log.try_clone()?).stderr(log).spawn().context("starting custos-dock watch")?;
    let renewed = eventually("the renewal", A_MINUTE, || async {
        let now = dock.pem()?;
        ensure!(now != first, "not renewed");
        Ok(now)
    })
    .await?;
    assert_eq!(first.matches("BEGIN CERTIFICATE").count(), renewed.matches("BEGIN CERTIFICATE").count());
    // The first one has ended by the time this is in: it was handed in with a renewed one, without a restart.
    let until = Clock::system().now() + jiff::SignedDuration::from_secs(26);
    eventually("the end of the first certificate", A_MINUTE, || async {
        ensure!(Clock::system().now() > until, "not yet");
        Ok(())
    })
    .await?;
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", MIB, 2)?;
    eventually("the deposit", A_MINUTE, || async {
        let ended = dock.run(&site, &["status", "--json"]).await?;
        let log = std::fs::read_to_string(site.scratch("watch.log"))?;
        ensure!(log.contains("docking ended") || ended.said.contains("receipted"), "{ended:?} {log}");
        Ok(())
    })
    .await?;
    assert!(watch.try_wait()?.is_none(), "it still runs");
    watch.kill().await?;
    assert!(site.facts_of_station("E_RENEW_01").await?.iter().any(|fact| fact.act.name() == "station_renewed"));
    let log = std::fs::read_to_string(site.scratch("watch.log"))?;
    assert!(log.contains("certificate renewed") && !log.contains("\"left\""), "{log}");

    // With the register away it warns and goes on; once it is too late it says what to do.
    site.stack.stop_part(Part::Stations).await?;
    let folder = recorder.display().to_string();
    eventually("the warning", A_MINUTE, || async {
        let warned = dock.run(&site, &["push", &folder]).await?;
        ensure!(warned.said.contains("cannot be reached"), "{warned:?}");
        Ok(())
    })
    .await?;
    let expired = eventually("the end of the last certificate", A_MINUTE, || async {
        let ended = dock.run(&site, &["push", &folder]).await?;
        ensure!(ended.code == 64, "{ended:?}");
        Ok(ended)
    })
    .await?;
    assert!(expired.said.contains("expired") && expired.said.contains("custos-dock enrol"), "{expired:?}");
    site.stack.start_part(Part::Stations).await?;
    let code = site.code("E_RENEW_01").await?;
    assert_eq!(dock.run(&site, &["enrol", "--code", &code]).await?.code, 0, "a new code brings it back");
    Ok(())
}

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
        let body = trickle(bytes.clone(), finished.clone());
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
fn trickle(bytes: Vec<u8>, finish: tokio::sync::watch::Receiver<bool>) -> reqwest::Body {
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

#[tokio::test]
async fn ingests_own_certificate_is_replaced_without_a_restart() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest])).await?;
    let station = site.stack.station(&site.station("E")?)?;
    let served = async || -> anyhow::Result<Vec<u8>> {
        let root = reqwest::Certificate::from_pem(&std::fs::read(site.stack.ca())?)?;
        let pem = [std::fs::read(&station.certificate)?, std::fs::read(&station.key)?].concat();
        let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy().tls_info(true);
        let client = client.identity(reqwest::Identity::from_pem(&pem)?).build()?;
        let answer = client.get(format!("{}/openapi.json", site.stack.url(Part::Ingest))).send().await?;
        let info = answer.extensions().get::<reqwest::tls::TlsInfo>().context("no TLS")?;
        Ok(info.peer_certificate().context("no certificate")?.to_vec())
    };
    let (before, process) = (served().await?, site.stack.process_id(Part::Ingest)?);
    // Made anew, as an operator's tool would: key and certificate are replaced one after the other.
    std::fs::remove_file(site.stack.authority().server(Part::Ingest).certificate)?;
    custos_local::certificates::Authority::ensure(site.stack.folders(), Clock::system().now(), &mut rand::rng())?;
    let after = eventually("the new certificate", A_MINUTE, || async {
        let after = served().await?;
        ensure!(after != before, "the old one is served");
        Ok(after)
    })
    .await?;
    assert_eq!(served().await?, after);
    assert_eq!(site.stack.process_id(Part::Ingest)?, process);
    Ok(())
}
