//! Any tus client: of other people's making through a bad line, and by hand where they would not go. Nobody signs; the manifest
//! says so.

mod digests;
mod letter;
mod owners;
mod twice;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use custos_domain::{
    digest::Root,
    dsse::Envelope,
    evidence::{Evidence, Statement},
    manifest::Manifest,
    receipt::Receipt,
};
use custos_local::{Part, StackConfig, seeds};
use custos_tests::{
    eventually,
    foreign::Client,
    proxy::{Fault, Kind, Proxy, Rule, Side},
    recorder::{ONE_OF_EACH, fill, noise},
    replica::Replica,
    site::Site,
    store::{manifest, walk},
    tus::{Answer, Tus},
};
use reqwest::Method;
use serde_json::Value;

const MIB: usize = 1 << 20;
/// Around the borders of MiB and parts.
const SIZES: [usize; 6] = [1, MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 17 * MIB + 3];

async fn intake() -> anyhow::Result<Site> {
    Site::with(StackConfig::test().with_services(&[Part::Ingest, Part::Hashing])).await
}

/// The station that may deposit unsigned, by hand.
fn plain(site: &Site) -> anyhow::Result<Tus> {
    let station = seeds::plain_station()?;
    let identity = site.stack.station(&station)?;
    Tus::with(site, station, &identity)
}

/// What must be said of a recording, and more or other things.
fn said<'a>(recording: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let needed = [
        ("device", "DSJ00099"),
        ("recording", recording),
        ("filename", "clip.mp4"),
        ("started_at", "2026-11-23T09:15:00"),
    ];
    let others = needed.into_iter().filter(|(key, _)| more.iter().all(|(other, _)| other != key));
    others.chain(more.iter().copied()).collect()
}

fn header(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    pairs.join(",")
}

async fn create(tus: &Tus, length: usize, pairs: &[(&str, &str)]) -> anyhow::Result<Answer> {
    let request = tus.request(Method::POST, "/v1/uploads").header("Upload-Length", length);
    Answer::read(request.header("Upload-Metadata", header(pairs)).send().await?).await
}

fn file(site: &Site, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let path = site.scratch(name);
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// What the receipt of a finished upload says, whose signature is ingest's, and the manifest it speaks of.
async fn receipted(site: &Site, tus: &Tus, upload: &str) -> anyhow::Result<(Receipt, Manifest)> {
    let answer = tus.get(upload, "receipt").await?;
    ensure!(answer.status == 200, "{answer:?}");
    let envelope: Envelope = serde_json::from_value(answer.body)?;
    let trust: Value = serde_json::from_slice(&std::fs::read(site.stack.trust_file())?)?;
    let receipt: Receipt = envelope.open(&serde_json::from_value::<Vec<_>>(trust["receipt"].clone())?)?;
    let (manifest, object) = manifest(&site.vault()?, &receipt.code.to_string()).await?;
    ensure!(object == receipt.manifest, "{object:?}");
    Ok((receipt, manifest))
}

/// What an unsigned manifest keeps of the client's words.
fn statement(manifest: &Manifest) -> anyhow::Result<&Statement> {
    match &manifest.evidence {
        Evidence::Unsigned(statement) => Ok(statement),
        Evidence::Declared(_) => anyhow::bail!("nobody signed, but the manifest says so: {manifest:?}"),
    }
}

/// Waits for the erase permit: the store was read again by another service, and it agreed.
async fn permitted(tus: &Tus, upload: &str) -> anyhow::Result<()> {
    eventually("the permit", Duration::from_mins(1), || async {
        let permit = tus.get(upload, "permit").await?;
        ensure!(permit.status == 200, "{permit:?}");
        Ok(())
    })
    .await
}

/// Versions under a prefix of the originals bucket.
async fn stored(site: &Site, prefix: &str) -> anyhow::Result<usize> {
    let vault = site.vault()?;
    Ok(walk(&vault, &vault.buckets().originals, prefix).await?.len())
}

/// Waits until a sweep of ingest has looked at everything again.
async fn two_rounds(site: &Site, sweep: &str) -> anyhow::Result<()> {
    let label = format!("sweep=\"{sweep}\"");
    let rounds = || site.metric(Part::Ingest, "custos_sweep_rounds_total", &label);
    let before = rounds().await?;
    eventually("two more rounds", Duration::from_secs(30), || async {
        ensure!(rounds().await? > before + 1.5);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn other_peoples_clients_come_through_a_line_that_is_cut() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = plain(&site)?;
    let ways: [(Client, &str, &[&str]); 5] = [
        (Client::JavaScript, "JS", &[]),
        (Client::JavaScript, "JS_CREATION", &["--during-creation"]),
        (Client::JavaScript, "JS_CHUNKS", &["--chunk", "3000000"]),
        (Client::Python, "PY", &[]),
        (Client::Python, "PY_CHECKED", &["--chunk", "9000000", "--checksum"]),
    ];
    for (at, (client, name, options)) in ways.into_iter().enumerate() {
        let mut last = String::new();
        for size in SIZES {
            let recording = format!("{name}_{size}");
            let bytes = noise(size, (size + at) as u64);
            let clip = file(&site, &format!("{recording}.mp4"), &bytes)?;
            let line = Proxy::start(&site.stack.address(Part::Ingest), Kind::Bytes).await?;
            line.plan(Rule::new(Fault::Cut(Side::Request, 5 * MIB as u64)).first(4))?;
            // In the handshake and in the answers.
            for (connection, at) in [(5, 700), (6, 2500), (7, 3500), (8, 4500)] {
                line.plan(Rule::new(Fault::Cut(Side::Answer, at)).nth(connection))?;
            }
            let metadata = said(&recording, &[("filename", "clip.mp4"), ("officer", "P000345")]);
            let sent = site.upload_with(client, &line.url(), &clip, options, &metadata).await?;
            ensure!(sent.done, "{recording}: {}\n{}", sent.said, line.report());
            let (receipt, manifest) = receipted(&site, &tus, &sent.upload).await?;
            assert_eq!((receipt.root, receipt.length), (Root::of(&bytes), size as u64), "{recording}");
            assert_eq!(manifest.officer.as_ref().map(ToString::to_string).as_deref(), Some("P000345"));
            assert_eq!(statement(&manifest)?.file_name, "clip.mp4");
            last = sent.upload;
        }
        // Hashing has read the store again and found the same.
        permitted(&tus, &last).await?;
    }
    assert_eq!(stored(&site, "footage/").await?, 5 * SIZES.len(), "nothing twice");
    Ok(())
}

#[tokio::test]
async fn a_client_goes_on_where_another_run_of_it_stopped() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = plain(&site)?;
    let bytes = noise(20 * MIB, 3);
    let clip = file(&site, "clip.mp4", &bytes)?;
    let url = site.stack.url(Part::Ingest);
    let metadata = said("STOPPED_1", &[]);
    let first = site.upload_with(Client::Python, &url, &clip, &["--stop-at", "13000000"], &metadata).await?;
    ensure!(first.done, "{}", first.said);
    assert_eq!(tus.head(&first.upload).await?.offset(), Some(13_000_000));
    site.stack.kill9(Part::Ingest)?;
    site.stack.start_part(Part::Ingest).await?;
    // A client that remembers nothing creates it anew, with the same words, and is led to the same upload.
    let second = site.upload_with(Client::JavaScript, &url, &clip, &["--during-creation"], &metadata).await?;
    ensure!(second.done, "{}", second.said);
    assert_eq!(second.upload, first.upload);
    assert_eq!(receipted(&site, &tus, &second.upload).await?.0.root, Root::of(&bytes));
    Ok(())
}

#[tokio::test]
async fn an_unsigned_upload_moves_between_replicas_and_outlives_what_was_computed_of_it() -> anyhow::Result<()> {
    let site = intake().await?;
    let mut replica = Replica::start(&site).await?;
    let here = plain(&site)?;
    let there = Tus { url: replica.url.clone(), ..plain(&site)? };
    let bytes = noise(35 * MIB + 11, 5);
    let upload = create(&here, bytes.len(), &said("MOVES_1", &[])).await?.location()?;
    let mut offset = 0;
    for (at, end) in [(0, 5 * MIB), (1, 12 * MIB + 7), (0, 20 * MIB), (1, 27 * MIB)] {
        let tus = if at == 0 { &here } else { &there };
        let answer = tus.patch(&upload, offset as u64, bytes[offset..end].to_vec()).await?;
        assert_eq!((answer.status, answer.offset()), (204, Some(end as u64)), "{answer:?}");
        let other = if at == 0 { &there } else { &here };
        assert_eq!(other.head(&upload).await?.offset(), Some(end as u64));
        offset = end;
    }
    replica.kill9().await?;
    // What was computed of the first parts is lost, by whatever means: what was acknowledged stays acknowledged.
    let vault = site.vault()?;
    let intake = vault.buckets().intake.clone();
    let (values, _) = vault.keys(&intake, "growing/", None).await?;
    ensure!(values.len() == 3, "{values:?}");
    for key in &values[..2] {
        vault.discard_intake(key).await?;
    }
    assert_eq!(here.head(&upload).await?.offset(), Some(offset as u64));
    let answer = here.patch(&upload, offset as u64, bytes[offset..].to_vec()).await?;
    assert_eq!(answer.status, 204, "{answer:?}");
    let (receipt, manifest) = receipted(&site, &here, &upload).await?;
    assert_eq!((receipt.root, manifest.root), (Root::of(&bytes), Root::of(&bytes)));
    permitted(&here, &upload).await?;
    assert!(vault.keys(&intake, "growing/", None).await?.0.is_empty(), "leftovers");
    Ok(())
}

#[tokio::test]
async fn the_catalogue_shows_that_nobody_signed() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let recorder = site.scratch("recorder");
    fill(&recorder).await?;
    let clip = recorder.join(ONE_OF_EACH[0].name);
    let url = site.stack.url(Part::Ingest);
    let sent = site.upload_with(Client::Python, &url, &clip, &[], &said("SHOWN_1", &[])).await?;
    ensure!(sent.done, "{}", sent.said);
    let code = receipted(&site, &plain(&site)?, &sent.upload).await?.0.code.to_string();
    let row = site.settled("E", std::slice::from_ref(&code)).await?.remove(&code).context("no row")?;
    assert_eq!((&row["signed"], &row["playback"]), (&false.into(), &"playable".into()), "{row}");
    let page = site.get(Part::Records, "e-auditor", &format!("/v1/items/{code}")).await?;
    assert_eq!((&page["signed"], &page["docking"]), (&false.into(), &Value::Null), "{page}");
    assert_eq!((&page["links"]["docking"], &page["started_at_device"]), (&Value::Null, &"2026-11-23T09:15:00".into()));
    Ok(())
}
