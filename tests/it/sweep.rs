//! The effect sweep, bounded: ingest's requests to the store all, the rest by sample. `tests/sweep` does all of it.

use custos_local::Part;
use custos_tests::sweep::{Kind, Point, Stage, Tally, Target, points};

/// Requests between two that are struck in the same docking: far enough for the first fault to be over.
const STRIDE: u64 = 8;
/// Points of the other services, and of the other kinds, in one run.
const SAMPLE: usize = 10;
/// Pairs in one run.
const PAIRS: usize = 2;

#[tokio::test]
async fn every_request_of_ingest_to_the_store_refused_or_its_reply_lost_and_a_sample_of_the_rest() -> anyhow::Result<()>
{
    let mut stage = Stage::start().await?;
    let counts = stage.count().await?;
    let mut tally = Tally::default();

    let requests = counts[&(Part::Ingest, Target::Store)];
    assert!(requests > 20, "only {requests} requests");
    for kind in [Kind::Refuse, Kind::Drop] {
        for first in 1..=STRIDE {
            let point = |k| Point { service: Part::Ingest, target: Target::Store, kind, k };
            let points: Vec<Point> = (first..=requests).step_by(usize::try_from(STRIDE)?).map(point).collect();
            play(&mut stage, &mut tally, &points, false).await?;
        }
    }

    let seed: u64 = rand::random();
    eprintln!("tests/sweep --sample {SAMPLE} --pairs {PAIRS} --seed {seed}");
    let all = points::all(&counts, |_| true);
    let singles = points::sample(&all, SAMPLE, seed).into_iter().map(|point| vec![point]);
    for points in singles.chain(points::pairs(&all, PAIRS, seed).into_iter().map(Vec::from)) {
        play(&mut stage, &mut tally, &points, true).await?;
    }
    stage.check_all().await?;
    eprintln!("{tally}");
    assert!(tally.not_reached() * 5 < tally.swept(), "too many requests were not sent:\n{tally}");
    Ok(())
}

async fn play(stage: &mut Stage, tally: &mut Tally, points: &[Point], whole: bool) -> anyhow::Result<()> {
    let done = async {
        let struck = stage.strike(points, whole).await?;
        stage.check().await.map(|()| struck)
    };
    match done.await {
        Ok(struck) => tally.add(points, &struck),
        Err(error) => {
            let words: Vec<String> = points.iter().map(|point| format!("--point {point}")).collect();
            // A panic, not an error: the harness keeps the logs of a test that panics.
            panic!("tests/sweep {}: {error:#}", words.join(" "));
        }
    }
    Ok(())
}
