//! What ingest remembers of an upload saves asking the store, and never stands against it.

use anyhow::ensure;
use bytes::Bytes;
use custos_domain::{digest::Root, dsse::Envelope, outboard::PART};
use custos_local::{Part, StackConfig};
use custos_tests::{
    proxy::Proxy,
    replica::Replica,
    site::Site,
    tus::{Answer, Tus, outboard},
};

const MIB: usize = 1 << 20;

/// Ingest alone, with a proxy before its store.
async fn intake() -> anyhow::Result<(Site, Proxy)> {
    let site = Site::with(StackConfig { services: Vec::new(), ..Site::config() }).await?;
    let proxy = site.route(Part::Ingest, Part::Minio).await?;
    site.stack.start_part(Part::Ingest).await?;
    Ok((site, proxy))
}

fn noise(length: usize, seed: u8) -> Bytes {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251) % 253).unwrap_or_default() ^ seed).collect()
}

async fn declare(tus: &Tus, recording: &str, bytes: &[u8]) -> anyhow::Result<Answer> {
    let envelope = serde_json::to_vec(&Envelope::seal(&tus.declaration(recording, bytes)?, &tus.key)?)?;
    tus.declare_proven(&envelope, &outboard(bytes)?).await
}

/// The requests about one deposit, from its declaration to its receipt: the fewest of three, for a walk may ask about it too.
async fn asked(proxy: &Proxy, tus: &Tus, length: usize) -> anyhow::Result<Vec<String>> {
    let mut fewest: Option<Vec<String>> = None;
    for seed in 0..3 {
        let bytes = noise(length, seed);
        proxy.forget();
        let recording = format!("ASKED_{length}_{seed}");
        let declared = declare(tus, &recording, &bytes).await?;
        ensure!(declared.status == 201 && declared.headers["custos-outboard"] == "present", "{declared:?}");
        let upload = declared.location()?;
        let sent = tus.patch(&upload, 0, bytes.clone()).await?;
        ensure!(sent.status == 204 && sent.offset() == Some(bytes.len() as u64), "{sent:?}");
        let receipt = tus.get(&upload, "receipt").await?;
        ensure!(receipt.status == 200, "{receipt:?}");
        let id = upload.rsplit('/').next().unwrap_or_default();
        let own = proxy.log().into_iter().filter(|seen| seen.key.contains(id) || seen.key.contains(&recording));
        let seen: Vec<_> = own.map(|seen| format!("{} {}", seen.operation, seen.key)).collect();
        if fewest.as_ref().is_none_or(|fewest| seen.len() < fewest.len()) {
            fewest = Some(seen);
        }
    }
    Ok(fewest.unwrap_or_default())
}

#[tokio::test]
async fn a_deposit_asks_the_store_for_nothing_it_was_told_already() -> anyhow::Result<()> {
    let (site, proxy) = intake().await?;
    let tus = Tus::of(&site, "E")?;
    let small = asked(&proxy, &tus, 4 * MIB).await?;
    assert!(small.len() <= 14, "{} requests for a deposit of one part: {small:#?}", small.len());
    let several = asked(&proxy, &tus, 3 * usize::try_from(PART)? + 5).await?;
    assert!(several.len() <= 20, "{} requests for a deposit of four parts: {several:#?}", several.len());
    Ok(())
}

#[tokio::test]
async fn what_another_replica_did_is_noticed_at_the_first_write() -> anyhow::Result<()> {
    let (site, _proxy) = intake().await?;
    let replica = Replica::start(&site).await?;
    let here = Tus::of(&site, "E")?;
    let there = Tus { url: replica.url.clone(), ..Tus::of(&site, "E")? };
    for (recording, length) in [("SEEN_1", 5 * MIB), ("SEEN_2", 20 * MIB)] {
        let bytes = noise(length, 4);
        let upload = declare(&here, recording, &bytes).await?.location()?;
        let cut = length / 2 + 17;
        let sent = there.patch(&upload, 0, bytes.slice(..cut)).await?;
        assert_eq!((sent.status, sent.offset()), (204, Some(cut as u64)), "{sent:?}");
        // It made the session itself and saw no byte come for it, and yet:
        let stale = here.patch(&upload, 0, bytes.clone()).await?;
        assert_eq!((stale.status, stale.body["offset"].as_u64()), (409, Some(cut as u64)), "{stale:?}");
        let ended = there.patch(&upload, cut as u64, bytes.slice(cut..)).await?;
        assert_eq!(ended.status, 204, "{ended:?}");
        let [ours, theirs] = [here.get(&upload, "receipt").await?, there.get(&upload, "receipt").await?];
        assert_eq!((ours.status, &ours.body["payload"]), (200, &theirs.body["payload"]), "{ours:?}");
        let again = declare(&here, recording, &bytes).await?;
        assert_eq!((again.location()?, again.offset()), (upload, Some(length as u64)));
        let receipt: custos_domain::receipt::Receipt = serde_json::from_value::<Envelope>(ours.body)?.peek()?;
        assert_eq!(receipt.root, Root::of(&bytes));
    }
    Ok(())
}

#[tokio::test]
async fn an_outboard_that_came_along_must_add_up_too() -> anyhow::Result<()> {
    let (site, _proxy) = intake().await?;
    let tus = Tus::of(&site, "E")?;
    let (bytes, other) = (noise(2 * MIB, 5), noise(2 * MIB, 6));
    let envelope = serde_json::to_vec(&Envelope::seal(&tus.declaration("LIES_1", &bytes)?, &tus.key)?)?;
    let refused = tus.declare_proven(&envelope, &outboard(&other)?).await?;
    assert_eq!((refused.status, refused.problem()), (422, "outboard-mismatch"), "{refused:?}");
    // It left nothing that would stand in the way of the right one, and a flipped byte is refused at its MiB.
    let upload = declare(&tus, "LIES_1", &bytes).await?.location()?;
    let mut flipped = bytes.to_vec();
    flipped[MIB + 3] ^= 1;
    let refused = tus.patch(&upload, 0, flipped).await?;
    assert_eq!((refused.status, refused.body["offset"].as_u64()), (460, Some(MIB as u64)), "{refused:?}");
    let ended = tus.patch(&upload, MIB as u64, bytes.slice(MIB..)).await?;
    assert_eq!(ended.status, 204, "{ended:?}");
    Ok(())
}
