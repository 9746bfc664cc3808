//! Who may bring what, and whose an upload is.

use custos_domain::station::Registration;
use custos_local::{certificates::Validity, provision::register, seeds::Station};
use jiff::civil::date;

use super::*;

fn registration(station: &Station, plain: bool) -> Registration {
    let Station { tenant, unit, id } = station.clone();
    Registration { tenant, unit, station: id, plain }
}

/// A station of the same name in another unit. Its certificate takes the place of the other's on disk, so that one is put back.
fn namesake(site: &Site, unit: &str, id: &str) -> anyhow::Result<Tus> {
    let station = Station::parse("E", unit, id)?;
    let kept = site.stack.station(&station)?;
    let (certificate, key) = (std::fs::read(&kept.certificate)?, std::fs::read(&kept.key)?);
    let validity = Validity { from: date(2020, 1, 1), until: date(2090, 1, 1) };
    let identity = site.stack.authority().issue_station(&station, validity, &mut rand::rng())?;
    let namesake = Tus::with(site, station, &identity)?;
    std::fs::write(&kept.certificate, certificate)?;
    std::fs::write(&kept.key, key)?;
    Ok(namesake)
}

#[tokio::test]
async fn only_a_station_registered_for_it_deposits_unsigned() -> anyhow::Result<()> {
    let site = intake().await?;
    let known = Tus::of(&site, "E")?;
    let refused = create(&known, 10, &said("REFUSED_1", &[])).await?;
    assert_eq!((refused.status, refused.problem()), (403, "declaration-required"), "{refused:?}");
    assert!(refused.body["detail"].as_str().is_some_and(|why| why.contains("register the station as plain")));
    let stranger = Station::parse("E", "NANJING/XUANWU", "E_UNKNOWN_01")?;
    let stranger = Tus::with(&site, stranger.clone(), &site.stack.station(&stranger)?)?;
    assert_eq!(create(&stranger, 10, &said("REFUSED_2", &[])).await?.status, 403);
    // The right name in another unit is another station.
    let moved = namesake(&site, "NANJING/GULOU", "E_PLAIN_01")?;
    assert_eq!(create(&moved, 10, &said("REFUSED_3", &[])).await?.status, 403);
    for client in [Client::JavaScript, Client::Python] {
        let clip = file(&site, "clip.mp4", &noise(100, 1))?;
        let identity = site.stack.station(&site.station("E")?)?;
        let url = site.stack.url(Part::Ingest);
        let sent = site.upload_as(&identity, client, &url, &clip, &[], &said("REFUSED_4", &[])).await?;
        assert!(!sent.done && sent.said.contains("403"), "{sent:?}");
    }
    assert_eq!(stored(&site, "").await?, 0);
    Ok(())
}

#[tokio::test]
async fn the_register_counts_within_seconds_and_never_an_older_one() -> anyhow::Result<()> {
    let config =
        StackConfig::test().with_services(&[Part::Ingest]).with_env(Part::Ingest, "CUSTOS_REGISTER_SECONDS", "1");
    let site = Site::with(config).await?;
    let known = Tus::of(&site, "E")?;
    let vault = site.vault()?;
    let intake = vault.buckets().intake.clone();
    let key = custos_domain::keys::STATION_REGISTER;
    let first = vault.read_latest(&intake, key).await?.context("no register")?;
    assert_eq!(create(&known, 10, &said("REGISTER_1", &[])).await?.status, 403);
    let mut stations = register::seeded()?;
    stations.retain(|station| station.station != known.station.id);
    stations.push(registration(&known.station, true));
    site.stack.register(stations).await?;
    let sequence = || site.metric(Part::Ingest, "custos_ingest_register_sequence", "");
    eventually("the new register", Duration::from_secs(30), || async {
        ensure!(create(&known, 10, &said("REGISTER_1", &[])).await?.status == 201);
        Ok(())
    })
    .await?;
    assert!((sequence().await? - 2.0).abs() < 0.5);
    // The older one put back, one that a stranger signed, and none at all change nothing.
    for document in [Some(first.bytes), Some(b"{}".to_vec().into()), None] {
        match document {
            Some(bytes) => vault.write(&intake, key, bytes, "application/json").await.map(drop)?,
            None => vault.discard_intake(key).await?,
        }
        two_rounds(&site, "ingest.register").await?;
        assert_eq!(create(&known, 11, &said("REGISTER_2", &[])).await?.status, 201);
        assert!((sequence().await? - 2.0).abs() < 0.5);
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_is_its_stations_and_only_the_first_may_give_it_up() -> anyhow::Result<()> {
    let site = intake().await?;
    let first = Tus::of(&site, "E")?;
    let as_station = |unit: &str, id: &str| -> anyhow::Result<Tus> {
        let station = Station::parse("E", unit, id)?;
        let identity = site.stack.station(&station)?;
        Tus::with(&site, station, &identity)
    };
    let second = as_station("NANJING/GULOU", "E_GULOU_01")?;
    let bytes = noise(9 * MIB, 4);
    let upload = first.begin("SHARED_1", &bytes).await?;
    assert_eq!(second.head(&upload).await?.status, 404, "another's upload is not there");
    // The same bytes for the same recording from another station of the agency: it goes on with the same upload.
    assert_eq!(second.begin("SHARED_1", &bytes).await?, upload);
    assert_eq!(second.patch(&upload, 0, bytes[..5].to_vec()).await?.offset(), Some(5));
    let refused = Answer::read(second.request(Method::DELETE, &upload).send().await?).await?;
    assert_eq!((refused.status, refused.problem()), (403, "foreign-station"), "{refused:?}");
    assert_eq!(first.head(&upload).await?.offset(), Some(5));
    // A certificate for the same name in another unit, of either of them, opens nothing.
    for (unit, id) in [("NANJING/GULOU", first.station.id.as_str()), ("NANJING/XUANWU", "E_GULOU_01")] {
        assert_eq!(namesake(&site, unit, id)?.head(&upload).await?.status, 404, "{unit} {id}");
    }
    let gone = first.request(Method::DELETE, &upload).send().await?;
    assert_eq!(gone.status(), 204);
    assert_eq!(second.head(&upload).await?.status, 410);
    Ok(())
}
