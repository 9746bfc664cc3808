//! Configuration and start.

use std::{process::ExitCode, sync::Arc, time::Duration};

use custos_platform::{
    admin::Health,
    bus::{Bus, BusArgs},
    config::{AuthArgs, CommonArgs, TlsArgs, seconds},
    db::{self, DbArgs, outbox},
    facts::{FactArgs, FactLog},
    http::{auth::Authenticator, server::Server},
    policies::{self, PolicyArgs},
    service::{self, Context},
    sweep::{Sweep, Trigger},
    vault::{StoreArgs, Vault},
    worker,
};
use sqlx::PgPool;

use crate::{LegalHold, ledger::Ledger, metrics, routes};

/// The service's name.
const NAME: &str = "custos-legal-hold";
/// The schema it owns.
const SCHEMA: &str = "legal_hold";
/// How often the reconciler looks without being told; another replica's decisions are found this way.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Options of legal-hold.
#[derive(Debug, clap::Parser)]
#[command(about = "Places, confirms and releases holds, and keeps them in the store")]
pub struct Args {
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    auth: AuthArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    bus: BusArgs,
    #[command(flatten)]
    facts: FactArgs,
    #[command(flatten)]
    database: DbArgs,
    #[command(flatten)]
    policies: PolicyArgs,
    /// Announcements acted on at once.
    #[arg(long, env = "CUSTOS_LEGAL_HOLD_SLOTS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Seconds after a hold was applied before it is read back a second time.
    #[arg(long, env = "CUSTOS_SETTLE_SECONDS", default_value = "120", value_parser = seconds)]
    settle: Duration,
    /// Seconds until a hold that is in order is read again.
    #[arg(long = "audit-seconds", env = "CUSTOS_AUDIT_SECONDS", default_value = "3600", value_parser = seconds)]
    audit: Duration,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do other than serve.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Fills an empty or restored database from the custody log, and ends
    Rebuild,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    match service::parse::<Args>(NAME) {
        Ok(args) if matches!(args.command, Some(Command::Rebuild)) => service::run_once(NAME, args, rebuild),
        Ok(args) => service::start(NAME, args, serve),
        Err(code) => code,
    }
}

/// Puts legal-hold together and starts it.
async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let server = Server::bind(&args.tls, &context).await?;
    let authenticator = Authenticator::start(&args.auth, &context).await?;
    let sweep = Sweep::new("legal_hold.reconcile", LOOK_EVERY);
    let (service, pool, bus) = assemble(&args, &context, sweep.trigger()).await?;
    metrics::begin();
    check_health(&context.health, &service.vault, &pool, &bus);
    db::migrate(&pool, &sqlx::migrate!(), SCHEMA).await?;
    let (relay, facts) = (service.relay.clone(), service.facts.clone());
    outbox::spawn_relay("legal_hold.outbox", pool, relay, facts, &context.lifecycle);
    sweep.spawn(&context.lifecycle, &service, |service| async move { service.reconcile().await });
    let handler = Arc::clone(&service);
    worker::spawn(&context.lifecycle, bus, "legal-hold", args.slots.into(), move |delivery| {
        Arc::clone(&handler).handle(delivery)
    });
    server.start(routes::routes(service, authenticator, &context.meter));
    Ok(())
}

async fn rebuild(args: Args, context: Context) -> anyhow::Result<()> {
    let (service, pool, _) = assemble(&args, &context, Trigger::default()).await?;
    db::migrate(&pool, &sqlx::migrate!(), SCHEMA).await?;
    let recovered = service.rebuild().await?;
    tracing::info!(recovered, "rebuilt from the custody log");
    Ok(())
}

async fn assemble(
    args: &Args,
    context: &Context,
    reconciler: Trigger,
) -> anyhow::Result<(Arc<LegalHold>, PgPool, Bus)> {
    let Context { lifecycle, clock, .. } = context.clone();
    let vault = Vault::new(&args.store)?;
    let pool = db::connect(&args.database, context.name, SCHEMA)?;
    let bus = Bus::connect(&args.bus, context.name).await?;
    let service = Arc::new(LegalHold {
        facts: FactLog::new(&args.facts, vault.clone(), bus.clone(), clock.clone(), lifecycle.clone()),
        ledger: Ledger::new(pool.clone()),
        relay: Trigger::default(),
        reconciler,
        policies: policies::load(&args.policies)?,
        settle: args.settle,
        audit_every: args.audit,
        vault,
        clock,
        lifecycle,
    });
    Ok((service, pool, bus))
}

/// With the bus away holds are still placed and applied; others hear of them later. But somebody must have made our place on it.
fn check_health(health: &Health, vault: &Vault, pool: &PgPool, bus: &Bus) {
    health.store(vault, &vault.buckets().originals);
    health.database(pool);
    health.consumer(bus);
}
