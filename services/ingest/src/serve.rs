//! Configuration and start: what ingest needs, how its parts are put together.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use custos_domain::outboard::PART;
use custos_platform::{
    bus::{Bus, BusArgs},
    clock::Clock,
    config::{CommonArgs, TlsArgs, seconds},
    facts::{FactArgs, FactLog},
    http::server::Server,
    policies::{self, PolicyArgs},
    service::Context,
    signer::{Signer, SigningArgs, Trust},
    sweep::Sweep,
    vault::{StoreArgs, StoreError, Vault, probe::ProbeArgs},
};
use tokio::sync::Semaphore;

use crate::{
    Ingest,
    commit::Committer,
    error::IngestError,
    probe::{self, Gate},
    reconcile::Reconciler,
    routes,
    session::Sessions,
    takeover::Takeover,
};

/// The clocks of ingest and the store may differ by this much before nothing is locked any more, in milliseconds. The store's
/// `Date` has whole seconds only, so up to one of these is rounding.
const MAX_SKEW_MS: i64 = 5_000;

/// Options of ingest.
#[derive(Debug, clap::Parser)]
#[command(about = "Takes footage in: checks, locks, describes and receipts it")]
pub struct Args {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    probe: ProbeArgs,
    #[command(flatten)]
    bus: BusArgs,
    #[command(flatten)]
    facts: FactArgs,
    #[command(flatten)]
    policies: PolicyArgs,
    #[command(flatten)]
    signing: SigningArgs,
    /// File with the public keys whose seals count.
    #[arg(long, env = "CUSTOS_TRUST_FILE")]
    trust_file: PathBuf,
    /// Memory for parts under way, in MiB; uploads beyond it wait or are told to come back.
    #[arg(long, env = "CUSTOS_PART_BUDGET_MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=65_536))]
    part_budget_mib: u32,
    /// Seconds after the manifest before an erase permit may be given.
    #[arg(long, env = "CUSTOS_SETTLE_SECONDS", default_value = "120", value_parser = seconds)]
    settle: Duration,
    /// Seconds between rounds of the reconciler.
    #[arg(long = "reconcile-seconds", env = "CUSTOS_RECONCILE_SECONDS", default_value = "300", value_parser = seconds)]
    reconcile: Duration,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else it can do, beside the running service or without one.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum Command {
    /// Try what the store is capable of and print a table; fails when something mandatory is missing
    Probe(probe::How),
}

impl Args {
    /// What else it was asked to do.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        self.command
    }

    /// The same options for a command: any free admin port, since the service with these options has its own.
    #[must_use]
    pub fn beside_the_service(mut self) -> Self {
        self.common.admin_listen = SocketAddr::new(self.common.admin_listen.ip(), 0);
        self
    }

    pub(crate) fn store(&self) -> &StoreArgs {
        &self.store
    }

    pub(crate) fn probe(&self) -> &ProbeArgs {
        &self.probe
    }
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// Puts ingest together and starts it.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let Context { lifecycle, clock, health, .. } = context.clone();
    let vault = Vault::new(&args.store)?;
    let bus = Bus::connect(&args.bus, context.name).await?;
    let facts = FactLog::new(&args.facts, vault.clone(), bus, clock.clone(), lifecycle.clone());
    let permits = u64::from(args.part_budget_mib) * (1 << 20) / PART;
    let ingest = Arc::new(Ingest {
        sessions: Sessions::new(vault.clone()),
        facts,
        policies: policies::load(&args.policies)?,
        signer: Signer::load(&args.signing)?,
        trust: Trust::load(&args.trust_file)?,
        store_clock: StoreClock::default(),
        store_mode: args.probe.store_mode,
        gate: Gate::default(),
        budget: Arc::new(Semaphore::new(usize::try_from(permits)?)),
        takeover: Takeover::default(),
        commits: Committer::default(),
        settle: args.settle,
        vault,
        clock,
        lifecycle: lifecycle.clone(),
    });
    crate::metrics::begin();
    watch_clock(&ingest);
    let asked = Arc::clone(&ingest);
    // The store only: with NATS or PostgreSQL away docks go on uploading.
    health.check("store", move || {
        let ingest = Arc::clone(&asked);
        async move {
            ingest.vault.reachable(&ingest.vault.buckets().intake).await?;
            Ok(ingest.store_clock.check()?)
        }
    });
    let server = Server::bind(&args.tls, &context).await?;
    let tried = health.latch("capability probe");
    let prover = Arc::clone(&ingest);
    lifecycle.spawn("ingest.probe", async move {
        probe::until_fit(&prover, tried).await?;
        reconcile(&prover, args.reconcile);
        Ok(())
    });
    server.start(probe::gated(&ingest, routes::routes(Arc::clone(&ingest), &context.meter)));
    Ok(())
}

/// How far our clock is from the store's; measured every few seconds.
#[derive(Debug)]
pub(crate) struct StoreClock {
    skew_ms: AtomicI64,
}

impl Default for StoreClock {
    /// Not measured yet is as bad as wrong.
    fn default() -> Self {
        Self { skew_ms: AtomicI64::new(i64::MAX) }
    }
}

impl StoreClock {
    /// Refuses while the clocks disagree: a lock date computed from a wrong clock can be too short, or for ever too long.
    pub(crate) fn check(&self) -> Result<(), IngestError> {
        match self.skew_ms.load(Ordering::Relaxed) {
            i64::MAX => Err(IngestError::ClockUnknown),
            skew if skew.abs() > MAX_SKEW_MS => Err(IngestError::Clock(skew / 1000)),
            _ => Ok(()),
        }
    }

    async fn measure(&self, vault: &Vault, clock: &Clock) -> Result<(), StoreError> {
        let before = clock.now();
        let store = vault.clock().await?;
        let after = clock.now();
        // The store's second lies between our two readings, give or take its rounding down.
        let early = store.duration_since(before).as_millis() + 1000;
        let late = store.duration_since(after).as_millis();
        let skew = if early < 0 { early } else { late.max(0) };
        self.skew_ms.store(i64::try_from(skew).unwrap_or(i64::MAX - 1), Ordering::Relaxed);
        Ok(())
    }
}

fn watch_clock(ingest: &Arc<Ingest>) {
    let ingest = Arc::clone(ingest);
    ingest.lifecycle.clone().spawn("ingest.clock", async move {
        while !ingest.lifecycle.is_draining() {
            if let Err(error) = ingest.store_clock.measure(&ingest.vault, &ingest.clock).await {
                tracing::warn!(error = %error, "the store's clock could not be read");
            }
            let known = ingest.store_clock.check().is_ok();
            let pause = Duration::from_secs(if known { 10 } else { 1 });
            ingest.lifecycle.soft().run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        Ok(())
    });
}

fn reconcile(ingest: &Arc<Ingest>, every: Duration) {
    let (ingest, reconciler) = (Arc::clone(ingest), Arc::new(Reconciler::default()));
    let lifecycle = ingest.lifecycle.clone();
    let soft = lifecycle.soft().clone();
    let sweep = Sweep::new("ingest.reconcile", every);
    lifecycle.spawn("ingest.reconcile", async move {
        sweep
            .run(soft, || async {
                reconciler.round(&ingest).await.map(|finished| tracing::debug!(finished, "reconciled"))
            })
            .await;
        Ok(())
    });
}
