//! What a store holds of an upload: holes, tails, and the end of the part numbers.

use custos_domain::outboard::MAX_LEN;
use custos_tests::{
    eventually,
    proxy::{Fault, Rule},
    recorder::noise,
};

use super::stage::{LIMIT, PART, Stage, patching, play};

/// A failed part with a later success looks complete to whoever adds up sizes (tusd issue 1247; pipeline.md 1.3 and 4.3: Complete with
/// holes succeeds).
#[test]
fn a_hole_between_parts_is_neither_counted_nor_completed_nor_sent_twice() -> anyhow::Result<()> {
    play(async |stage| {
        let (tus, vault) = (stage.tus()?, stage.site.vault()?);
        let bytes = noise(3 * PART + 5, 31);
        let upload = tus.begin("HOLE_1", &bytes).await?;
        let session = stage.session(&upload).await?;
        stage.store.plan(Rule::new(Fault::HalfOpen).on("UploadPart").key("?part=2"))?;
        let sending = patching(stage.tus()?, &upload, 0, &bytes);
        eventually("the parts around the hole", LIMIT, || async {
            anyhow::ensure!(session.listed(&vault).await? == [1, 3]);
            Ok(())
        })
        .await?;
        let offset = Some(PART as u64);
        assert_eq!(tus.head(&upload).await?.offset(), offset, "a sum of sizes was answered");
        stage.store.clear();
        let failed = sending.await??;
        assert_eq!(failed.status, 503, "{failed:?}");
        assert_eq!(tus.head(&upload).await?.offset(), offset);
        let behind = tus.patch(&upload, 2 * PART as u64, bytes[2 * PART..].to_vec()).await?;
        assert_eq!((behind.status, behind.body["offset"].as_u64()), (409, offset), "{behind:?}");
        assert!(!stage.completed(&session), "an upload with a hole was completed");

        stage.store.forget();
        let rest = tus.patch(&upload, PART as u64, bytes[PART..].to_vec()).await?;
        assert_eq!(rest.status, 204, "{rest:?}");
        assert_eq!(stage.parts_sent(&session), [2, 4], "a listed part was sent again");
        stage.deposited(&tus, &upload, &bytes).await.map(drop)
    })
}

/// tusd deletes the tail before its bytes are stored again; a crash in between moves the offset back (pipeline.md 1.3).
#[test]
fn a_tail_is_let_go_only_when_something_stored_covers_it() -> anyhow::Result<()> {
    play(async |stage| {
        for (number, (operation, key, fault)) in [
            ("UploadPart", "?part=1", Fault::HalfOpen),
            ("UploadPart", "?part=1", Fault::HoldReply),
            ("PutObject", "/tails/", Fault::HalfOpen),
            ("DeleteObject", "/tails/", Fault::HoldReply),
        ]
        .into_iter()
        .enumerate()
        {
            killed_over_a_tail(stage, number, Rule::new(fault).on(operation).key(key)).await?;
        }
        Ok(())
    })
}

async fn killed_over_a_tail(stage: &Stage, number: usize, rule: Rule) -> anyhow::Result<()> {
    let told = format!("{rule:?}");
    let (tus, tail) = (stage.tus()?, 5 * (PART / 8) + 333);
    let bytes = noise(2 * PART + 7, 40 + number as u64);
    let upload = tus.begin(&format!("TAIL_{number}"), &bytes).await?;
    assert_eq!(tus.patch(&upload, 0, bytes[..tail].to_vec()).await?.offset(), Some(tail as u64));
    let planned = stage.store.plan(rule)?;
    let sending = patching(stage.tus()?, &upload, tail, &bytes[tail..PART + 777]);
    planned.fired().await;
    stage.kill_ingest().await?;
    assert!(sending.await?.is_err(), "killed, and yet it answered: {told}");
    let offset = tus.head(&upload).await?.offset().unwrap_or_default();
    assert!(offset >= tail as u64, "{told}: {tail} bytes were acknowledged, now {offset}");
    let rest = tus.patch(&upload, offset, bytes[usize::try_from(offset)?..].to_vec()).await?;
    assert_eq!(rest.status, 204, "{told}: {rest:?}");
    stage.deposited(&tus, &upload, &bytes).await.map(drop)
}

/// Where offset and size drift apart a client ends at part 10,001, which no store takes (tusd issue 1247): what needs more parts is
/// refused before its first byte, and the last part of the largest item is number 10,000.
#[test]
fn what_would_need_part_10001_is_refused_before_its_first_byte() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        assert_eq!(MAX_LEN.div_ceil(PART as u64), 10_000);
        let honest = tus.declaration("LARGEST_1", b"not so many")?;
        let mut largest = honest.clone();
        largest.length = MAX_LEN;
        let taken = tus.declare(&largest).await?;
        assert_eq!(taken.status, 201, "{taken:?}");
        let mut larger = tus.declaration("LARGER_1", b"not so many")?;
        larger.length = MAX_LEN + 1;
        let refused = tus.declare(&larger).await?;
        assert_eq!((refused.status, refused.problem()), (422, "declaration-refused"), "{refused:?}");
        assert!(refused.body["detail"].as_str().is_some_and(|why| why.contains("one object")), "{refused:?}");
        let given_up = tus.request(reqwest::Method::DELETE, &taken.location()?).send().await?;
        assert_eq!(given_up.status(), 204);
        Ok(())
    })
}
