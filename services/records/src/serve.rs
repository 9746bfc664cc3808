//! Configuration and start.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use custos_platform::{
    admin::Health,
    bus::{Bus, BusArgs},
    config::{AuthArgs, CommonArgs, TlsArgs, seconds},
    db::{self, DbArgs},
    facts::{FactArgs, FactLog},
    http::{auth::Authenticator, server::Server},
    service::Context,
    sweep::Sweep,
    vault::{StoreArgs, Vault},
    worker,
};
use sqlx::migrate::Migrator;

use crate::{
    Records, SCHEMA, api, catalogue::Catalogue, fingerprint, index::Indexer, metrics, rebuild, reconcile::Reconciler,
};

/// The schema, as SQL.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!();

/// Options of records.
#[derive(Debug, clap::Parser)]
#[command(about = "The catalogue: search, custody timelines, why an item is kept; rebuilt from the store alone")]
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
    /// Announcements acted on at once.
    #[arg(long, env = "CUSTOS_RECORDS_SLOTS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Seconds between rounds of the reconciler.
    #[arg(long = "reconcile-seconds", env = "CUSTOS_RECONCILE_SECONDS", default_value = "300", value_parser = seconds)]
    reconcile: Duration,
    /// Pages of a thousand keys that one round walks at most, of each of its walks; the next round goes on there.
    #[arg(long, env = "CUSTOS_RECONCILE_PAGES", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    reconcile_pages: u16,
    /// Seconds after which a step that has not followed is announced again, first; then at growing intervals. Longer than the two
    /// minutes in which the bus takes a repetition for the same message.
    #[arg(long = "patience-seconds", env = "CUSTOS_PATIENCE_SECONDS", default_value = "150", value_parser = seconds)]
    patience: Duration,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else it can do, beside the running service or without one.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum Command {
    /// Make every row again from the store alone
    Rebuild(rebuild::Mode),
    /// Print a digest of every table, to compare two catalogues
    Fingerprint(fingerprint::How),
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
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

    pub(crate) fn database(&self) -> &DbArgs {
        &self.database
    }
}

/// Puts records together and starts it. Without the database the API answers 503 and announcements wait; without the bus the
/// reconciler still brings everything in.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let Context { lifecycle, clock, .. } = context.clone();
    let vault = Vault::new(&args.store)?;
    let pool = db::connect(&args.database, context.name, SCHEMA)?;
    let catalogue = Catalogue::new(pool.clone());
    let server = Server::bind(&args.tls, &context).await?;
    let authenticator = Authenticator::start(&args.auth, &context).await?;
    let bus = Bus::connect(&args.bus, context.name).await?;
    let facts = FactLog::new(&args.facts, vault.clone(), bus.clone(), clock.clone(), lifecycle.clone());
    metrics::begin();
    check_health(&context.health, &vault, &catalogue, &bus);
    db::migrate(&pool, &MIGRATIONS, SCHEMA).await?;
    let records =
        Arc::new(Records { indexer: Indexer::new(vault.clone(), catalogue.clone()), vault, catalogue, facts, clock });
    let reconciler = Reconciler::new(Arc::clone(&records), pool, args.reconcile_pages, args.patience);
    start_reconciler(&context, reconciler, args.reconcile);
    let follower = Arc::clone(&records);
    worker::spawn(&lifecycle, bus, "records", args.slots.into(), move |delivery| {
        Arc::clone(&follower).follow(delivery)
    });
    server.start(api::routes(records, authenticator, &context.meter));
    Ok(())
}

/// Database and store: an answer needs its rows, and its reader written down. Of the bus, which only brings news, no more than
/// that somebody made our place on it.
fn check_health(health: &Health, vault: &Vault, catalogue: &Catalogue, bus: &Bus) {
    health.store(vault, &vault.buckets().log);
    let catalogue = catalogue.clone();
    // Its tables, too: the reconciler makes them again when somebody dropped them.
    health.check("database", move || {
        let catalogue = catalogue.clone();
        async move { Ok(catalogue.reachable().await?) }
    });
    health.consumer(bus);
}

fn start_reconciler(context: &Context, reconciler: Reconciler, every: Duration) {
    let soft = context.lifecycle.soft().clone();
    Sweep::new("records.reconcile", every).spawn(&context.lifecycle, &Arc::new(reconciler), move |reconciler| {
        let soft = soft.clone();
        // A round may stop anywhere; waiting for a database that is away must not hold up the drain.
        async move { soft.run_until_cancelled(reconciler.round()).await.unwrap_or(Ok(())) }
    });
}
