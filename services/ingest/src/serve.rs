//! Configuration and start: what ingest needs, how its parts are put together.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use custos_domain::{outboard::PART, recorder::Rules};
use custos_platform::{
    bus::{Bus, BusArgs},
    clock::Clock,
    config::{CommonArgs, TlsArgs, seconds},
    facts::{FactArgs, FactLog},
    http::{server::Server, tls::Clients},
    policies::{self, PolicyArgs},
    service::Context,
    signer::{Signer, SigningArgs, Trust},
    sweep::Sweep,
    vault::{StoreArgs, StoreError, Vault},
};
use tokio::sync::Semaphore;

use crate::{
    Ingest,
    commit::Committer,
    error::IngestError,
    reconcile::Reconciler,
    register::{Register, RegisterError},
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
    bus: BusArgs,
    #[command(flatten)]
    facts: FactArgs,
    #[command(flatten)]
    policies: PolicyArgs,
    #[command(flatten)]
    signing: SigningArgs,
    /// File with the public keys whose seals and registers of stations count.
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
    /// Seconds between looks at the register of stations; a revocation works after at most this long.
    #[arg(long = "register-seconds", env = "CUSTOS_REGISTER_SECONDS", default_value = "10", value_parser = seconds)]
    register: Duration,
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
        register: Register::default(),
        names: Rules::built_in()?,
        store_clock: StoreClock::default(),
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
    reconcile(&ingest, args.reconcile);
    let clients = Clients { revocations: Some(ingest.register.revocations()), ..Clients::default() };
    let server = Server::bind_for(&args.tls, clients, &context).await?;
    first_register(&ingest).await;
    follow_register(&ingest, args.register);
    server.start(routes::routes(ingest, &context.meter));
    Ok(())
}

/// Waits until the store has said once which certificates are revoked: a restart must not forgive a revocation for a moment.
async fn first_register(ingest: &Ingest) {
    while let Err(error) = ingest.register.look(&ingest.vault, &ingest.trust.stations).await {
        tracing::warn!(%error, "the register of stations cannot be read");
        match error {
            RegisterError::Store(error) if !error.is_permanent() => tokio::time::sleep(Duration::from_secs(1)).await,
            _ => return,
        }
    }
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

/// Looks at the register of stations again and again; what it says counts at once, for running connections too.
fn follow_register(ingest: &Arc<Ingest>, every: Duration) {
    let ingest = Arc::clone(ingest);
    let lifecycle = ingest.lifecycle.clone();
    let soft = lifecycle.soft().clone();
    let sweep = Sweep::new("ingest.register", every);
    lifecycle.spawn("ingest.register", async move {
        sweep
            .run(soft, || async {
                let looked = ingest.register.look(&ingest.vault, &ingest.trust.stations).await;
                if let Some((sequence, issued_at)) = ingest.register.standing() {
                    crate::metrics::register(sequence, ingest.clock.now().duration_since(issued_at));
                }
                looked
            })
            .await;
        Ok(())
    });
}
