//! Configuration and start.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use anyhow::Context as _;
use custos_platform::{
    bus::{Bus, BusArgs},
    config::CommonArgs,
    facts::{FactArgs, FactLog},
    service::Context,
    telemetry::meter,
    vault::{StoreArgs, Vault},
    worker,
};
use opentelemetry::{KeyValue, metrics::Counter};

use crate::{
    media::{Limits, Programs, Sandbox, rehearse},
    work::Transcode,
};

static DERIVED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("custos_transcode_derivations").with_description("derivations by outcome").build()
});

/// Options of transcode.
#[derive(Debug, clap::Parser)]
#[command(about = "Makes playback copies, storyboards and thumbnails, with FFmpeg in a sandbox")]
pub struct Args {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    bus: BusArgs,
    #[command(flatten)]
    facts: FactArgs,
    /// Folder for originals and derivatives under way; must hold the largest item and its copy for each slot.
    #[arg(long, env = "CUSTOS_SCRATCH")]
    scratch: PathBuf,
    /// Items worked on at once.
    #[arg(long, env = "CUSTOS_TRANSCODE_SLOTS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// Puts transcode together, proves the sandbox, rehearses, and starts.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let Context { lifecycle, clock, health, .. } = context.clone();
    let limits = Limits::default();
    std::fs::create_dir_all(&args.scratch)
        .with_context(|| format!("--scratch: cannot create {}", args.scratch.display()))?;
    clear(&args.scratch)?;
    let sandbox = Sandbox::probe(Programs::default(), &args.scratch).await.context("the sandbox does not hold here")?;
    rehearse(&sandbox, &limits, &args.scratch).await?;
    let vault = Vault::new(&args.store)?;
    let bus = Bus::connect(&args.bus, context.name).await?;
    let facts = FactLog::new(&args.facts, vault.clone(), bus.clone(), clock.clone(), lifecycle.clone());
    health.store(&vault, &vault.buckets().derived);
    health.bus(&bus);
    health.consumer(&bus);
    let transcode = Arc::new(Transcode { vault, facts, clock, sandbox, limits, scratch: args.scratch });
    worker::spawn(&lifecycle, bus, "transcode", args.slots.into(), move |delivery| {
        Arc::clone(&transcode).handle(delivery)
    });
    Ok(())
}

/// Counts a derivation.
pub(crate) fn derived(outcome: &str) {
    DERIVED.add(1, &[KeyValue::new("outcome", outcome.to_owned())]);
}

/// Removes what a killed process left behind; the scratch folder is this process's alone.
fn clear(scratch: &std::path::Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(scratch)? {
        let path = entry?.path();
        if path.is_dir() {
            std::fs::remove_dir_all(&path).with_context(|| format!("--scratch: cannot clear {}", path.display()))?;
        }
    }
    Ok(())
}
