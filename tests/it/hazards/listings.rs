//! Listings that are wrong: what the store lists is believed only where nothing is lost by it.

use std::time::Duration;

use anyhow::ensure;
use custos_domain::manifest::StoredObject;
use custos_tests::{
    eventually,
    proxy::{Fault, Rewrite, Rule},
    recorder::noise,
    store::Root,
    tus::Tus,
};

use super::stage::{LIMIT, MIB, PART, lost_and_begun_anew, play};

/// SeaweedFS lists a part that was sent twice twice (pipeline.md 4.3).
#[test]
fn a_part_listed_twice_counts_once() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        let bytes = noise(3 * PART + 9, 61);
        let upload = tus.begin("LISTED_TWICE_1", &bytes).await?;
        let twice =
            stage.store.plan(Rule::new(Fault::Rewrite(Rewrite::Repeat("<PartNumber>".into()))).on("ListParts"))?;
        let sent = 2 * PART + MIB + 5;
        assert_eq!(tus.patch(&upload, 0, bytes[..sent].to_vec()).await?.offset(), Some(sent as u64));
        assert_eq!(tus.head(&upload).await?.offset(), Some(sent as u64));
        let rest = tus.patch(&upload, sent as u64, bytes[sent..].to_vec()).await?;
        assert_eq!(rest.status, 204, "{rest:?}");
        // Asked by HEAD and by the second PATCH, whose parts are then completed.
        assert!(twice.count() > 1);
        stage.deposited(&tus, &upload, &bytes).await.map(drop)
    })
}

/// A page without parts that were acknowledged, once: nobody is told a smaller offset, and nothing is given up for it (INV-8;
/// pipeline.md 4.3: a marker that is no present part gives an empty page).
#[test]
fn an_empty_page_moves_no_offset_back_and_costs_no_upload() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        let bytes = noise(2 * PART + 9, 62);
        let upload = begun(&tus, "EMPTY_PAGE_1", &bytes).await?;
        let (original, offset) = (stage.session(&upload).await?.text("original").to_owned(), PART + MIB);
        for method in ["HEAD", "PATCH", "receipt"] {
            let empty = Rule::new(Fault::Rewrite(Rewrite::EmptyPage)).on("ListParts").key(&original);
            let planned = stage.store.plan(empty)?;
            let asked = async {
                match method {
                    "HEAD" => tus.head(&upload).await,
                    "PATCH" => tus.patch(&upload, offset as u64, bytes[offset..offset + 5].to_vec()).await,
                    _ => tus.get(&upload, "receipt").await,
                }
            };
            // Right again by the time of a second look.
            let passing = async {
                planned.fired().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                stage.store.clear();
            };
            let (answer, ()) = tokio::join!(asked, passing);
            let answer = answer?;
            assert_eq!((answer.status, answer.offset()), (503, None), "{method}: {answer:?}");
            assert!(answer.headers.contains_key("retry-after"), "{method}: {answer:?}");
            assert_eq!(tus.head(&upload).await?.offset(), Some(offset as u64), "{method}");
        }
        let rest = tus.patch(&upload, offset as u64, bytes[offset..].to_vec()).await?;
        assert_eq!(rest.status, 204, "{rest:?}");
        stage.deposited(&tus, &upload, &bytes).await.map(drop)
    })
}

/// MinIO killed while a part was sent again lost acknowledged parts, and listed one with no bytes (pipeline.md 4.3). When it stays so the
/// upload is lost: the same upload never answers a smaller offset.
#[test]
fn a_store_that_lost_acknowledged_parts_has_lost_the_upload() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        let bytes = noise(2 * PART + 9, 63);
        let empty = Rewrite::Instead(format!("<Size>{PART}</Size>"), "<Size>0</Size>".into());
        for (recording, how) in [("SIZE_ZERO_1", empty), ("PARTS_GONE_1", Rewrite::EmptyPage)] {
            let upload = begun(&tus, recording, &bytes).await?;
            let session = stage.session(&upload).await?;
            stage.store.plan(Rule::new(Fault::Rewrite(how)).on("ListParts").key(session.text("original")))?;
            assert_eq!(tus.head(&upload).await?.status, 410, "{recording}");
            lost_and_begun_anew(stage, &tus, (recording, &upload), &bytes).await?;
        }
        Ok(())
    })
}

/// MinIO has listed versions of a Complete that it then undid (pipeline.md 4.3): what a listing shows and HEAD does not is no item.
#[test]
fn a_version_that_is_listed_but_not_found_by_head_is_no_item() -> anyhow::Result<()> {
    play(async |stage| {
        let (tus, vault, root) = (stage.tus()?, stage.site.vault()?, Root::of(&stage.site)?);
        let bytes = noise(PART + 9, 64);
        let upload = tus.begin("UNDONE_1", &bytes).await?;
        let session = stage.session(&upload).await?;
        let original = session.text("original");
        stage.store.plan(Rule::new(Fault::Refuse(503)).on("CompleteMultipartUpload").key(original))?;
        assert_eq!(tus.patch(&upload, 0, bytes.clone()).await?.status, 503);
        vault.abort(session.multipart(&vault)).await?;
        let bucket = vault.buckets().originals.clone();
        root.overwrite(&StoredObject { bucket, key: original.to_owned(), version: String::new() }).await?;
        let hidden = Rule::new(Fault::Rewrite(Rewrite::NotFound)).on("HeadObject").key(original);
        let hidden = stage.store.plan(hidden)?;
        assert_eq!(tus.head(&upload).await?.status, 410);
        assert!(hidden.count() > 0, "HEAD was not asked");
        lost_and_begun_anew(stage, &tus, ("UNDONE_1", &upload), &bytes).await
    })
}

/// The other way round: an original that a listing forgets is found by HEAD and its nonce, and is not made a second time.
#[test]
fn an_original_that_a_listing_forgets_is_found_by_head() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        let bytes = noise(PART + 9, 65);
        let upload = tus.begin("FORGOTTEN_1", &bytes).await?;
        let before = stage.versions("footage/").await?;
        // Its answer is lost, so that only the store can tell; and the store's listing does not.
        let answer = stage.store.plan(Rule::new(Fault::DropReply).on("CompleteMultipartUpload").key("/footage/"))?;
        let listing = Rule::new(Fault::Rewrite(Rewrite::EmptyPage)).on("ListObjectVersions").key("prefix=footage/");
        let listing = stage.store.plan(listing)?;
        let whole = tus.patch(&upload, 0, bytes.clone()).await?;
        assert_eq!(whole.status, 204, "{whole:?}");
        assert!(answer.count() == 1 && listing.count() > 0, "{}", stage.store.report());
        stage.store.clear();
        assert_eq!(stage.versions("footage/").await?, before + 1);
        stage.deposited(&tus, &upload, &bytes).await.map(drop)
    })
}

/// A manifest that a listing forgets is not written a second time: the create-only write decides (INV-1).
#[test]
fn a_manifest_that_a_listing_forgets_stays_the_only_one() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        let bytes = noise(MIB, 66);
        let upload = tus.begin("ONCE_1", &bytes).await?;
        // Written, and its answer lost; then the listing does not show it either.
        let write = stage.store.plan(Rule::new(Fault::DropReply).on("PutObject").key("/manifests/").first(1))?;
        let listing = Rule::new(Fault::Rewrite(Rewrite::EmptyPage)).on("ListObjectVersions").key("prefix=manifests/");
        let listing = stage.store.plan(listing.first(4))?;
        let whole = tus.patch(&upload, 0, bytes.clone()).await?;
        assert!([204, 500, 503].contains(&whole.status), "{whole:?}");
        eventually("the listing to have forgotten it", LIMIT, || async {
            tus.get(&upload, "receipt").await?;
            ensure!(listing.count() == 4, "{}", listing.count());
            Ok(())
        })
        .await?;
        assert_eq!(write.count(), 1);
        stage.deposited(&tus, &upload, &bytes).await.map(drop)
    })
}

/// An upload of which a part and a MiB were acknowledged.
async fn begun(tus: &Tus, recording: &str, bytes: &[u8]) -> anyhow::Result<String> {
    let upload = tus.begin(recording, bytes).await?;
    let answer = tus.patch(&upload, 0, bytes[..PART + MIB].to_vec()).await?;
    ensure!(answer.offset() == Some((PART + MIB) as u64), "{answer:?}");
    Ok(upload)
}
