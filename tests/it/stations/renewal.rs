//! Renewal, and certificates of our own that are replaced.

use anyhow::{Context, ensure};
use custos_local::{Part, StackConfig};
use custos_platform::clock::Clock;
use custos_tests::{eventually, recorder::noise_file, site::Site};

use super::{A_MINUTE, MIB, config};

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
    let code = site.code("E_RENEW_01").await.expect("a code from the service that was started again");
    assert_eq!(dock.run(&site, &["enrol", "--code", &code]).await?.code, 0, "a new code brings it back");
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
