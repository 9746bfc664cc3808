//! Hashing condemns nothing by one wrong read, and knows seals of a key it no longer signs with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use custos_domain::{
    digest::{Root, Sha256, Sm3},
    dsse::{Envelope, KeyId},
    keys,
    seal::Seal,
};
use custos_local::{Part, StackConfig};
use custos_tests::{
    eventually,
    recorder::noise_file,
    site::Site,
    store::{facts, manifest},
};
use ed25519_dalek::SigningKey;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const LONG: Duration = Duration::from_mins(1);

/// Passes bytes on to `server`, and flips one bit deep in the first long answer. Answers its own address, and whether it did.
async fn flipping(server: String) -> anyhow::Result<(String, Arc<AtomicBool>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, flipped) = (listener.local_addr()?.to_string(), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&flipped);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(&server).await else { continue };
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let (mut buffer, mut passed) = (vec![0; 64 << 10], 0);
                while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                    passed += read;
                    if passed > 2 << 20 && !told.swap(true, Ordering::SeqCst) {
                        buffer[read / 2] ^= 4;
                    }
                    if to_client.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok((address, flipped))
}

#[tokio::test]
async fn one_misread_condemns_no_item() -> anyhow::Result<()> {
    let config =
        StackConfig::test().with_services(&[Part::Ingest]).with_env(Part::Hashing, "CUSTOS_SECOND_LOOK_SECONDS", "1");
    let site = Site::with(config).await?;
    let (proxy, flipped) = flipping(site.stack.s3_endpoint().replace("http://", "")).await?;
    site.stack.set_env(Part::Hashing, "CUSTOS_S3_ENDPOINT", format!("http://{proxy}"));
    site.stack.start_part(Part::Hashing).await?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 9 << 20, 1)?;
    let docked = site.dock("E", &recorder, &["--erase", "--permit-wait", "60"]).await?;
    assert_eq!(docked.code, 0, "{docked:?}");
    assert!(flipped.load(Ordering::SeqCst), "nothing was flipped");
    let vault = site.vault()?;
    let (manifest, _) = manifest(&vault, &docked.codes()[0]).await?;
    let report = keys::mismatch(manifest.code.key());
    assert_eq!(vault.first_version(&vault.buckets().originals, &report).await?, None);
    assert!((site.metric(Part::Hashing, "custos_hashing_misreads_total", "").await? - 1.0).abs() < 0.1);
    Ok(())
}

#[tokio::test]
async fn a_seal_of_a_retired_key_is_known() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest])).await?;
    let vault = site.vault()?;
    let recorder = site.scratch("recorder");
    noise_file(&recorder, "DCIM/DSJ00012_P000345_20261122091500_0001_00.MP4", 40_000, 1)?;
    let docked = site.dock("E", &recorder, &[]).await?;
    let code = &docked.codes()[0];
    let (manifest, object) = manifest(&vault, code).await?;
    // As hashing leaves it that was killed after the seal and before its fact, and came back with another key.
    let retired = SigningKey::from_bytes(&[7; 32]);
    let seal = Seal {
        code: manifest.code.clone(),
        original: manifest.original.clone(),
        manifest_root: Root::of(&vault.read_document(&object).await?.bytes),
        manifest: object,
        length: manifest.length,
        root: manifest.root,
        sha256: Sha256([0; 32]),
        sm3: Sm3([0; 32]),
        crc: manifest.crc,
        sealed_at: manifest.ingested_at,
    };
    let envelope = serde_json::to_vec(&Envelope::seal(&seal, &retired)?)?;
    let (originals, key) = (&vault.buckets().originals, keys::seal(manifest.code.key()));
    vault.create_locked(originals, &key, envelope.into(), "application/json", manifest.locked_until).await?;
    let trust = site.scratch("trust.json");
    let id = KeyId(retired.verifying_key().to_bytes());
    std::fs::write(&trust, serde_json::to_vec(&serde_json::json!({ "seal": [id] }))?)?;
    site.stack.set_env(Part::Hashing, "CUSTOS_TRUST_FILE", trust.display().to_string());
    site.stack.start_part(Part::Hashing).await?;
    eventually("the sealed fact", LONG, || async {
        let facts = facts(&vault, code).await?;
        let sealed = facts.iter().find(|fact| fact.act.name() == "sealed");
        anyhow::ensure!(sealed.is_some_and(|fact| fact.at == manifest.ingested_at), "{facts:?}");
        Ok(())
    })
    .await
}
