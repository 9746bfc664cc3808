//! The effect sweep, bounded: ingest's requests to the store all, the rest by sample. `tests/sweep` does all of it.

use anyhow::Context;
use custos_local::Part;
use custos_tests::sweep::{Kind, Stage, Tally, Target, points};

/// Points of the other services, and of the other kinds, in one run.
const SAMPLE: usize = 14;
/// Pairs in one run.
const PAIRS: usize = 2;
/// Points of ingest between two looks at the whole history.
const BATCH: usize = 12;

#[tokio::test]
async fn every_request_of_ingest_to_the_store_fails_or_loses_its_reply_and_a_sample_of_the_rest() -> anyhow::Result<()>
{
    let mut stage = Stage::start().await?;
    let counts = stage.count().await?;
    let mut tally = Tally::default();

    let cheap = points::all(&counts, |point| {
        (point.service, point.target) == (Part::Ingest, Target::Store)
            && matches!(point.kind, Kind::Outage | Kind::Drop)
    });
    assert!(cheap.len() > 20, "only {} points", cheap.len());
    for batch in cheap.chunks(BATCH) {
        for point in batch {
            let struck =
                stage.strike(&[*point], false).await.with_context(|| format!("tests/sweep --point {point}"))?;
            tally.add(&[*point], &struck);
        }
        let told: Vec<String> = batch.iter().map(ToString::to_string).collect();
        if let Err(error) = stage.check().await {
            // A panic, not an error: the harness keeps the logs of a test that panics.
            panic!("after one of {told:?}, each of them tests/sweep --point …: {error:#}");
        }
    }

    let seed: u64 = rand::random();
    eprintln!("tests/sweep --sample {SAMPLE} --pairs {PAIRS} --seed {seed}");
    let all = points::all(&counts, |_| true);
    let singles = points::sample(&all, SAMPLE, seed).into_iter().map(|point| vec![point]);
    for points in singles.chain(points::pairs(&all, PAIRS, seed).into_iter().map(Vec::from)) {
        let done = async {
            let struck = stage.strike(&points, true).await?;
            stage.check().await.map(|()| struck)
        };
        match done.await {
            Ok(struck) => tally.add(&points, &struck),
            Err(error) => {
                let words: Vec<String> = points.iter().map(|point| format!("--point {point}")).collect();
                panic!("tests/sweep {}: {error:#}", words.join(" "));
            }
        }
    }
    stage.check_all().await?;
    eprintln!("{tally}");
    assert!(tally.not_reached() * 5 < tally.swept(), "too many requests were not sent:\n{tally}");
    Ok(())
}
