//! Several at once: requests of one upload, replicas, docks. The newest request wins, and nobody waits for a lock.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use custos_domain::{digest::Root, item::UnifiedCode};
use custos_local::{certificates::Identity, seeds::Station};
use custos_tests::{
    eventually,
    proxy::{Fault, Rule},
    recorder::{noise, noise_file},
    replica::Replica,
    store::{facts, manifest},
    tus::{Answer, Tus},
};
use futures::stream;
use tokio::task::JoinHandle;

use super::stage::{LIMIT, MIB, PART, Stage, play};

/// A sender on a bad line: it has told this much and goes on slowly, until it may hurry.
struct Slow {
    sent: Arc<AtomicUsize>,
    hurry: Arc<AtomicBool>,
    answer: JoinHandle<anyhow::Result<Answer>>,
}

impl Slow {
    fn start(tus: &Tus, upload: &str, offset: usize, bytes: &[u8]) -> Self {
        let (sent, hurry) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (told, hurries) = (Arc::clone(&sent), Arc::clone(&hurry));
        let drops = stream::unfold(Bytes::from(bytes[offset..].to_vec()), move |mut left| {
            let (told, hurries) = (Arc::clone(&told), Arc::clone(&hurries));
            async move {
                let much = if hurries.load(Ordering::Relaxed) { left.len() } else { left.len().min(128 << 10) };
                if much == 0 {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                told.fetch_add(much, Ordering::Relaxed);
                Some((Ok::<_, Infallible>(left.split_to(much)), left))
            }
        });
        let request = tus.request(reqwest::Method::PATCH, upload).header("Upload-Offset", offset);
        let request = request.header("Content-Type", "application/offset+octet-stream");
        let body = reqwest::Body::wrap_stream(drops);
        let answer = tokio::spawn(async move { Answer::read(request.body(body).send().await?).await });
        Self { sent, hurry, answer }
    }

    async fn has_sent(&self, bytes: usize) -> anyhow::Result<()> {
        eventually("a slow sender to have sent something", LIMIT, || async {
            ensure!(self.sent.load(Ordering::Relaxed) >= bytes);
            Ok(())
        })
        .await
    }
}

/// After a break of the line clients of tusd meet 423 until the dead request's lock is given up (tusd issue 335, tus protocol
/// issue 115).
#[test]
fn the_newest_request_wins_and_423_is_never_sent() -> anyhow::Result<()> {
    play(async |stage| {
        let tus = stage.tus()?;
        let bytes = noise(3 * PART + 9, 71);
        let upload = tus.begin("NEWEST_1", &bytes).await?;
        let (mut offset, mut older) = (0, None::<Slow>);
        for _ in 0..4 {
            // It hears where the upload stands after the older one put down what it had, and goes on there.
            let first = tus.patch(&upload, offset, Vec::new()).await?;
            ensure!([204, 409].contains(&first.status), "{first:?}");
            let stands = first.offset().or(first.body["offset"].as_u64()).context("no offset")?;
            ensure!(stands >= offset, "{stands} after {offset}");
            offset = stands;
            if let Some(older) = older.take() {
                // Whoever is superseded hears it, or had its connection cut; and never that somebody else has a lock.
                if let Ok(answer) = older.answer.await? {
                    assert_eq!((answer.status, answer.problem()), (409, "superseded"), "{answer:?}");
                }
            }
            let slow = Slow::start(&tus, &upload, usize::try_from(offset)?, &bytes);
            slow.has_sent(3 * MIB).await?;
            older = Some(slow);
        }
        assert!(offset > 0, "what the older ones brought was not kept");
        let head = tus.head(&upload).await?.offset().context("no offset")?;
        let answer = tus.patch(&upload, head, bytes[usize::try_from(head)?..].to_vec()).await?;
        let answer = match answer.body["offset"].as_u64() {
            Some(stands) if answer.status == 409 => {
                tus.patch(&upload, stands, bytes[usize::try_from(stands)?..].to_vec()).await?
            }
            _ => answer,
        };
        assert_eq!(answer.status, 204, "{answer:?}");
        stage.deposited(&tus, &upload, &bytes).await.map(drop)
    })
}

/// Locks of tusd are each process's own (pipeline.md 1.3): here an upload moves between two replicas in the middle of parts, also while
/// the other one still takes bytes of it.
#[test]
fn an_upload_moves_between_two_replicas_in_the_middle_of_a_part() -> anyhow::Result<()> {
    play(async |stage| {
        let replica = Replica::start(&stage.site).await?;
        let (here, there) = (stage.tus()?, Tus { url: replica.url.clone(), ..stage.tus()? });
        let bytes = noise(4 * PART + 11, 72);
        let upload = here.begin("MOVES_2", &bytes).await?;
        let mut offset = 0;
        for (tus, other, end) in [
            (&here, &there, 3 * MIB + 7),
            (&there, &here, PART + 1),
            (&here, &there, PART + 5 * MIB + 3),
            (&there, &here, 2 * PART + MIB),
        ] {
            let answer = tus.patch(&upload, offset as u64, bytes[offset..end].to_vec()).await?;
            assert_eq!((answer.status, answer.offset()), (204, Some(end as u64)), "{answer:?}");
            assert_eq!(other.head(&upload).await?.offset(), Some(end as u64));
            offset = end;
        }
        let older = Slow::start(&here, &upload, offset, &bytes);
        older.has_sent(2 * MIB).await?;
        let newer = there.patch(&upload, offset as u64, bytes[offset..].to_vec()).await?;
        assert_eq!(newer.status, 204, "{newer:?}");
        stage.deposited(&there, &upload, &bytes).await?;
        // The older request's part meets an upload that is no more; whatever it hears, the same receipt awaits it.
        older.hurry.store(true, Ordering::Relaxed);
        if let Ok(answer) = older.answer.await? {
            assert!([409, 503].contains(&answer.status), "{answer:?}");
        }
        assert_eq!(here.head(&upload).await?.offset(), Some(bytes.len() as u64));
        assert_eq!(here.get(&upload, "receipt").await?.body, there.get(&upload, "receipt").await?.body);
        stage.deposited(&here, &upload, &bytes).await.map(drop)
    })
}

/// Of several Completes of one upload one succeeds, and a loser's 412 may be its own success (pipeline.md 4.3).
#[test]
fn two_replicas_that_complete_one_upload_at_once_make_one_item() -> anyhow::Result<()> {
    play(async |stage| {
        let replica = Replica::start(&stage.site).await?;
        let (here, there) = (stage.tus()?, Tus { url: replica.url.clone(), ..stage.tus()? });
        for round in 0..4 {
            let bytes = noise(PART + 100 + round, 73);
            let upload = here.begin(&format!("RACE_{round}"), &bytes).await?;
            let before = stage.versions("footage/").await?;
            // Both are held at the door of the store, so that they go in together.
            let held = stage.store.plan(
                Rule::new(Fault::Stall(Duration::from_millis(800)))
                    .on("CompleteMultipartUpload")
                    .key("/footage/")
                    .first(2),
            )?;
            let sending = super::stage::patching(stage.tus()?, &upload, 0, &bytes);
            held.fired().await;
            let other = there.get(&upload, "receipt").await?;
            assert!([200, 202, 503].contains(&other.status), "{other:?}");
            let answer = sending.await??;
            assert!([204, 503].contains(&answer.status), "{answer:?}");
            stage.store.clear();
            stage.deposited(&here, &upload, &bytes).await?;
            let receipts = [here.get(&upload, "receipt").await?, there.get(&upload, "receipt").await?];
            assert_eq!(receipts[0].body, receipts[1].body);
            assert_eq!(stage.versions("footage/").await?, before + 1, "an original was made twice");
        }
        Ok(())
    })
}

/// The recorder is pulled from one dock and put into another while the first still sends.
#[test]
fn the_same_recording_from_two_docks_at_once_is_one_item() -> anyhow::Result<()> {
    play(async |stage| {
        for (round, len) in [40_000, 2 * PART + 9].into_iter().enumerate() {
            let before = stage.versions("manifests/").await?;
            let dock = async |id: &str, unit: &str| {
                let identity = station(stage, unit, id)?;
                let folder = stage.site.scratch(&format!("{id}-{round}"));
                let name = format!("DCIM/DSJ0007{round}_P000345_20261122091500_0001_00.MP4");
                noise_file(&folder, &name, len, 74)?;
                let state = stage.site.scratch(&format!("state-{id}"));
                stage.site.dock_as(&identity, &folder, &["--state", state.to_str().context("no UTF-8")?]).await
            };
            let (one, other) =
                tokio::try_join!(dock("E_XUANWU_01", "NANJING/XUANWU"), dock("E_GULOU_01", "NANJING/GULOU"))?;
            for docked in [&one, &other] {
                assert_eq!((docked.code, docked.codes().len()), (0, 1), "{docked:?}");
            }
            assert_eq!(one.codes(), other.codes());
            stage.stored(&one.codes()[0], &noise(len, 74)).await?;
            assert_eq!(stage.versions("manifests/").await?, before + 1);
        }
        Ok(())
    })
}

/// Two docks say the same of different bytes, at the same moment: both are kept, one as a variant with an incident (ADR 4).
#[test]
fn conflicting_roots_are_kept_as_variants_also_at_the_same_moment() -> anyhow::Result<()> {
    play(async |stage| {
        let (tus, vault) = (stage.tus()?, stage.site.vault()?);
        for (round, len) in [30_000, PART + 9].into_iter().enumerate() {
            let recording = format!("CONFLICT_{round}");
            let both = [noise(len, 75), noise(len, 76)];
            let uploads = [tus.begin(&recording, &both[0]).await?, tus.begin(&recording, &both[1]).await?];
            let (first, second) = tokio::try_join!(
                tus.patch(&uploads[0], 0, both[0].clone()),
                tus.patch(&uploads[1], 0, both[1].clone())
            )?;
            assert_eq!((first.status, second.status), (204, 204), "{first:?} {second:?}");
            let mut codes = Vec::new();
            for (upload, bytes) in uploads.iter().zip(&both) {
                codes.push(stage.deposited(&tus, upload, bytes).await?.code);
            }
            let item = tus.declaration(&recording, b"x")?.item();
            let (plain, variants): (Vec<UnifiedCode>, Vec<_>) = codes.into_iter().partition(|code| *code.key() == item);
            assert_eq!((plain.len(), variants.len()), (1, 1));
            let variant = variants[0].to_string();
            let root = manifest(&vault, &variant).await?.0.root;
            assert!(both.iter().any(|bytes| Root::of(bytes) == root));
            let told = facts(&vault, &variant).await?;
            assert!(told.iter().any(|fact| fact.act.name() == "incident_opened"), "{told:?}");
        }
        Ok(())
    })
}

fn station(stage: &Stage, unit: &str, id: &str) -> anyhow::Result<Identity> {
    stage.site.stack.station(&Station::parse("E", unit, id)?)
}
