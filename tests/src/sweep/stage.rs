//! A stack whose every connection runs through a proxy.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use custos_local::{Part, StackConfig};
use futures::future::{join_all, try_join_all};
use tokio::time::Instant;

use super::{Point, Target, docking, points::Counts};
use crate::{
    history::{self, Log, World},
    proxy::{Fault, Planned, Proxy},
    site::Site,
};

/// Longest wait, after the docking, for a request that is to be struck.
const FOR_THE_REQUEST: Duration = Duration::from_secs(40);
/// How long everything has been done when a request that did not come will not come.
const NOTHING_MORE: Duration = Duration::from_secs(1);

/// The stage on which points are played one after the other, each with a recorder of its own.
pub struct Stage {
    site: Site,
    proxies: BTreeMap<(Part, Target), Proxy>,
    log: Log,
    /// As it was checked last.
    world: Option<World>,
    played: u32,
}

/// How a point went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Struck {
    /// The request was struck; which one it was.
    Yes(String),
    /// So many requests were not sent this time.
    NotReached,
}

impl Stage {
    /// Starts the whole pipeline.
    pub async fn start() -> anyhow::Result<Self> {
        // Services later: they read their addresses when they start.
        let config = StackConfig { services: Vec::new(), ..Site::config() };
        let site = Site::with(config).await?;
        let mut proxies = BTreeMap::new();
        for service in Part::SERVICES {
            for target in Target::ALL.into_iter().filter(|target| target.is_of(service)) {
                let proxy = match target {
                    Target::Dock => site.route_docks().await?,
                    _ => site.route(service, target.server()).await?,
                };
                proxies.insert((service, target), proxy);
            }
        }
        try_join_all(Part::SERVICES.map(|service| site.stack.start_part(service))).await?;
        Ok(Self { site, proxies, log: Log::default(), world: None, played: 0 })
    }

    /// Plays it without any fault and counts.
    pub async fn count(&mut self) -> anyhow::Result<Counts> {
        self.proxies.values().for_each(Proxy::forget);
        let codes = self.docking(true, true).await?;
        self.site.settled(docking::TENANT, &codes).await?;
        let count = |(&(service, target), proxy): (&(Part, Target), &Proxy)| {
            let rule = target.counted(Fault::Tell);
            let counted = proxy.log().into_iter().filter(|seen| rule.fits(seen.operation, &seen.key)).count();
            ((service, target), counted as u64)
        };
        let counts = self.proxies.iter().map(count).collect();
        self.check().await?;
        Ok(counts)
    }

    /// Plays it while these points are struck, and recovers. With `whole` all services do their part before it returns, and where
    /// one of those that hold and lock is struck a hold comes and goes; otherwise it returns when everything is deposited.
    pub async fn strike(&mut self, points: &[Point], whole: bool) -> anyhow::Result<Vec<Struck>> {
        let planned: Vec<Planned> = points.iter().map(|point| self.plan(point)).collect::<Result<_, _>>()?;
        let clip = points.iter().any(|point| point.service == Part::Transcode);
        let holders = [Part::Retention, Part::LegalHold, Part::Records];
        let hold = whole && points.iter().any(|point| holders.contains(&point.service));
        self.prepare(clip).await?;
        {
            let kills = join_all(points.iter().zip(&planned).map(|(point, planned)| self.kill(point, planned)));
            let play = self.play(&planned, whole, hold);
            tokio::pin!(play);
            tokio::select! {
                played = &mut play => played?,
                killed = kills => {
                    killed.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
                    play.await?;
                }
            }
        }
        let struck = points.iter().zip(&planned).map(|(point, planned)| self.struck(point, planned)).collect();
        self.recover().await?;
        Ok(struck)
    }

    /// Checks the whole history against every invariant, once it is at rest.
    pub async fn check(&mut self) -> anyhow::Result<()> {
        match history::look_again(&self.site, &self.log, self.world.as_ref()).await? {
            Ok(world) => {
                self.world = Some(world);
                Ok(())
            }
            Err(violations) => bail!("{}", history::report(&violations)),
        }
    }

    /// The same, and reads everything again, however often it was read before.
    pub async fn check_all(&mut self) -> anyhow::Result<()> {
        self.world = None;
        self.check().await
    }

    fn plan(&self, point: &Point) -> anyhow::Result<Planned> {
        let proxy = self.proxy(point)?;
        proxy.forget();
        proxy.plan(point.target.counted(point.kind.fault()).between(point.k, point.k + point.kind.in_a_row() - 1))
    }

    fn proxy(&self, point: &Point) -> anyhow::Result<&Proxy> {
        let proxy = self.proxies.get(&(point.service, point.target));
        proxy.with_context(|| format!("{} does not talk to the {}", point.service, point.target))
    }

    async fn prepare(&mut self, clip: bool) -> anyhow::Result<()> {
        self.played += 1;
        let folder = docking::fill(&self.site, self.played, clip).await?;
        self.log = std::mem::take(&mut self.log).recorder(&folder)?;
        Ok(())
    }

    async fn docking(&mut self, clip: bool, hold: bool) -> anyhow::Result<Vec<String>> {
        self.prepare(clip).await?;
        let codes = docking::dock(&self.site, &self.folder()).await?;
        if hold {
            docking::hold_and_let_go(&self.site, &codes[0]).await?;
        }
        Ok(codes)
    }

    fn folder(&self) -> std::path::PathBuf {
        self.site.scratch(&format!("recorder-{}", self.played))
    }

    async fn play(&self, planned: &[Planned], whole: bool, hold: bool) -> anyhow::Result<()> {
        let codes = docking::dock(&self.site, &self.folder()).await?;
        if hold {
            docking::hold_and_let_go(&self.site, &codes[0]).await?;
        }
        if whole {
            tokio::select! {
                _ = join_all(planned.iter().map(Planned::fired)) => {}
                () = self.nothing_more(&codes) => {}
            }
        }
        Ok(())
    }

    /// Waits until every service has done its part, or long enough.
    async fn nothing_more(&self, codes: &[String]) {
        let deadline = Instant::now() + FOR_THE_REQUEST;
        while Instant::now() < deadline && self.site.settled_now(docking::TENANT, codes).await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tokio::time::sleep(NOTHING_MORE).await;
    }

    /// Kills the service at its point, and starts it again.
    async fn kill(&self, point: &Point, planned: &Planned) -> anyhow::Result<()> {
        if point.kind.kills() {
            planned.fired().await;
            if self.site.stack.is_running(point.service)? {
                self.site.stack.kill9(point.service)?;
            }
            self.site.stack.start_part(point.service).await?;
        }
        Ok(())
    }

    fn struck(&self, point: &Point, planned: &Planned) -> Struck {
        let Some(first) = planned.first() else { return Struck::NotReached };
        let log = self.proxies.get(&(point.service, point.target)).map(Proxy::log).unwrap_or_default();
        let seen = log.into_iter().find(|seen| seen.number == first);
        Struck::Yes(seen.map_or_else(String::new, |seen| seen.to_string().trim().to_owned()))
    }

    /// No fault any more, and every service runs.
    async fn recover(&self) -> anyhow::Result<()> {
        for proxy in self.proxies.values() {
            proxy.clear();
        }
        for service in Part::SERVICES {
            self.site.stack.start_part(service).await.with_context(|| format!("starting {service} again"))?;
        }
        Ok(())
    }
}
