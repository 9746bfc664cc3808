//! Configuration and start.

use std::{sync::Arc, time::Duration};

use custos_platform::{
    admin::Health,
    bus::{Bus, BusArgs},
    config::{AuthArgs, CommonArgs, ConfigError, TlsArgs, seconds},
    db::{self, DbArgs, outbox},
    facts::{FactArgs, FactLog},
    http::{
        auth::Authenticator,
        server::Server,
        tls::{Clients, Revocations},
    },
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
    let (revocations, ours) = watch::channel(Revocations::default());
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
    });
    check_health(&context.health, &stations.vault, &pool);
    db::migrate(&pool, &sqlx::migrate!(), SCHEMA).await?;
    outbox::spawn_relay("stations.outbox", pool, stations.relay.clone(), facts, &context.lifecycle);
    sweep.spawn(&context.lifecycle, &stations, |stations| async move { stations.publish().await });
    server.start(routes::routes(stations, authenticator, &context.meter));
    Ok(())
}

fn span(option: &str, seconds: Duration) -> Result<SignedDuration, ConfigError> {
    let year = SignedDuration::from_hours(24 * 366);
    let span = SignedDuration::try_from(seconds).ok().filter(|span| span.is_positive() && *span <= year);
    span.ok_or_else(|| ConfigError::new(option, "choose 1 second to a year"))
}

/// With the bus away stations enrol all the same; others hear of it later.
fn check_health(health: &Health, vault: &Vault, pool: &PgPool) {
    health.store(vault, &vault.buckets().intake);
    health.database(pool);
}
