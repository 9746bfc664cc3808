//! Configuration and start: what ingest needs, how its parts are put together.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use custos_domain::recorder::Rules;
use custos_platform::{
    admin::Health,
    bus::{Bus, BusArgs},
    config::{CommonArgs, TlsArgs, seconds},
    facts::{FactArgs, FactLog},
    http::{server::Server, tls::Clients},
    policies::{self, PolicyArgs},
    service::Context,
    signer::{Signer, SigningArgs, Trust},
    sweep::Sweep,
    vault::{StoreArgs, Vault, probe::ProbeArgs, skew::StoreClock},
};

use crate::{
    Ingest,
    audit::Auditor,
    budget::Budget,
    committer::Committer,
    door::Door,
    lanes::Lanes,
    limits::{LoadArgs, UpkeepArgs},
    probe::{self, Gate},
    quota::Quotas,
    reap::Reaper,
    reconcile::Reconciler,
    register::{Register, RegisterError},
    routes,
    session::Sessions,
    takeover::Takeover,
};

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
    /// File with the public keys whose seals and registers of stations count.
    #[arg(long, env = "CUSTOS_TRUST_FILE")]
    trust_file: PathBuf,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    upkeep: UpkeepArgs,
    /// Seconds after the manifest before an erase permit may be given.
    #[arg(long, env = "CUSTOS_SETTLE_SECONDS", default_value = "120", value_parser = seconds)]
    settle: Duration,
    /// Seconds between rounds of the reconciler.
    #[arg(long = "reconcile-seconds", env = "CUSTOS_RECONCILE_SECONDS", default_value = "300", value_parser = seconds)]
    reconcile: Duration,
    /// Seconds between looks at the register of stations; a revocation works after at most this long.
    #[arg(long = "register-seconds", env = "CUSTOS_REGISTER_SECONDS", default_value = "10", value_parser = seconds)]
    register: Duration,
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
    let store_clock = StoreClock::watch("ingest.clock", vault.clone(), clock.clone(), &lifecycle);
    check_health(&health, &vault, &store_clock);
    let ingest = Arc::new(Ingest {
        sessions: Sessions::new(vault.clone()),
        facts,
        policies: policies::load(&args.policies)?,
        signer: Signer::load(&args.signing)?,
        trust: Trust::load(&args.trust_file)?,
        register: Register::default(),
        names: Rules::built_in()?,
        store_clock,
        store_mode: args.probe.store_mode,
        gate: Gate::default(),
        budget: Budget::new(args.load.parts()),
        door: Door::default(),
        lanes: Lanes::new(args.load.parts_at_once.into()),
        quotas: Quotas::new(args.load.quotas()),
        pace: args.load.pace(),
        takeover: Takeover::default(),
        commits: Committer::default(),
        settle: args.settle,
        vault,
        clock,
        lifecycle: lifecycle.clone(),
    });
    crate::metrics::begin();
    let clients = Clients { revocations: Some(ingest.register.revocations()), ..Clients::default() };
    let server = Server::bind_for(&args.tls, clients, &context).await?;
    let tried = health.latch("capability probe");
    let (prover, upkeep) = (Arc::clone(&ingest), args.upkeep);
    lifecycle.spawn("ingest.probe", async move {
        prover.lifecycle.soft().run_until_cancelled(Box::pin(first_register(&prover))).await;
        probe::until_fit(&prover, tried).await?;
        reconcile(&prover, args.reconcile);
        reap(&prover, &upkeep);
        audit(&prover, &upkeep);
        Ok(())
    });
    follow_register(&ingest, args.register);
    server.start(probe::gated(&ingest, routes::routes(Arc::clone(&ingest), &context.meter)));
    Ok(())
}

/// Waits until the store has said once which certificates are revoked: a restart must not forgive a revocation for a moment, nor
/// may somebody who puts a register there that nobody signed.
async fn first_register(ingest: &Ingest) {
    while let Err(error) = ingest.register.look(&ingest.vault, &ingest.trust.stations).await {
        tracing::warn!(%error, "the register of stations cannot be read");
        if matches!(&error, RegisterError::Store(error) if error.is_permanent()) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The store and its clock only: with NATS or PostgreSQL away docks go on uploading.
fn check_health(health: &Health, vault: &Vault, store_clock: &StoreClock) {
    health.store(vault, &vault.buckets().intake);
    let store_clock = store_clock.clone();
    health.check("clock", move || std::future::ready(store_clock.check().map_err(Into::into)));
}

fn reconcile(ingest: &Arc<Ingest>, every: Duration) {
    let reconciler = Arc::new(Reconciler::default());
    Sweep::new("ingest.reconcile", every).spawn(&ingest.lifecycle, ingest, move |ingest| {
        let reconciler = Arc::clone(&reconciler);
        async move { reconciler.round(&ingest).await.map(|finished| tracing::debug!(finished, "reconciled")) }
    });
}

fn reap(ingest: &Arc<Ingest>, upkeep: &UpkeepArgs) {
    let (ingest, reaper) = (Arc::clone(ingest), Arc::new(Reaper::new(upkeep.terms())));
    let (lifecycle, soft) = (ingest.lifecycle.clone(), ingest.lifecycle.soft().clone());
    let sweep = Sweep::new("ingest.reap", upkeep.reap_every);
    lifecycle.spawn("ingest.reap", async move {
        // A round may stop anywhere.
        let round = || async {
            let round = Box::pin(reaper.round(&ingest));
            soft.run_until_cancelled(round).await.unwrap_or(Ok(()))
        };
        sweep.run(soft.clone(), round).await;
        Ok(())
    });
}

fn audit(ingest: &Arc<Ingest>, upkeep: &UpkeepArgs) {
    let auditor = Arc::new(Auditor::new(upkeep.audit_grace, upkeep.audit_pages));
    let ingest = Arc::clone(ingest);
    let (lifecycle, soft) = (ingest.lifecycle.clone(), ingest.lifecycle.soft().clone());
    let sweep = Sweep::new("ingest.audit", upkeep.audit_every);
    lifecycle.spawn("ingest.audit", async move {
        let round = || async {
            let round = Box::pin(auditor.round(&ingest));
            soft.run_until_cancelled(round).await.unwrap_or(Ok(()))
        };
        sweep.run(soft.clone(), round).await;
        Ok(())
    });
}

/// Looks at the register of stations again and again; what it says counts at once, for running connections too.
fn follow_register(ingest: &Arc<Ingest>, every: Duration) {
    Sweep::new("ingest.register", every).spawn(&ingest.lifecycle, ingest, |ingest| async move {
        let looked = ingest.register.look(&ingest.vault, &ingest.trust.stations).await;
        if let Some((sequence, issued_at)) = ingest.register.standing() {
            crate::metrics::register(sequence, ingest.clock.now().duration_since(issued_at));
        }
        looked
    });
}
