//! Configuration and start.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use custos_platform::{
    bus::{Bus, BusArgs, topology::ACK_WAIT},
    config::{CommonArgs, seconds},
    facts::{FactArgs, FactLog},
    service::Context,
    signer::{Signer, SigningArgs, Trust},
    telemetry::meter,
    vault::{StoreArgs, Vault},
    worker,
};
use opentelemetry::metrics::Counter;

use crate::seal::{Hashing, SecondLook};

static MISMATCHED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("custos_hashing_mismatches")
        .with_description("originals whose re-read differed from what was deposited; each pages somebody")
        .build()
});

static MISREAD: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("custos_hashing_misreads")
        .with_description(
            "re-reads that differed while the next of the same version did not; the way to the store is not sound",
        )
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
    /// File with the public keys whose seals count, those this service signed with before among them; without it only the
    /// present key's.
    #[arg(long, env = "CUSTOS_TRUST_FILE")]
    trust_file: Option<PathBuf>,
    /// Seconds after which a re-read that did not agree is repeated, before a mismatch is written. Less than the bus's patience.
    #[arg(long = "second-look-seconds", env = "CUSTOS_SECOND_LOOK_SECONDS", default_value = "10", value_parser = seconds)]
    second_look: Duration,
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
    let signer = Signer::load(&args.signing)?;
    let mut seal_keys = vec![signer.id()];
    if let Some(file) = &args.trust_file {
        seal_keys.extend(Trust::load(file)?.seal);
    }
    MISMATCHED.add(0, &[]);
    MISREAD.add(0, &[]);
    health.store(&vault, &vault.buckets().originals);
    health.bus(&bus);
    health.consumer(&bus);
    let second_look = SecondLook { store: args.store, after: args.second_look.min(ACK_WAIT / 2) };
    let hashing = Arc::new(Hashing { vault, facts, signer, seal_keys, second_look, clock });
    worker::spawn(&lifecycle, bus, "hashing", args.slots.into(), move |delivery| Arc::clone(&hashing).handle(delivery));
    Ok(())
}

/// Counts a re-read that was wrong for a moment.
pub(crate) fn misread() {
    MISREAD.add(1, &[]);
}

/// Counts a mismatch.
pub(crate) fn mismatched() {
    MISMATCHED.add(1, &[]);
}
