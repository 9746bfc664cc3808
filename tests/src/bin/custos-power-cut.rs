//! `tests/power-cut`: what is left after a power cut of the store's machine.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use custos_tests::power_cut::{Outcome, Plan, Setting, play};

/// Options of the power cut.
#[derive(Debug, Parser)]
#[command(
    about = "Cuts the power of the store's disk after permits and after holds, and tells what is lost and what is put back"
)]
struct Args {
    /// Where disk images and stacks are made; needs some gigabytes.
    #[arg(long)]
    folder: PathBuf,
    /// Only these settings.
    #[arg(long)]
    setting: Vec<Setting>,
    /// Cuts after a docking, and as many after a hold, for each setting.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Items of one docking.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=60))]
    items: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let settings = if args.setting.is_empty() { Setting::ALL.to_vec() } else { args.setting };
    let plan = Plan { rounds: args.rounds, items: args.items.into() };
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for setting in settings {
        let outcome = play(&args.folder, setting, plan, print).await?;
        rows.push(outcome.row(setting));
        broken.extend(outcome.broken(setting));
    }
    print(&format!("\n{}\n{}", Outcome::HEAD, rows.join("\n")));
    for what in &broken {
        print(&format!("FAILED: {what}"));
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(line: &str) {
    println!("{line}");
}
