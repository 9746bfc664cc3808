//! Names and keys in the wrong hands.

use std::time::Duration;

use anyhow::ensure;
use custos_local::{certificates::Identity, seeds::Station};
use custos_platform::http::identity::{PeerCertificate, StationIdentity};
use custos_tests::{
    enrolment::{UNIT, request, request_of},
    eventually,
    site::Site,
};
use rcgen::PKCS_ED25519;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use super::{A_MINUTE, config};

/// The station that an answered certificate names.
fn named(certificate: &serde_json::Value) -> anyhow::Result<String> {
    let der = CertificateDer::from_pem_slice(certificate.as_str().unwrap_or_default().as_bytes())?;
    let peer = PeerCertificate::parse(&der).ok_or_else(|| anyhow::anyhow!("no certificate"))?;
    let uri = peer.station().map(StationIdentity::uri).map_err(Clone::clone);
    Ok(uri?)
}

async fn incidents(site: &Site, station: &str, expected: usize) -> anyhow::Result<()> {
    eventually("the incident", Duration::from_secs(30), || async {
        let facts = site.facts_of_station(station).await?;
        let found = facts.iter().filter(|fact| fact.act.name() == "incident_opened").count();
        ensure!(found == expected, "{found} of {expected}: {facts:#?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nobody_becomes_another_station_by_asking_for_its_name() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let own = format!("custos://station/E/{UNIT}/E_NAME_01");
    site.register("E_NAME_02").await?;
    let dock = site.enrolled("E_NAME_01").await?;
    let identity = dock.identity(&site)?;

    let wanted = request_of("E_NAME_02")?;
    let renewed = site.renew_by_hand(&identity, &wanted).await?;
    assert_eq!((renewed.status, named(&renewed.body["certificate"])?), (200, own.clone()), "{renewed:?}");
    assert_eq!(site.renew_by_hand(&identity, &wanted).await?.body, renewed.body, "asked again, the same certificate");
    let code = site.code("E_NAME_01").await?;
    let enrolled = site.enrol_by_hand(&code, &request_of("E_NAME_02")?).await?;
    assert_eq!((enrolled.status, named(&enrolled.body["certificate"])?), (200, own), "{enrolled:?}");
    assert_eq!(site.station_of_register("E_NAME_02").await?["state"], "registered");

    // The same id in another unit is another station, whoever signed for it.
    let elsewhere = site.stack.station(&Station::parse("E", "SUZHOU", "E_NAME_02")?)?;
    let answer = site.renew_by_hand(&elsewhere, &request(&PKCS_ED25519)?).await?;
    assert_eq!((answer.status, answer.problem()), (403, "other-unit"));
    let unknown = site.stack.station(&Station::parse("E", UNIT, "E_NAME_03")?)?;
    let answer = site.renew_by_hand(&unknown, &request(&PKCS_ED25519)?).await?;
    assert_eq!((answer.status, answer.problem()), (403, "not-registered"));
    Ok(())
}

#[tokio::test]
async fn a_copied_key_is_noticed_at_the_second_renewal() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let dock = site.enrolled("E_COPY_01").await?;
    let copied = dock.identity(&site)?;
    let first = request(&PKCS_ED25519)?;
    let renewed = site.renew_by_hand(&copied, &first).await?;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    for _ in 0..2 {
        let other = site.renew_by_hand(&copied, &request(&PKCS_ED25519)?).await?;
        assert_eq!((other.status, other.problem()), (409, "certificate-replaced"));
    }
    assert_eq!(site.renew_by_hand(&copied, &first).await?.body, renewed.body, "the first is answered as before");
    incidents(&site, "E_COPY_01", 1).await?;
    // Nor does a copy live on beside a station that enrolled anew.
    let second = site.enrolled("E_COPY_02").await?;
    let copied = second.identity(&site)?;
    assert_eq!(second.run(&site, &["enrol", "--code", &site.code("E_COPY_02").await?]).await?.code, 0);
    let beside = site.renew_by_hand(&copied, &request(&PKCS_ED25519)?).await?;
    assert_eq!((beside.status, beside.problem()), (403, "certificate-superseded"));
    let own = site.renew_by_hand(&second.identity(&site)?, &request(&PKCS_ED25519)?).await?;
    assert_eq!(own.status, 200, "{own:?}");
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_good_for_one_step_and_shut_out_all_the_same() -> anyhow::Result<()> {
    let site = Site::with(config()).await?;
    let (seeded, other) = (site.station("E")?, site.station("D")?);
    let (before, others): (Identity, Identity) = (site.stack.station(&seeded)?, site.stack.station(&other)?);
    let id = seeded.id.as_str();
    eventually("the register taken over", Duration::from_secs(30), || async {
        ensure!(site.station_of_register(id).await?["registered_by"] == "register");
        ensure!(site.is_let_in(&before).await? && site.is_let_in(&others).await?);
        Ok(())
    })
    .await?;
    let first = request(&PKCS_ED25519)?;
    let renewed = site.renew_by_hand(&before, &first).await?;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    assert_eq!(site.renew_by_hand(&before, &first).await?.body, renewed.body);
    assert_eq!(site.renew_by_hand(&before, &request(&PKCS_ED25519)?).await?.problem(), "certificate-replaced");

    // Its own authority's list says nothing of it: the register does.
    site.shut_out(id).await?;
    let refused = async |what: &'static str| {
        eventually(what, A_MINUTE, || async {
            ensure!(!site.is_let_in(&before).await?, "it is let in");
            Ok(())
        })
        .await
    };
    refused("the end of the old certificate").await?;
    assert!(site.renew_by_hand(&before, &first).await.is_err(), "nor is it renewed");
    assert!(site.is_let_in(&others).await?, "others go on");

    // Back with a code, and the old one stays out; after a restart of ingest, too.
    let dock = custos_tests::enrolment::Enrolled { state: site.scratch("dock-back") };
    assert_eq!(dock.run(&site, &["enrol", "--code", &site.code(id).await?]).await?.code, 0);
    site.stack.restart(custos_local::Part::Ingest).await?;
    eventually("the new certificate let in", A_MINUTE, || async {
        ensure!(site.is_let_in(&dock.identity(&site)?).await?, "not yet");
        Ok(())
    })
    .await?;
    refused("the old certificate refused for good").await
}
