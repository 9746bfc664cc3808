//! What `deploy/local/up` does, from the first server to the last line a person reads.

use std::time::Instant;

use anyhow::Context;
use custos_platform::clock::Clock;
use walkdir::WalkDir;

use crate::{config::StackConfig, report, sample, seeds, seeds::Station, stack::Stack, state::State, steps::Steps};

/// How much is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Our services, or only the servers they need.
    pub services: bool,
    /// The sample recorders docked.
    pub sample: bool,
}

/// Starts the stack, docks the sample recorders and shows what became of their files.
pub async fn run(config: StackConfig, clock: Clock, wanted: Wanted) -> anyhow::Result<()> {
    let started = Instant::now();
    let config = if wanted.services { config } else { config.with_services(&[]) };
    let steps = Steps::Told;
    let stack = Box::pin(Stack::up(config, clock, steps)).await?;
    if wanted.sample {
        let docked = dock_samples(&stack, steps).await?;
        report::show(&stack, &docked, steps).await?;
    }
    where_to_look(&stack, wanted, steps);
    steps.tell(&format!("up in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// Docks at every station the recorder of its agency, once in the life of a stack. Returns how many files each holds.
async fn dock_samples(stack: &Stack, steps: Steps) -> anyhow::Result<Vec<(Station, usize)>> {
    let mut state = State::load(&stack.folders)?.context("a started stack has its state on disk")?;
    let mut docked = Vec::new();
    for station in seeds::stations()? {
        let id = station.id.as_str();
        let recorder = sample::recorder(&stack.config.samples, station.tenant.as_str(), stack.clock.now()).await?;
        if !state.docked.contains(id) {
            let dock = async {
                let files = stack.push(&station, &recorder).await?;
                anyhow::Ok(((), format!("{} files handed in", files.len())))
            };
            steps.run(id, dock).await.with_context(|| format!("docking the sample recorder {}", recorder.display()))?;
            state.docked.insert(id.to_owned());
            state.save(&stack.folders)?;
        }
        docked.push((station, media_files(&recorder)));
    }
    Ok(docked)
}

/// Files of a sample recorder that are items: all but what it says of itself.
fn media_files(recorder: &std::path::Path) -> usize {
    let files = WalkDir::new(recorder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.filter(|entry| entry.path().extension().is_none_or(|extension| extension != "json")).count()
}

fn where_to_look(stack: &Stack, wanted: Wanted, steps: Steps) {
    steps.tell(&format!("\nnext:\n  source {}", stack.folders.environment().display()));
    if wanted.services {
        let token = "Authorization: Bearer $(deploy/local/token e-auditor)";
        steps.tell(&format!("  curl --cacert \"$CUSTOS_CA\" -H \"{token}\" \"$CUSTOS_RECORDS_URL/v1/items\""));
    }
    steps.tell("  deploy/local/status, deploy/local/down; more in deploy/local/README.md");
}
