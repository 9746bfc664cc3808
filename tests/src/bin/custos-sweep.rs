//! `tests/sweep`: every outgoing request of every service goes wrong once in every way, and no invariant breaks.

use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use custos_local::Part;
use custos_tests::sweep::{Kind, Point, Stage, Tally, Target, points};

/// Points played on one stage before a new one is built: the store it fills stays small.
const PER_STAGE: usize = 40;

/// Options of the sweep.
#[derive(Debug, Parser)]
#[command(
    about = "Strikes every outgoing request of every service once in every way and checks every invariant after each"
)]
struct Args {
    /// Only this service.
    #[arg(long)]
    service: Option<String>,
    /// Only requests to this target.
    #[arg(long)]
    target: Option<Target>,
    /// Only this way to go wrong.
    #[arg(long)]
    kind: Option<Kind>,
    /// From the request with this number on.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Up to the request with this number.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    to: u64,
    /// Only so many points, chosen by the seed; services and targets in turn.
    #[arg(long)]
    sample: Option<usize>,
    /// So many pairs of points as well, chosen by the seed.
    #[arg(long, default_value_t = 0)]
    pairs: usize,
    /// What chooses; one is made up and told when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Nothing but these points, all at once, as in `ingest:store:drop:7`; what a failure tells to be run again.
    #[arg(long, conflicts_with_all = ["service", "target", "kind", "from", "to", "sample", "pairs", "seed"])]
    point: Vec<Point>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut stage = Stage::start().await?;
    let counts = stage.count().await.context("without any fault")?;
    for ((service, target), count) in &counts {
        print(&format!("{service:<11} {target:<8} {count:>5} requests"));
    }
    let rounds = if args.point.is_empty() { args.rounds(&counts)? } else { vec![args.point.clone()] };
    print(&format!("{} rounds", rounds.len()));
    let mut tally = Tally::default();
    for (number, points) in rounds.iter().enumerate() {
        if number > 0 && number % PER_STAGE == 0 {
            stage.check_all().await.context("after all points of a stage")?;
            drop(stage);
            stage = Stage::start().await?;
        }
        let started = Instant::now();
        let done = async {
            let struck = stage.strike(points, true).await?;
            stage.check().await?;
            anyhow::Ok(struck)
        };
        match done.await {
            Ok(struck) => {
                let told: Vec<String> =
                    points.iter().zip(&struck).map(|(point, how)| format!("{point} {how:?}")).collect();
                let (of, took) = (rounds.len(), started.elapsed().as_secs_f64());
                print(&format!("{:>5}/{of} {took:5.1} s {}", number + 1, told.join("  and  ")));
                tally.add(points, &struck);
            }
            // A panic, not an error: the stack's folder with all logs is kept.
            Err(error) => panic!("{}\n{error:#}\n{tally}", again(points)),
        }
    }
    stage.check_all().await.context("after all points")?;
    print(&tally.to_string());
    Ok(())
}

impl Args {
    fn rounds(&self, counts: &points::Counts) -> anyhow::Result<Vec<Vec<Point>>> {
        let named = |name: &String| {
            let found = Part::SERVICES.into_iter().find(|service| service.name() == name);
            found.with_context(|| format!("there is no service {name}"))
        };
        let service = self.service.as_ref().map(named).transpose()?;
        let points = points::all(counts, |point| {
            service.is_none_or(|service| service == point.service)
                && self.target.is_none_or(|target| target == point.target)
                && self.kind.is_none_or(|kind| kind == point.kind)
                && (self.from..=self.to).contains(&point.k)
        });
        let seed = self.seed.unwrap_or_else(rand::random);
        print(&format!("--seed {seed}"));
        let pairs = points::pairs(&points, self.pairs, seed);
        let single = self.sample.map_or_else(|| points.clone(), |count| points::sample(&points, count, seed));
        Ok(single.into_iter().map(|point| vec![point]).chain(pairs.into_iter().map(Vec::from)).collect())
    }
}

/// The command that plays these points again.
fn again(points: &[Point]) -> String {
    let words: Vec<String> = points.iter().map(|point| format!("--point {point}")).collect();
    format!("again: tests/sweep {}", words.join(" "))
}

#[expect(clippy::print_stdout, reason = "the figures are what the command is for")]
fn print(line: &str) {
    println!("{line}");
}
