//! Too much at once: quotas, fairness between units, slow senders (pipeline.md 1.6 "Memory").

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use custos_domain::dsse::Envelope;
use custos_local::{Part, StackConfig, seeds::Station};
use custos_tests::{
    eventually,
    proxy::{Fault, Rule},
    recorder::noise,
    site::Site,
    tus::{Answer, Tus, outboard},
};
use futures::{StreamExt as _, stream};

const MIB: usize = 1 << 20;
const LONG: Duration = Duration::from_mins(2);

/// Memory of a process in KiB, now.
fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// `bytes` in small pieces with pauses, until told to hurry; then the rest at once.
fn dripping(bytes: Bytes, piece: usize, pause: Duration, hurry: Arc<AtomicBool>) -> reqwest::Body {
    let drops = stream::unfold(bytes, move |mut left| {
        let hurry = Arc::clone(&hurry);
        async move {
            if left.is_empty() {
                return None;
            }
            if hurry.load(Ordering::Relaxed) {
                return Some((Ok::<_, Infallible>(left), Bytes::new()));
            }
            tokio::time::sleep(pause).await;
            let drop = left.split_to(piece.min(left.len()));
            Some((Ok(drop), left))
        }
    });
    reqwest::Body::wrap_stream(drops)
}

async fn patch(tus: &Tus, upload: &str, offset: u64, body: reqwest::Body) -> anyhow::Result<Answer> {
    let request = tus.request(reqwest::Method::PATCH, upload).header("Upload-Offset", offset);
    Answer::read(request.header("Content-Type", "application/offset+octet-stream").body(body).send().await?).await
}

#[tokio::test]
async fn a_units_flood_of_slow_uploads_does_not_keep_another_unit_out() -> anyhow::Result<()> {
    const FLOOD: usize = 200;
    let config = StackConfig::test()
        .with_services(&[Part::Ingest])
        .with_env(Part::Ingest, "CUSTOS_PART_BUDGET_MIB", "64")
        .with_env(Part::Ingest, "CUSTOS_SLOWEST_SENDER_KIB", "1");
    let site = Site::with(config).await?;
    let flooding = Arc::new(Tus::of(&site, "E")?);
    let other = Station::parse("E", "NANJING/QINHUAI", "E_QINHUAI_01")?;
    let single = Tus::with(&site, other.clone(), &site.stack.station(&other)?)?;
    let bytes = Bytes::from(noise(9 * MIB, 1));
    let proof = outboard(&bytes)?;

    let uploads: Vec<String> = stream::iter(0..FLOOD)
        .map(|number| {
            let (tus, bytes, proof) = (Arc::clone(&flooding), bytes.clone(), &proof);
            async move {
                let declared = tus.declaration(&format!("FLOOD_{number}"), &bytes)?;
                let upload = tus.declare(&declared).await?.location()?;
                anyhow::ensure!(tus.prove(&upload, proof).await?.status == 204);
                Ok(upload)
            }
        })
        .buffer_unordered(8)
        .collect::<Vec<anyhow::Result<String>>>()
        .await
        .into_iter()
        .collect::<anyhow::Result<_>>()?;

    let (pid, hurry, turned_away) =
        (site.stack.process_id(Part::Ingest)?, Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let before = resident(pid)?;
    let senders: Vec<_> = uploads
        .into_iter()
        .map(|upload| {
            let (tus, bytes) = (Arc::clone(&flooding), bytes.clone());
            let (hurry, turned_away) = (Arc::clone(&hurry), Arc::clone(&turned_away));
            tokio::spawn(async move {
                loop {
                    // What a cut connection left is kept: go on there.
                    let offset = tus.head(&upload).await?.offset().unwrap_or_default();
                    let left = bytes.slice(usize::try_from(offset)?..);
                    let body = dripping(left, 16 << 10, Duration::from_millis(250), Arc::clone(&hurry));
                    match patch(&tus, &upload, offset, body).await {
                        Ok(answer) if answer.offset() == Some(bytes.len() as u64) => return anyhow::Ok(true),
                        Ok(answer) if answer.problem() == "busy" => {
                            assert!(answer.status == 503 && answer.headers.contains_key("retry-after"), "{answer:?}");
                            turned_away.fetch_add(1, Ordering::Relaxed);
                            if hurry.load(Ordering::Relaxed) {
                                return Ok(false);
                            }
                        }
                        Ok(answer) => anyhow::ensure!(answer.status == 204, "{answer:?}"),
                        // A server that refuses before it has read everything may cut the connection.
                        Err(_) => {}
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            })
        })
        .collect();
    eventually("the flood is turned away", LONG, || async {
        anyhow::ensure!(turned_away.load(Ordering::Relaxed) > 100);
        Ok(())
    })
    .await?;
    let in_use = site.metric(Part::Ingest, "custos_ingest_budget_in_use", "").await?;
    // Half of it is for those that run, when they want more at once.
    assert!((32.0..=64.0).contains(&(in_use / f64::from(1 << 20))), "{in_use}");
    eventually("somebody waits", LONG, || async {
        anyhow::ensure!(site.metric(Part::Ingest, "custos_ingest_waiting_for_budget", "NANJING/XUANWU").await? > 0.0);
        Ok(())
    })
    .await?;

    // The flood holds all it may get; the other unit's upload goes through at its first try.
    let bytes = noise(20 * MIB, 2);
    let upload = single.begin("SINGLE_1", &bytes).await?;
    let answer = single.patch(&upload, 0, bytes).await?;
    assert_eq!((answer.status, answer.offset()), (204, Some(20 * MIB as u64)), "{answer:?}");
    assert!(!hurry.load(Ordering::Relaxed));
    let during = resident(pid)?;
    println!("{before} KiB before, {during} KiB during the flood, {} times busy", turned_away.load(Ordering::Relaxed));
    assert!(during < before + (64 + 96) * 1024, "{before} KiB before, {during} KiB during");

    // And what runs of the flood is finished, while what is new is turned away.
    hurry.store(true, Ordering::Relaxed);
    let mut finished = 0;
    for sender in senders {
        finished += usize::from(sender.await??);
    }
    assert!(finished >= 4, "{finished} uploads were running");
    let in_use = site.metric(Part::Ingest, "custos_ingest_budget_in_use", "").await?;
    assert!(in_use.abs() < 0.5, "{in_use} bytes were not given back");
    assert!(site.metric(Part::Ingest, "custos_ingest_refused_total", "busy").await? > 100.0);
    Ok(())
}

#[tokio::test]
async fn a_sender_slower_than_asked_is_cut_off_and_keeps_its_bytes() -> anyhow::Result<()> {
    let config = StackConfig::test()
        .with_services(&[Part::Ingest])
        .with_env(Part::Ingest, "CUSTOS_SLOWEST_SENDER_KIB", "256")
        .with_env(Part::Ingest, "CUSTOS_SENDER_WINDOW_SECONDS", "4");
    let site = Site::with(config).await?;
    let tus = Tus::of(&site, "E")?;
    let bytes = Bytes::from(noise(9 * MIB, 1));
    let fast = tus.begin("FAST_1", &bytes).await?;
    let steady = dripping(bytes.clone(), 256 << 10, Duration::from_millis(250), Arc::default());
    assert_eq!(patch(&tus, &fast, 0, steady).await?.status, 204, "1 MiB a second is fast enough");

    let slow = tus.begin("SLOW_1", &bytes).await?;
    // The first MiB quickly, then drop by drop.
    let quick = stream::iter([Ok::<_, Infallible>(bytes.slice(..MIB + MIB / 8))]);
    let drops = stream::unfold(bytes.slice(MIB + MIB / 8..), |mut left| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let drop = left.split_to(100.min(left.len()));
        (!drop.is_empty()).then_some((Ok(drop), left))
    });
    // Cut off while it sends, a client may or may not still read the answer.
    let body = reqwest::Body::wrap_stream(quick.chain(drops));
    let answer = tokio::time::timeout(LONG, patch(&tus, &slow, 0, body)).await.expect("it was not cut off");
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 204), "{answer:?}");
    let head = tus.head(&slow).await?;
    assert_eq!(head.offset(), Some(MIB as u64), "the verified MiB is kept: {head:?}");
    assert!(site.metric(Part::Ingest, "custos_ingest_cut_senders_total", "slow").await? >= 1.0);
    let rest = tus.patch(&slow, MIB as u64, bytes.slice(MIB..)).await?;
    assert_eq!(rest.status, 204, "{rest:?}");
    Ok(())
}

#[tokio::test]
async fn more_than_a_quota_is_refused_before_it_comes_and_counted_again_after_a_restart() -> anyhow::Result<()> {
    let config = StackConfig::test()
        .with_services(&[Part::Ingest])
        .with_env(Part::Ingest, "CUSTOS_DEVICE_QUOTA_MIB", "16")
        .with_env(Part::Ingest, "CUSTOS_STATION_QUOTA_MIB", "16");
    let site = Site::with(config).await?;
    let tus = Tus::of(&site, "E")?;
    let bytes = noise(9 * MIB, 1);
    let large = tus.declare(&tus.declaration("LARGE_1", &noise(17 * MIB, 3))?).await?;
    assert_eq!((large.status, large.problem()), (413, "over-quota"), "{large:?}");
    let first = tus.begin("FIRST_1", &bytes).await?;
    let second = tus.declaration("SECOND_1", &bytes)?;
    let refused = tus.declare(&second).await?;
    assert_eq!((refused.status, refused.problem()), (429, "quota"), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    // What is under way is not refused its own place.
    assert_eq!(tus.declare(&tus.declaration("FIRST_1", &bytes)?).await?.location()?, first);

    site.stack.restart(Part::Ingest).await?;
    eventually("the quota is known again", LONG, || async {
        let refused = tus.declare(&tus.declaration("THIRD_1", &bytes)?).await?;
        if let Ok(upload) = refused.location() {
            tus.request(reqwest::Method::DELETE, &upload).send().await?;
        }
        anyhow::ensure!(refused.status == 429, "{refused:?}");
        Ok(())
    })
    .await?;
    assert_eq!(tus.patch(&first, 0, bytes.clone()).await?.status, 204);
    let now = tus.declare(&second).await?;
    assert_eq!(now.status, 201, "{now:?}");
    Ok(())
}

/// A declaration with its outboard: the bytes may come at once.
async fn ask(tus: &Tus, recording: &str, bytes: &[u8]) -> anyhow::Result<Answer> {
    let envelope = serde_json::to_vec(&Envelope::seal(&tus.declaration(recording, bytes)?, &tus.key)?)?;
    tus.declare_proven(&envelope, &outboard(bytes)?).await
}

#[tokio::test]
async fn a_crowd_waits_at_the_door_and_not_with_its_bytes() -> anyhow::Result<()> {
    let config = StackConfig { services: Vec::new(), ..StackConfig::test() };
    let site = Site::with(config.with_env(Part::Ingest, "CUSTOS_PART_BUDGET_MIB", "16")).await?;
    let proxy = site.route(Part::Ingest, Part::Minio).await?;
    site.stack.start_part(Part::Ingest).await?;
    // There is room for one new upload at a time: the last of them waits some 15 seconds.
    proxy.plan(Rule::new(Fault::Stall(Duration::from_millis(300))).on("PutObject").key("footage/"))?;
    let tus = Tus::of(&site, "E")?;
    let late = AtomicUsize::new(0);
    let one = |number: u64| {
        let (tus, late) = (&tus, &late);
        async move {
            let (bytes, recording) = (noise(2 * MIB, number), format!("CROWD_{number}"));
            let asked = loop {
                let asked = ask(tus, &recording, &bytes).await?;
                if asked.status != 503 {
                    break asked;
                }
                assert!(asked.problem() == "busy" && asked.headers.contains_key("retry-after"), "{asked:?}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            };
            let (upload, bytes) = (asked.location()?, Bytes::from(bytes));
            loop {
                let sent = tus.patch(&upload, 0, bytes.clone()).await?;
                if sent.status == 204 {
                    return Ok(());
                }
                // What is kept for it is kept for a second: on a busy machine a client may come too late.
                anyhow::ensure!(sent.problem() == "busy", "let in, and then: {sent:?}");
                late.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    };
    let sent: Vec<anyhow::Result<()>> = stream::iter(0..48).map(one).buffer_unordered(48).collect().await;
    sent.into_iter().collect::<anyhow::Result<()>>()?;
    let late = late.into_inner();
    assert!(late <= 6, "{late} uploads were let in and turned away with their bytes");
    eventually("all memory is given back", LONG, || async {
        anyhow::ensure!(site.metric(Part::Ingest, "custos_ingest_budget_in_use", "").await?.abs() < 0.5);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_store_too_slow_turns_new_uploads_away_and_those_that_run_finish() -> anyhow::Result<()> {
    let config = StackConfig { services: Vec::new(), ..StackConfig::test() };
    let site = Site::with(config.with_env(Part::Ingest, "CUSTOS_PART_BUDGET_MIB", "64")).await?;
    let proxy = site.route(Part::Ingest, Part::Minio).await?;
    site.stack.start_part(Part::Ingest).await?;
    let tus = Arc::new(Tus::of(&site, "E")?);
    let stall = Rule::new(Fault::Stall(Duration::from_secs(25))).on("UploadPart").first(8);
    let stalled = proxy.plan(stall)?;

    let running: Vec<_> = (0..4)
        .map(|number| {
            let tus = Arc::clone(&tus);
            tokio::spawn(async move {
                let bytes = noise(56 * MIB, number);
                let upload = ask(&tus, &format!("RUNNING_{number}"), &bytes).await?.location()?;
                anyhow::Ok(tus.patch(&upload, 0, bytes).await?)
            })
        })
        .collect();
    stalled.fired().await;
    let bytes = noise(MIB, 9);
    eventually("new uploads are turned away", LONG, || async {
        let asked = ask(&tus, "NEW_1", &bytes).await?;
        anyhow::ensure!(asked.status == 503 && asked.problem() == "busy", "{asked:?}");
        anyhow::ensure!(asked.headers.contains_key("retry-after"), "{asked:?}");
        Ok(())
    })
    .await?;
    assert!(running.iter().all(|upload| !upload.is_finished()), "what runs waits, and is not turned away");

    for upload in running {
        let sent = upload.await??;
        assert_eq!((sent.status, sent.offset()), (204, Some(56 * MIB as u64)), "{sent:?}");
    }
    let asked = ask(&tus, "NEW_1", &bytes).await?;
    assert_eq!(asked.status, 201, "{asked:?}");
    assert_eq!(tus.patch(&asked.location()?, 0, bytes).await?.status, 204);
    Ok(())
}
