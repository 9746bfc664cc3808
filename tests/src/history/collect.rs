//! Reading the world: the store by MinIO's own client and by version, the database as its superuser, the docks' journals.

mod store;
mod tables;

pub(crate) use self::store::Listed;

use custos_local::Part;
use custos_platform::{
    clock::Clock,
    policies::{self, PolicyArgs},
    signer::Trust,
};

use super::{Log, World};
use crate::site::Site;

/// Reads everything, as of the services that run now.
pub async fn collect(site: &Site, log: &Log) -> anyhow::Result<World> {
    read(site, log, &running(site)?, None).await
}

/// Lists everything, and reads what `before` does not know or what may change: of what is locked only the new versions. Their
/// bytes cannot change, and locks and holds that moved since are seen by the next full look.
pub async fn collect_since(site: &Site, log: &Log, before: Option<&World>) -> anyhow::Result<World> {
    read(site, log, &running(site)?, before).await
}

/// Reads everything, as if these services ran: they did until a moment ago.
pub async fn collect_for(site: &Site, log: &Log, running: &[Part]) -> anyhow::Result<World> {
    read(site, log, running, None).await
}

fn running(site: &Site) -> anyhow::Result<Vec<Part>> {
    let mut running = Vec::new();
    for service in Part::SERVICES {
        if site.stack.is_running(service)? {
            running.push(service);
        }
    }
    Ok(running)
}

async fn read(site: &Site, log: &Log, running: &[Part], known: Option<&World>) -> anyhow::Result<World> {
    let mut log = log.clone();
    let journals = log.journals.iter().cloned().chain([site.scratch(crate::dock::STATE)]).collect::<Vec<_>>();
    log.read_journals(&journals)?;
    // The database before the store: what a row names was in the store before it was in the row.
    let tables = tables::read(site, running).await?;
    Ok(World {
        at: Clock::system().now(),
        buckets: custos_local::provision::store::buckets(),
        running: running.to_vec(),
        policies: policies::load(&PolicyArgs { policies: custos_local::config::repository().join("deploy/policies") })?,
        trust: Trust::load(&site.stack.trust_file())?,
        settle: site.settle,
        versions: store::read(site, known).await?,
        tables,
        log,
    })
}
