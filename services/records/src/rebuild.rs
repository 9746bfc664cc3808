//! The whole catalogue from the store alone, in one command (INV-9).
//!
//! Safe beside the running service: rows come from the same facts by the same function, and a transaction that changes them
//! holds the subject's lock. Nothing can slip through while `--force` empties the tables: what was learned before is in the store
//! and the walk, which begins afterwards, finds it; what is stated later is announced, and learned, later.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use custos_domain::keys;
use custos_platform::{
    db,
    service::Context,
    vault::{Vault, listing::Page},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Args, RecordsError, SCHEMA,
    catalogue::Catalogue,
    index::{Indexed, Indexer},
    serve::MIGRATIONS,
    walk::{Told, Walk},
};

/// Between two lines about the progress.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// Tries of one page while store or database are away; the last pause is half a minute.
const TRIES: u32 = 12;

/// What to do with what the catalogue holds already.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[group(multiple = false)]
pub struct Mode {
    /// Refuse to run unless the catalogue is empty
    #[arg(long)]
    into_empty: bool,
    /// Throw away what the catalogue holds first. Without it every row is made again, and what is no longer in the store stays
    #[arg(long)]
    force: bool,
}

/// The command `rebuild`.
pub async fn run(args: Args, context: Context, mode: Mode) -> anyhow::Result<()> {
    let vault = Vault::new(args.store())?;
    let pool = db::connect(args.database(), context.name, SCHEMA)?;
    db::migrate(&pool, &MIGRATIONS, SCHEMA).await?;
    let catalogue = Catalogue::new(pool);
    if mode.into_empty && !catalogue.is_empty().await? {
        bail!("the catalogue is not empty; use --force to throw it away first, or neither to make every row again");
    }
    if mode.force {
        catalogue.forget().await.context("emptying the catalogue")?;
        tracing::info!("the catalogue was emptied");
    }
    let rebuilt = rebuild(&vault, &catalogue, context.lifecycle.soft()).await?;
    let Rebuilt { facts, unusable, took } = &rebuilt;
    writeln!(std::io::stdout(), "rebuilt from {facts} facts in {:.1} s", took.as_secs_f64())?;
    match unusable.first() {
        None => Ok(()),
        Some(first) => bail!("{} objects of the custody log are of no use, the first: {first}", unusable.len()),
    }
}

/// How a rebuild ended.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Facts the catalogue now knows.
    pub facts: usize,
    /// Objects that are no facts, each with the reason.
    pub unusable: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Makes every row from the store.
pub async fn rebuild(vault: &Vault, catalogue: &Catalogue, stop: &CancellationToken) -> anyhow::Result<Rebuilt> {
    let indexer = Indexer::new(vault.clone(), catalogue.clone());
    let (begun, mut told_at, mut told) = (Instant::now(), Instant::now(), Told::default());
    let (mut walk, mut rebuilt) = (Walk::over([keys::FACTS.to_owned()]), Rebuilt::default());
    while !walk.is_over() {
        let next = stop.run_until_cancelled(next_page(&mut walk, &mut told, vault, &indexer)).await;
        let Some(next) = next else { bail!("stopped after {} facts; run it again", rebuilt.facts) };
        let Indexed { known, unusable } = next?;
        rebuilt.facts += known.len();
        told.unusable(&unusable);
        rebuilt.unusable.extend(unusable.iter().map(ToString::to_string));
        if told_at.elapsed() >= TELL_EVERY {
            told_at = Instant::now();
            let last = known.last().map(|known| known.object.key.as_str());
            let seconds = begun.elapsed().as_secs();
            tracing::info!(facts = rebuilt.facts, unusable = rebuilt.unusable.len(), seconds, last, "rebuilding");
        }
    }
    rebuilt.took = begun.elapsed();
    Ok(rebuilt)
}

/// One page into the catalogue; tried again while store or database are away.
async fn next_page(
    walk: &mut Walk,
    told: &mut Told,
    vault: &Vault,
    indexer: &Indexer,
) -> Result<Indexed, RecordsError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let failed = match walk.page(vault, &vault.buckets().log).await {
            Ok(None) => return Ok(Indexed::default()),
            Ok(Some((Page { objects, disturbed, .. }, step))) => {
                told.disturbed(disturbed);
                match indexer.index(&objects).await {
                    Ok(page) => {
                        walk.take(step);
                        return Ok(page);
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error.into(),
        };
        if tries >= TRIES {
            return Err(failed);
        }
        tracing::warn!(error = %failed, tries, "a page was not finished; trying again");
        tokio::time::sleep(Duration::from_millis(250).saturating_mul(1 << tries.min(7))).await;
    }
}
