//! `tests/bench`: ingest beside tusd and `mc cp` on the same store, as ratios within one run.

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use custos_tests::bench::{
    contest::{self, Figure, Plan},
    load::{CROWD, LOADS},
    report,
};
use serde_json::json;

/// Options of the benchmark.
#[derive(Debug, Parser)]
#[command(about = "Compares ingest with tusd and mc cp on the same store and bytes")]
struct Args {
    /// Rounds of every contestant with every load.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    runs: u16,
    /// Only loads with this many sessions (1, 16, 64, 256 or 1000); all but the last when absent.
    #[arg(long)]
    sessions: Vec<usize>,
    /// Divides the number of bytes, to try the benchmark itself.
    #[arg(long, default_value_t = 1)]
    divide: usize,
    /// Memory for parts given to ingest, MiB.
    #[arg(long, default_value_t = 512)]
    budget_mib: u32,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Folder with optimised builds of the services.
    #[arg(long)]
    binaries: PathBuf,
    /// The tusd to compare with.
    #[arg(long)]
    tusd: PathBuf,
    /// Ends with 1 when a bar is missed.
    #[arg(long)]
    strict: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<std::process::ExitCode> {
    let args = Args::parse();
    let wanted = |sessions: usize| args.sessions.is_empty() || args.sessions.contains(&sessions);
    let mut loads: Vec<_> = LOADS.into_iter().filter(|load| wanted(load.sessions)).collect();
    loads.extend(args.sessions.contains(&CROWD.sessions).then_some(CROWD));
    anyhow::ensure!(!loads.is_empty(), "no load has that many sessions; choose 1, 16, 64, 256 or 1000");
    let plan = Plan {
        loads: loads.into_iter().map(|load| load.divided(args.divide.max(1))).collect(),
        runs: args.runs.into(),
        binaries: args.binaries,
        tusd: args.tusd,
        budget_mib: args.budget_mib,
    };
    let figures = contest::run(&plan, tell).await?;
    let lines = report::lines(&figures);
    let bars = report::bars(&lines);
    print(&report::table(&lines));
    for bar in &bars {
        let holds = if bar.holds { "holds " } else { "MISSED" };
        print(&format!("{holds} {:5.2}  {} sessions: {}\n", bar.measured, bar.load.sessions, bar.promise));
    }
    if let Some(path) = &args.json {
        let all = json!({ "lines": lines, "bars": bars, "figures": figures });
        std::fs::write(path, serde_json::to_vec_pretty(&all)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    let missed = args.strict && bars.iter().any(|bar| !bar.holds);
    Ok(if missed { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS })
}

fn tell(figure: &Figure) {
    let Figure { contestant, load, run, seconds, cpu_seconds, store_cpu_seconds, sender_cpu_seconds, peak_mib, .. } =
        figure;
    let used = cpu_seconds.map(|cpu| format!(", {cpu:.2} s of processor time")).unwrap_or_default();
    let peak = peak_mib.map(|peak| format!(", {peak} MiB at most")).unwrap_or_default();
    let name = format!("{contestant:?}").to_lowercase();
    let others = format!(", store {store_cpu_seconds:.2} s, sender {sender_cpu_seconds:.2} s");
    print(&format!("round {}: {name:<6} {} sessions: {seconds:.2} s{used}{others}{peak}\n", run + 1, load.sessions));
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(text: &str) {
    print!("{text}");
}
