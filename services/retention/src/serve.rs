//! Configuration and start.

use std::{sync::Arc, time::Duration};

use custos_platform::{
    admin::Health,
    bus::{Bus, BusArgs},
    config::{AuthArgs, CommonArgs, TlsArgs, seconds},
    db::{self, DbArgs, outbox},
    facts::{FactArgs, FactLog},
    http::{auth::Authenticator, server::Server},
    policies::{self, PolicyArgs},
    service::Context,
    sweep::{Sweep, Trigger},
    vault::{StoreArgs, Vault, probe::ProbeArgs},
    worker,
};
use sqlx::PgPool;

use crate::{Retention, audit::Walk, history::History, ledger::Ledger, metrics, routes};

/// The schema retention owns.
const SCHEMA: &str = "retention";
/// How often the auditor asks whose time has come.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Options of retention.
#[derive(Debug, clap::Parser)]
#[command(about = "Sets and extends locks by the tenants' policies, and reads them again for ever")]
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
    probe: ProbeArgs,
    #[command(flatten)]
    bus: BusArgs,
    #[command(flatten)]
    facts: FactArgs,
    #[command(flatten)]
    database: DbArgs,
    #[command(flatten)]
    policies: PolicyArgs,
    /// Announcements acted on at once.
    #[arg(long, env = "CUSTOS_RETENTION_SLOTS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Seconds after an extension before it is read back a second time.
    #[arg(long, env = "CUSTOS_SETTLE_SECONDS", default_value = "120", value_parser = seconds)]
    settle: Duration,
    /// Seconds until a lock that is in order is read again, and between walks over the manifests.
    #[arg(long = "audit-seconds", env = "CUSTOS_AUDIT_SECONDS", default_value = "3600", value_parser = seconds)]
    audit: Duration,
    /// Seconds between probes of what the store is capable of.
    #[arg(long = "probe-seconds", env = "CUSTOS_PROBE_SECONDS", default_value = "86400", value_parser = seconds)]
    probe_every: Duration,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// Puts retention together and starts it.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let Context { lifecycle, clock, health, .. } = context.clone();
    let vault = Vault::new(&args.store)?;
    let policies = policies::load(&args.policies)?;
    let pool = db::connect(&args.database, context.name, SCHEMA)?;
    let server = Server::bind(&args.tls, &context).await?;
    let authenticator = Authenticator::start(&args.auth, &context).await?;
    let bus = Bus::connect(&args.bus, context.name).await?;
    let facts = FactLog::new(&args.facts, vault.clone(), bus.clone(), clock.clone(), lifecycle.clone());
    metrics::begin();
    check_health(&health, &vault, &pool, &bus);
    db::migrate(&pool, &sqlx::migrate!(), SCHEMA).await?;
    let retention = Arc::new(Retention {
        history: History::new(facts.clone()),
        ledger: Ledger::new(pool.clone()),
        relay: Trigger::default(),
        walk: Walk::default(),
        settle: args.settle,
        audit_every: args.audit,
        store_mode: args.probe.store_mode,
        vault,
        facts,
        policies,
        clock,
        lifecycle,
    });
    let (relay, facts) = (retention.relay.clone(), retention.facts.clone());
    outbox::spawn_relay("retention.outbox", pool, relay, facts, &context.lifecycle);
    start_sweeps(&retention, args.probe_every);
    let handler = Arc::clone(&retention);
    worker::spawn(&context.lifecycle, bus, "retention", args.slots.into(), move |delivery| {
        Arc::clone(&handler).handle(delivery)
    });
    server.start(routes::routes(retention, authenticator, &context.meter));
    Ok(())
}

/// With the bus away items are still looked at, and people still answered; but somebody must have made our place on it.
fn check_health(health: &Health, vault: &Vault, pool: &PgPool, bus: &Bus) {
    health.store(vault, &vault.buckets().originals);
    health.database(pool);
    health.consumer(bus);
}

fn start_sweeps(retention: &Arc<Retention>, probe_every: Duration) {
    let look_every = LOOK_EVERY.min(retention.audit_every).min(retention.settle.max(Duration::from_secs(1)));
    Sweep::new("retention.audit", look_every)
        .spawn(&retention.lifecycle, retention, |retention| async move { retention.audit().await });
    Sweep::new("retention.walk", retention.audit_every).spawn(
        &retention.lifecycle,
        retention,
        |retention| async move { retention.walk().await },
    );
    Sweep::new("retention.probe", probe_every)
        .spawn(&retention.lifecycle, retention, |retention| async move { retention.probe_store().await });
}
