//! The rounds: every contestant with every load, interleaved, each on a store that begins empty.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use custos_local::{Part, StackConfig};
use serde::Serialize;

use super::{custos, load::Load, mc, process::Observed, tusd::Tusd};
use crate::{site::Site, tus::Tus};

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The loads.
    pub loads: Vec<Load>,
    /// How often each contestant takes each load.
    pub runs: usize,
    /// Where optimised builds of the services are.
    pub binaries: PathBuf,
    /// The tusd to compare with.
    pub tusd: PathBuf,
    /// Memory for parts that ingest is given, MiB.
    pub budget_mib: u32,
}

/// Who carried the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contestant {
    /// Ingest.
    Custos,
    /// tusd.
    Tusd,
    /// `mc cp`.
    Mc,
}

/// One contestant, one load, once.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Who.
    pub contestant: Contestant,
    /// What.
    pub load: Load,
    /// Which round, from zero.
    pub run: usize,
    /// Wall-clock seconds from the first request to the last answer.
    pub seconds: f64,
    /// Processor seconds of the server under test; none for `mc`, which has none.
    pub cpu_seconds: Option<f64>,
    /// Processor seconds of the store meanwhile.
    pub store_cpu_seconds: f64,
    /// Processor seconds of the benchmark itself meanwhile, which sends; `mc` sends by itself.
    pub sender_cpu_seconds: f64,
    /// Highest resident memory of the server under test, MiB.
    pub peak_mib: Option<u64>,
    /// Last byte to answer, seconds, in ascending order.
    pub answers: Vec<f64>,
}

/// Runs everything; `tell` hears of each figure as it comes.
pub async fn run(plan: &Plan, tell: impl Fn(&Figure)) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for run in 0..plan.runs {
        for load in &plan.loads {
            let files = load.files(run as u64);
            for contestant in order(run) {
                // A store of its own for each: what is locked cannot be cleared away, and whoever came second on the same store paid a
                // third more of its processor time (tried), whoever that was.
                let round = Round::begin(plan, load, run).await?;
                let figure = round.take(contestant, &files).await?;
                drop(round);
                // Nor does anybody wait for what another one wrote.
                tokio::task::spawn_blocking(nix::unistd::sync).await?;
                tell(&figure);
                figures.push(figure);
            }
        }
    }
    Ok(figures)
}

/// Nobody is always first.
fn order(run: usize) -> [Contestant; 3] {
    let mut order = [Contestant::Custos, Contestant::Tusd, Contestant::Mc];
    order.rotate_left(run % 3);
    order
}

struct Round<'a> {
    plan: &'a Plan,
    load: Load,
    run: usize,
    site: Site,
}

impl<'a> Round<'a> {
    async fn begin(plan: &'a Plan, load: &Load, run: usize) -> anyhow::Result<Self> {
        let mut config = StackConfig::test().with_services(&[Part::Ingest]);
        config = config.with_env(Part::Ingest, "CUSTOS_PART_BUDGET_MIB", plan.budget_mib.to_string());
        config.binaries.clone_from(&plan.binaries);
        "info".clone_into(&mut config.log);
        Ok(Self { plan, load: *load, run, site: Site::with(config).await? })
    }

    async fn take(&self, contestant: Contestant, files: &[Bytes]) -> anyhow::Result<Figure> {
        match contestant {
            Contestant::Custos => self.custos(files).await,
            Contestant::Tusd => self.tusd(files).await,
            Contestant::Mc => self.mc(files).await,
        }
    }

    async fn custos(&self, files: &[Bytes]) -> anyhow::Result<Figure> {
        let tus = Tus::of(&self.site, "E")?;
        let prepared = custos::prepare(&tus, files, self.run)?;
        let process = self.site.stack.process_id(Part::Ingest)?;
        let sending = custos::send(&tus, &self.load, &prepared);
        self.measure(Contestant::Custos, Some(Observed(process)), sending).await
    }

    async fn tusd(&self, files: &[Bytes]) -> anyhow::Result<Figure> {
        let scratch = self.site.scratch("tusd");
        std::fs::create_dir_all(&scratch)?;
        self.client(&scratch)?.make("tusd").await?;
        let tusd = Tusd::start(&self.plan.tusd, &self.site.stack, "tusd", &scratch).await?;
        let observed = tusd.observed()?;
        self.measure(Contestant::Tusd, Some(observed), tusd.send(&self.load, files)).await
    }

    async fn mc(&self, files: &[Bytes]) -> anyhow::Result<Figure> {
        let (scratch, folder) = (self.site.scratch("mc"), self.site.scratch("mc-files"));
        let client = self.client(&scratch)?;
        client.make("copied").await?;
        mc::lay_out(&folder, files)?;
        let copying = async { client.copy(&folder, "copied").await.map(|()| Vec::new()) };
        self.measure(Contestant::Mc, None, copying).await
    }

    fn client<'c>(&'c self, scratch: &'c Path) -> anyhow::Result<mc::Mc<'c>> {
        mc::Mc::new(&self.site.stack, scratch)
    }

    async fn measure(
        &self,
        contestant: Contestant,
        server: Option<Observed>,
        work: impl Future<Output = anyhow::Result<Vec<Duration>>>,
    ) -> anyhow::Result<Figure> {
        server.map(Observed::forget_peak).transpose()?;
        let (store, sender) = (Observed(self.site.stack.process_id(Part::Minio)?), Observed(std::process::id()));
        let (store_cpu, sender_cpu) = (store.cpu()?, sender.cpu()?);
        let (cpu, started) = (server.map(Observed::cpu).transpose()?, Instant::now());
        let answers = work.await.with_context(|| format!("{contestant:?} with {:?}", self.load))?;
        let seconds = started.elapsed().as_secs_f64();
        let used = server.map(Observed::cpu).transpose()?;
        let mut answers: Vec<f64> = answers.iter().map(Duration::as_secs_f64).collect();
        answers.sort_by(f64::total_cmp);
        Ok(Figure {
            contestant,
            load: self.load,
            run: self.run,
            seconds,
            cpu_seconds: used.zip(cpu).map(|(after, before)| after.saturating_sub(before).as_secs_f64()),
            store_cpu_seconds: store.cpu()?.saturating_sub(store_cpu).as_secs_f64(),
            sender_cpu_seconds: sender.cpu()?.saturating_sub(sender_cpu).as_secs_f64(),
            peak_mib: server.map(Observed::peak_mib).transpose()?,
            answers,
        })
    }
}
