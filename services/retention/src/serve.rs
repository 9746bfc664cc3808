//! Configuration and start.

use std::{sync::Arc, time::Duration};

use custos_platform::{
    bus::{Bus, BusArgs},
    config::{AuthArgs, CommonArgs, TlsArgs, seconds},
    db::{self, DbArgs},
    facts::{FactArgs, FactLog},
    http::{auth::Authenticator, server::Server},
    policies::{self, PolicyArgs},
    service::Context,
    sweep::{Sweep, Trigger},
    vault::{StoreArgs, Vault},
    worker,
};

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
    health.check("store", {
        let vault = vault.clone();
        move || {
            let vault = vault.clone();
            async move { Ok(vault.reachable(&vault.buckets().originals).await?) }
        }
    });
    health.check("database", {
        let pool = pool.clone();
        move || {
            let pool = pool.clone();
            async move { Ok(sqlx::query("SELECT 1").execute(&pool).await.map(drop)?) }
        }
    });
    db::migrate(&pool, &sqlx::migrate!(), SCHEMA).await?;
    let retention = Arc::new(Retention {
        history: History::new(facts.clone()),
        ledger: Ledger::new(pool.clone()),
        relay: Trigger::default(),
        walk: Walk::default(),
        settle: args.settle,
        audit_every: args.audit,
        vault,
        facts,
        policies,
        clock,
        lifecycle,
    });
    retention.start_relay(pool);
    retention.start_sweeps();
    let handler = Arc::clone(&retention);
    worker::spawn(&context.lifecycle, bus, "retention", args.slots.into(), move |delivery| {
        Arc::clone(&handler).handle(delivery)
    });
    server.start(routes::routes(retention, authenticator, &context.meter));
    Ok(())
}

impl Retention {
    fn start_relay(self: &Arc<Self>, pool: sqlx::PgPool) {
        let (soft, relay, facts) = (self.lifecycle.soft().clone(), self.relay.clone(), self.facts.clone());
        self.lifecycle.spawn("retention.outbox", async move {
            let state = |fact| {
                let facts = facts.clone();
                async move { facts.state_and_announce(&fact).await.map(drop) }
            };
            db::outbox::relay(pool, relay, soft, state).await;
            Ok(())
        });
    }

    fn start_sweeps(self: &Arc<Self>) {
        let (retention, soft) = (Arc::clone(self), self.lifecycle.soft().clone());
        let audit = Sweep::new(
            "retention.audit",
            LOOK_EVERY.min(self.audit_every).min(self.settle.max(Duration::from_secs(1))),
        );
        self.lifecycle.spawn("retention.audit", async move {
            audit.run(soft, || retention.audit()).await;
            Ok(())
        });
        let (retention, soft) = (Arc::clone(self), self.lifecycle.soft().clone());
        let walk = Sweep::new("retention.walk", self.audit_every);
        self.lifecycle.spawn("retention.walk", async move {
            walk.run(soft, || retention.walk()).await;
            Ok(())
        });
    }
}
