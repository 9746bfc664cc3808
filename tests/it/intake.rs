//! Ingest by hand: what goes well, and what bad input comes to (invariants INV-8, INV-11).

use custos_domain::{
    declaration::Declaration, digest::Root, dsse::Envelope, item::UnifiedCode, keys, outboard::Outboard,
};
use custos_local::{Part, StackConfig, certificates::Validity, seeds::Station};
use custos_tests::{
    eventually,
    recorder::noise,
    site::Site,
    store::{facts, manifest, walk},
    tus::{Tus, outboard},
};
use ed25519_dalek::SigningKey;
use jiff::civil::date;
use std::time::Duration;

const MIB: usize = 1 << 20;

async fn intake() -> anyhow::Result<Site> {
    Site::with(StackConfig::test().with_services(&[Part::Ingest, Part::Hashing])).await
}

/// Versions in the originals bucket.
async fn originals(site: &Site) -> anyhow::Result<usize> {
    let vault = site.vault()?;
    Ok(walk(&vault, &vault.buckets().originals, "").await?.len())
}

#[tokio::test]
async fn bytes_sent_in_pieces_end_in_one_receipt_and_a_permit() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = Tus::of(&site, "E")?;
    for (name, len) in [("SMALL_1", 1000), ("ONE_PART_1", 8 * MIB), ("THREE_PARTS_1", 19 * MIB + 7)] {
        let bytes = noise(len, 7);
        let upload = tus.begin(name, &bytes).await?;
        let mut offset = 0;
        while offset < len {
            let end = (offset + 5 * MIB + 333).min(len);
            let answer = tus.patch(&upload, offset as u64, bytes[offset..end].to_vec()).await?;
            assert_eq!((answer.status, answer.offset()), (204, Some(end as u64)), "{answer:?}");
            assert_eq!(tus.head(&upload).await?.offset(), Some(end as u64));
            offset = end;
        }
        let receipt = tus.get(&upload, "receipt").await?;
        assert_eq!(receipt.status, 200, "{receipt:?}");
        // The same declaration again is the same upload, finished; its receipt is the same to the letter.
        let again = tus.declare(&tus.declaration(name, &bytes)?).await?;
        assert_eq!((again.location()?, again.offset()), (upload.clone(), Some(len as u64)));
        assert_eq!(tus.get(&upload, "receipt").await?.body, receipt.body);
        eventually("the permit", Duration::from_secs(30), || async {
            let permit = tus.get(&upload, "permit").await?;
            anyhow::ensure!(permit.status == 200, "{permit:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_flipped_byte_is_refused_at_its_mib_and_the_rest_is_kept() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = Tus::of(&site, "E")?;
    let good = noise(11 * MIB, 3);
    let upload = tus.begin("FLIPPED_1", &good).await?;
    let mut bad = good.clone();
    bad[9 * MIB + 5] ^= 0x20;
    let refused = tus.patch(&upload, 0, bad).await?;
    assert_eq!((refused.status, refused.problem()), (460, "checksum-mismatch"), "{refused:?}");
    assert_eq!((refused.body["mib"].as_u64(), refused.body["offset"].as_u64()), (Some(9), Some(9 * MIB as u64)));
    assert_eq!(originals(&site).await?, 0, "nothing of it may be an original");
    let rest = tus.patch(&upload, 9 * MIB as u64, good[9 * MIB..].to_vec()).await?;
    assert_eq!((rest.status, rest.offset()), (204, Some(11 * MIB as u64)), "{rest:?}");
    assert_eq!(tus.get(&upload, "receipt").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn what_does_not_add_up_is_refused_with_the_reason_and_leaves_nothing() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = Tus::of(&site, "E")?;
    let bytes = noise(3 * MIB, 4);
    let honest = tus.declaration("REFUSED_1", &bytes)?;

    let wrong_digest = Declaration { root: Root::of(b"other"), ..honest.clone() };
    let upload = tus.declare(&wrong_digest).await?.location()?;
    let refused = tus.prove(&upload, &outboard(&bytes)?).await?;
    assert_eq!((refused.status, refused.problem()), (422, "outboard-mismatch"), "{refused:?}");
    let early = tus.patch(&upload, 0, bytes.clone()).await?;
    assert_eq!((early.status, early.problem()), (409, "outboard-required"), "{early:?}");

    let upload = tus.declare(&honest).await?.location()?;
    let other = tus.prove(&upload, &outboard(&bytes[..MIB])?).await?;
    assert_eq!((other.status, other.problem()), (422, "outboard-mismatch"), "{other:?}");

    let envelope = serde_json::to_vec(&Envelope::seal(&honest, &tus.key)?)?;
    let wrong_length = tus.declare_envelope(&envelope, honest.length + 1).await?;
    assert_eq!((wrong_length.status, wrong_length.problem()), (422, "declaration-refused"), "{wrong_length:?}");

    let stranger = SigningKey::from_bytes(&[9; 32]);
    let foreign =
        tus.declare_envelope(&serde_json::to_vec(&Envelope::seal(&honest, &stranger)?)?, honest.length).await?;
    assert_eq!((foreign.status, foreign.problem()), (422, "declaration-refused"), "{foreign:?}");

    let altered = String::from_utf8(envelope)?.replacen("\"payload\":\"ey", "\"payload\":\"eX", 1);
    let altered = tus.declare_envelope(altered.as_bytes(), honest.length).await?;
    assert_eq!((altered.status, altered.problem()), (422, "declaration-refused"), "{altered:?}");

    let mut elsewhere = honest.clone();
    elsewhere.tenant = site.station("D")?.tenant;
    let elsewhere = tus.declare(&elsewhere).await?;
    assert_eq!((elsewhere.status, elsewhere.problem()), (403, "foreign-station"), "{elsewhere:?}");

    let empty = tus.declare(&Declaration { length: 0, ..honest.clone() }).await?;
    assert_eq!((empty.status, empty.problem()), (422, "declaration-refused"), "{empty:?}");

    for name in [format!("a{}", "b".repeat(4096)), "a\u{1b}[2Jb".to_owned(), String::new()] {
        let named = tus.declare(&Declaration { file_name: name, ..honest.clone() }).await?;
        assert_eq!((named.status, named.problem()), (422, "declaration-refused"), "{named:?}");
    }
    let unprintable = Declaration { naming_rule: Some("x\0".to_owned()), ..honest.clone() };
    let ancient = Declaration { started_at_device: Some(date(-4999, 1, 1).at(0, 0, 0, 0)), ..honest.clone() };
    for unkeepable in [unprintable, ancient] {
        let refused = tus.declare(&unkeepable).await?;
        assert_eq!((refused.status, refused.problem()), (422, "declaration-refused"), "{refused:?}");
    }

    // Every MiB fits the signed root, but the checksum for the store is a lie.
    let mut lying = outboard(&bytes)?.encode();
    let last = lying.len() - 1;
    lying[last] ^= 1;
    let lying = Outboard::decode(&lying)?;
    let upload =
        tus.declare(&Declaration { crc: lying.crc(), ..tus.declaration("REFUSED_2", &bytes)? }).await?.location()?;
    assert_eq!(tus.prove(&upload, &lying).await?.status, 204);
    let refused = tus.patch(&upload, 0, bytes.clone()).await?;
    assert_eq!((refused.status, refused.problem()), (422, "outboard-mismatch"), "{refused:?}");

    let no_json = tus.declare_envelope(b"{]", 5).await?;
    assert_eq!((no_json.status, no_json.problem()), (422, "declaration-refused"), "{no_json:?}");
    let unknown = tus.head("/v1/uploads/01940000-0000-7000-8000-000000000000").await?;
    assert_eq!(unknown.status, 404);
    let path = tus.head("/v1/uploads/..%2F..%2Fsecret").await?;
    assert!([400, 404].contains(&path.status), "{path:?}");
    assert_eq!(originals(&site).await?, 0, "a refused deposit left something behind");
    Ok(())
}

#[tokio::test]
async fn another_offset_too_many_bytes_and_giving_up_are_answered_plainly() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = Tus::of(&site, "E")?;
    let bytes = noise(2 * MIB + 9, 5);
    let upload = tus.begin("OFFSETS_1", &bytes).await?;
    let ahead = tus.patch(&upload, MIB as u64, bytes[MIB..].to_vec()).await?;
    assert_eq!((ahead.status, ahead.problem(), ahead.body["offset"].as_u64()), (409, "offset-mismatch", Some(0)));
    let long = tus.patch(&upload, 0, noise(2 * MIB + 10, 5)).await?;
    assert_eq!((long.status, long.problem()), (413, "too-long"), "{long:?}");
    // A byte too many commits nothing, however good those before it are; a finished upload cannot be given up.
    assert_eq!(tus.head(&upload).await?.offset(), Some(0));
    assert_eq!(tus.patch(&upload, 0, bytes).await?.status, 204);
    assert_eq!(tus.request(reqwest::Method::DELETE, &upload).send().await?.status().as_u16(), 403);

    let upload = tus.begin("GIVEN_UP_1", &noise(9 * MIB, 6)).await?;
    let half = tus.patch(&upload, 0, noise(9 * MIB, 6)[..5 * MIB].to_vec()).await?;
    assert_eq!(half.offset(), Some(5 * MIB as u64));
    assert_eq!(tus.request(reqwest::Method::DELETE, &upload).send().await?.status().as_u16(), 204);
    assert_eq!(tus.head(&upload).await?.status, 410);
    let again = tus.begin("GIVEN_UP_1", &noise(9 * MIB, 6)).await?;
    assert_ne!(again, upload, "a lost upload gets a new id");
    Ok(())
}

#[tokio::test]
async fn only_stations_with_a_good_certificate_come_in() -> anyhow::Result<()> {
    let site = intake().await?;
    let url = format!("{}/v1/uploads", site.stack.url(Part::Ingest));
    let nobody = site.stack.https()?.post(&url).send().await;
    assert!(nobody.is_err(), "no certificate must not pass the handshake: {nobody:?}");

    // A station of another authority: another stack's.
    let other = Site::with(StackConfig::test().with_services(&[])).await?;
    let stranger = other.stack.station(&other.station("E")?)?;
    let stranger = Tus { url: site.stack.url(Part::Ingest), ..Tus::with(&other, other.station("E")?, &stranger)? };
    let mut client =
        reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&std::fs::read(site.stack.ca())?)?]);
    let identity = other.stack.station(&other.station("E")?)?;
    let pem = [std::fs::read(&identity.certificate)?, std::fs::read(&identity.key)?].concat();
    client = client.identity(reqwest::Identity::from_pem(&pem)?);
    let stranger = Tus { client: client.build()?, ..stranger };
    assert!(stranger.head("/v1/uploads/x").await.is_err(), "an unknown authority's certificate must not pass");

    // Revoked while connected: the very next request is refused.
    let station = Station::parse("E", "NANJING/XUANWU", "E_REVOKED_01")?;
    let credentials = site.stack.station(&station)?;
    let tus = Tus::with(&site, station.clone(), &credentials)?;
    let bytes = noise(MIB, 8);
    let upload = tus.begin("REVOKED_1", &bytes).await?;
    site.stack.authority().revoke(&station)?;
    eventually("the revocation", Duration::from_mins(1), || async {
        match tus.patch(&upload, 0, bytes[..10].to_vec()).await {
            Err(_) => Ok(()),
            Ok(answer) if answer.status == 403 => Ok(()),
            Ok(answer) => anyhow::bail!("{answer:?}"),
        }
    })
    .await?;

    let expired = Station::parse("E", "NANJING/XUANWU", "E_EXPIRED_01")?;
    let validity = Validity { from: date(2020, 1, 1), until: date(2020, 2, 1) };
    let credentials = site.stack.authority().issue_station(&expired, validity, &mut rand::rng())?;
    let expired = Tus::with(&site, expired, &credentials)?;
    assert!(expired.head("/v1/uploads/x").await.is_err(), "an expired certificate must not pass");
    assert_eq!(originals(&site).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_wrong_recorder_clock_changes_no_lock_and_opens_an_incident() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = Tus::of(&site, "D")?;
    let vault = site.vault()?;
    let before = custos_platform::clock::Clock::system().now();
    let mut locks = Vec::new();
    for (name, year) in [("CLOCK_2015", 2015), ("CLOCK_2099", 2099), ("CLOCK_RIGHT", 2026)] {
        let bytes = noise(5000, u64::try_from(year)?);
        let mut declaration = tus.declaration(name, &bytes)?;
        declaration.started_at_device = Some(date(year, 11, 22).at(9, 0, 0, 0));
        let upload = tus.declare(&declaration).await?.location()?;
        tus.prove(&upload, &outboard(&bytes)?).await?;
        assert_eq!(tus.patch(&upload, 0, bytes).await?.status, 204);
        let code = UnifiedCode::of(declaration.item()).to_string();
        let (manifest, _) = manifest(&vault, &code).await?;
        assert!(manifest.ingested_at >= before, "ingest's own clock counts");
        locks.push(manifest.locked_until);
        let clock = facts(&vault, &code).await?.iter().filter(|fact| fact.act.name() == "incident_opened").count();
        assert_eq!(clock, usize::from(year != 2026), "{name}");
    }
    assert!(locks.windows(2).all(|pair| pair[0] == pair[1]), "the recorder's clock must not move a lock: {locks:?}");
    Ok(())
}

#[tokio::test]
async fn other_bytes_for_the_same_recording_are_kept_beside_it() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = Tus::of(&site, "E")?;
    let vault = site.vault()?;
    for seed in [1, 2] {
        let bytes = noise(20_000, seed);
        let upload = tus.begin("TWICE_1", &bytes).await?;
        assert_eq!(tus.patch(&upload, 0, bytes).await?.status, 204);
    }
    let item = tus.declaration("TWICE_1", b"x")?.item();
    let variant = item.variant_of(&Root::of(&noise(20_000, 2)));
    let (first, _) = manifest(&vault, &UnifiedCode::of(item).to_string()).await?;
    let (second, _) = manifest(&vault, &UnifiedCode::of(variant.clone()).to_string()).await?;
    assert_ne!(first.original, second.original);
    let incidents = facts(&vault, &UnifiedCode::of(variant.clone()).to_string()).await?;
    assert!(incidents.iter().any(|fact| fact.act.name() == "incident_opened"));
    assert_eq!(walk(&vault, &vault.buckets().originals, &keys::manifest(&variant)).await?.len(), 1);
    Ok(())
}
