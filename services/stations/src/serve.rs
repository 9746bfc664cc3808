//! Configuration and start.

use std::{sync::Arc, time::Duration};

use custos_platform::{
    bus::{Bus, BusArgs},
    config::{AuthArgs, CommonArgs, ConfigError, TlsArgs, seconds},
    db::{self, DbArgs},
    facts::{FactArgs, FactLog},
    http::{auth::Authenticator, server::Server, tls::Clients},
    service::Context,
    signer::{Signer, SigningArgs},
    sweep::{Sweep, Trigger},
    vault::{StoreArgs, Vault},
};
use jiff::SignedDuration;
use sqlx::PgPool;
use tokio::sync::watch;

use crate::{
    Stations,
    attempts::Attempts,
    authority::{Authority, AuthorityArgs},
    ledger::Ledger,
    metrics, routes,
};

/// The schema it owns.
const SCHEMA: &str = "stations";
/// How often the publisher looks without being told; another replica's decisions are found this way.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Options of stations.
#[derive(Debug, clap::Parser)]
#[command(about = "Keeps the register of stations and signs their certificates")]
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
    signing: SigningArgs,
    #[command(flatten)]
    authority: AuthorityArgs,
    /// Seconds for which a station's certificate is good; a dock renews it when a third of them is left.
    #[arg(long = "certificate-seconds", env = "CUSTOS_CERTIFICATE_SECONDS", default_value = "604800", value_parser = seconds)]
    lifetime: Duration,
    /// Seconds for which a one-time code is good.
    #[arg(long = "code-seconds", env = "CUSTOS_CODE_SECONDS", default_value = "86400", value_parser = seconds)]
    code_lifetime: Duration,
    /// Seconds after which the register in the store is signed anew even if nothing has changed.
    #[arg(long = "resign-seconds", env = "CUSTOS_REGISTER_RESIGN_SECONDS", default_value = "3600", value_parser = seconds)]
    fresh: Duration,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// Puts the service together and starts it.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let Context { lifecycle, clock, .. } = context.clone();
    let (revocations, ours) = watch::channel(None);
    // A dock without a certificate enrols, one with a certificate renews it.
    let clients = Clients { optional: true, revocations: Some(ours) };
    if args.tls.client_ca.is_none() {
        return Err(ConfigError::new("--client-ca", "name the authorities whose stations may renew").into());
    }
    let server = Server::bind_for(&args.tls, clients, &context).await?;
    let authenticator = Authenticator::start(&args.auth, &context).await?;
    let vault = Vault::new(&args.store)?;
    let pool = db::connect(&args.database, context.name, SCHEMA)?;
    let bus = Bus::connect(&args.bus, context.name).await?;
    let facts = FactLog::new(&args.facts, vault.clone(), bus, clock.clone(), lifecycle.clone());
    let sweep = Sweep::new("stations.publish", LOOK_EVERY);
    let authority = Authority::load(&args.authority)?;
    metrics::begin(authority.until());
    let stations = Arc::new(Stations {
        ledger: Ledger::new(pool.clone()),
        authority,
        signer: Signer::load(&args.signing)?,
        attempts: Attempts::default(),
        relay: Trigger::default(),
        publisher: sweep.trigger(),
        revocations,
        lifetime: span("--certificate-seconds", args.lifetime)?,
        code_lifetime: span("--code-seconds", args.code_lifetime)?,
        fresh: span("--resign-seconds", args.fresh)?,
        vault,
        clock,
        lifecycle,
    });
    check_health(&context, stations.vault.clone(), pool.clone());
    db::migrate(&pool, &sqlx::migrate!(), SCHEMA).await?;
    stations.start_relay(pool, facts);
    stations.start_publisher(sweep);
    server.start(routes::routes(stations, authenticator, &context.meter));
    Ok(())
}

fn span(option: &str, seconds: Duration) -> Result<SignedDuration, ConfigError> {
    let year = SignedDuration::from_hours(24 * 366);
    let span = SignedDuration::try_from(seconds).ok().filter(|span| span.is_positive() && *span <= year);
    span.ok_or_else(|| ConfigError::new(option, "choose 1 second to a year"))
}

/// With the bus away stations enrol all the same; others hear of it later.
fn check_health(context: &Context, vault: Vault, pool: PgPool) {
    context.health.check("store", move || {
        let vault = vault.clone();
        async move { Ok(vault.reachable(&vault.buckets().intake).await?) }
    });
    context.health.check("database", move || {
        let pool = pool.clone();
        async move { Ok(sqlx::query("SELECT 1").execute(&pool).await.map(drop)?) }
    });
}

impl Stations {
    fn start_relay(self: &Arc<Self>, pool: PgPool, facts: FactLog) {
        let (soft, relay) = (self.lifecycle.soft().clone(), self.relay.clone());
        self.lifecycle.spawn("stations.outbox", async move {
            let state = |fact| {
                let facts = facts.clone();
                async move { facts.state_and_announce(&fact).await.map(drop) }
            };
            db::outbox::relay(pool, relay, soft, state).await;
            Ok(())
        });
    }

    fn start_publisher(self: &Arc<Self>, sweep: Sweep) {
        let (stations, soft) = (Arc::clone(self), self.lifecycle.soft().clone());
        self.lifecycle.spawn("stations.publish", async move {
            sweep.run(soft, || stations.publish()).await;
            Ok(())
        });
    }
}
