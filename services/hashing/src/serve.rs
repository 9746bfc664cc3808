//! Configuration and start.

use std::sync::{Arc, LazyLock};

use custos_platform::{
    bus::{Bus, BusArgs},
    config::CommonArgs,
    facts::{FactArgs, FactLog},
    service::Context,
    signer::{Signer, SigningArgs},
    telemetry::meter,
    vault::{StoreArgs, Vault},
    worker,
};
use opentelemetry::metrics::Counter;

use crate::seal::Hashing;

static MISMATCHED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("custos_hashing_mismatches")
        .with_description("originals whose re-read differed from what was deposited; each pages somebody")
        .build()
});

/// Options of hashing.
#[derive(Debug, clap::Parser)]
#[command(about = "Re-reads every locked original and seals it with BLAKE3, SHA-256 and SM3")]
pub struct Args {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    bus: BusArgs,
    #[command(flatten)]
    facts: FactArgs,
    #[command(flatten)]
    signing: SigningArgs,
    /// Originals re-read at once; each takes about two cores.
    #[arg(long, env = "CUSTOS_HASHING_SLOTS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// Puts hashing together and starts it.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let Context { lifecycle, clock, health, .. } = context.clone();
    let vault = Vault::new(&args.store)?;
    let bus = Bus::connect(&args.bus, context.name).await?;
    let facts = FactLog::new(&args.facts, vault.clone(), bus.clone(), clock.clone(), lifecycle.clone());
    MISMATCHED.add(0, &[]);
    health.store(&vault, &vault.buckets().originals);
    health.bus(&bus);
    health.consumer(&bus);
    let hashing = Arc::new(Hashing { vault, facts, signer: Signer::load(&args.signing)?, clock });
    worker::spawn(&lifecycle, bus, "hashing", args.slots.into(), move |delivery| Arc::clone(&hashing).handle(delivery));
    Ok(())
}

/// Counts a mismatch.
pub(crate) fn mismatched() {
    MISMATCHED.add(1, &[]);
}
