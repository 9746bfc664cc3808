//! A stack: real servers and services on loopback, started once and found again.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, bail};
use custos_domain::station::Registration;
use custos_platform::clock::Clock;
use futures::future::try_join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    certificates::Authority,
    config::{Server, StackConfig},
    environment,
    folders::{self, Folders},
    health::Health,
    launch::Launch,
    leftovers,
    part::Part,
    ports::{Lease, Ports},
    process::Process,
    provision::{bus, database, register, store},
    secrets::{Owner, Secrets},
    servers::{self, minio, nats, postgres, seaweedfs},
    services,
    state::State,
    steps::Steps,
    tokens::Issuer,
};

/// A running stack. One that is not detached is killed when it is dropped.
#[derive(Debug)]
pub struct Stack {
    pub(crate) config: StackConfig,
    pub(crate) clock: Clock,
    pub(crate) folders: Folders,
    pub(crate) ports: Ports,
    pub(crate) secrets: Secrets,
    pub(crate) authority: Authority,
    pub(crate) health: Health,
    environment: Mutex<Vec<(Part, String, String)>>,
    processes: Mutex<BTreeMap<Part, Process>>,
    temporary: Option<TempDir>,
    _lock: File,
    _lease: Option<Lease>,
}

impl Stack {
    /// Starts a stack for a test and waits until every part is ready.
    pub async fn start(config: StackConfig) -> anyhow::Result<Self> {
        Box::pin(Self::up(config, Clock::system(), Steps::Silent)).await
    }

    /// Starts what does not run yet, sets up what is not set up, and waits until every part is ready.
    pub async fn up(config: StackConfig, clock: Clock, steps: Steps) -> anyhow::Result<Self> {
        let stack = Self::open(config, clock)?;
        try_join_all(Part::SERVERS.map(|part| Box::pin(stack.ensure_told(part, steps)))).await?;
        // Also when all of them ran: a bus that lost its streams gets them back here.
        let setup =
            async { Box::pin(stack.provision()).await.map(|()| ((), "buckets, users, roles, streams".to_owned())) };
        steps.run("set up", setup).await?;
        try_join_all(stack.config.services.iter().map(|&part| stack.ensure_told(part, steps))).await?;
        folders::write(&stack.folders.environment(), environment::render(&stack)?)?;
        Ok(stack)
    }

    /// Opens the stack's folder, making ports, credentials and certificates where they are missing; starts nothing. Fails
    /// when another command is busy with the stack.
    pub fn open(config: StackConfig, clock: Clock) -> anyhow::Result<Self> {
        let temporary = if config.folder.is_none() { Some(leftovers::fresh_folder()?) } else { None };
        let folder = temporary.as_ref().map(TempDir::path).or(config.folder.as_deref());
        let folders = Folders::new(absolute(folder.context("a stack needs a folder")?)?);
        folders::create(folders.root())?;
        let lock = lock(&folders)?;
        let (ports, lease) = settle_ports(&folders)?;

        let mut rng = rand::rng();
        let secrets = Secrets::ensure(&folders, &mut rng)?;
        let authority = Authority::ensure(&folders, clock.now(), &mut rng)?;
        write_public_keys(&folders, &secrets)?;
        Ok(Self {
            health: Health::new(ports, config.store, &folders, &secrets)?,
            environment: Mutex::new(config.environment.clone()),
            processes: Mutex::default(),
            config,
            clock,
            folders,
            ports,
            secrets,
            authority,
            temporary,
            _lock: lock,
            _lease: lease,
        })
    }

    /// Makes buckets, users, roles, schemas, streams and consumers; changes nothing that is as it should be.
    pub(crate) async fn provision(&self) -> anyhow::Result<()> {
        let address = format!("127.0.0.1:{}", self.ports.work(Part::Minio));
        let mc = store::Mc::new(&self.config.servers, &self.folders, &address, &self.secrets)?;
        tokio::try_join!(
            async {
                let server = self.config.store;
                store::provision(&mc, server, &self.folders, &self.secrets).await.context("setting up the store")?;
                // Once it is there, it is the stations service that keeps it.
                if !register::is_published(&self.s3_endpoint(), &self.secrets).await? {
                    self.register(register::seeded()?).await?;
                }
                Ok(())
            },
            async { bus::provision(self.ports, &self.secrets).await.context("setting up the bus") },
            async {
                let port = self.ports.work(Part::Postgres);
                database::provision(port, &self.secrets).await.context("setting up the database")
            },
        )
        .map(drop)
    }

    /// Publishes the register of stations; answers its number. Nothing is written when it says so already.
    pub async fn register(&self, stations: Vec<Registration>) -> anyhow::Result<u64> {
        let key = self.secrets.register_key()?;
        let (endpoint, now) = (self.s3_endpoint(), self.clock.now());
        let published = register::publish(&endpoint, &self.secrets, &key, now, stations);
        published.await.context("publishing the register of stations")
    }

    /// Makes sure that `part` runs and is ready; returns whether it had to be started.
    pub(crate) async fn ensure(&self, part: Part) -> anyhow::Result<bool> {
        let (process, started) = match self.find(part)? {
            Some(process) => (process, false),
            None => (Process::launch(&self.launch(part).await?)?, true),
        };
        let ready = self.health.wait(part, &process).await;
        self.processes().insert(part, process);
        ready.map(|()| started)
    }

    async fn ensure_told(&self, part: Part, steps: Steps) -> anyhow::Result<bool> {
        let ensure = async {
            let started = self.ensure(part).await?;
            let outdated = self.processes().get(&part).is_some_and(Process::is_outdated);
            let how = match (started, outdated) {
                (true, _) => "started",
                (false, false) => "runs already",
                (false, true) => "runs already, from an older build: deploy/local/down and up take the new one",
            };
            anyhow::Ok((started, format!("127.0.0.1:{:<6} {how}", self.ports.telling(part))))
        };
        steps.run(part.name(), ensure).await
    }

    /// The process of `part`, if it runs.
    pub(crate) fn find(&self, part: Part) -> anyhow::Result<Option<Process>> {
        match self.processes().remove(&part) {
            Some(process) if process.is_running() => Ok(Some(process)),
            _ => Process::find(&self.folders.pid(part)),
        }
    }

    pub(crate) async fn launch(&self, part: Part) -> anyhow::Result<Launch> {
        let setting = servers::Setting {
            programs: &self.config.servers,
            folders: &self.folders,
            ports: self.ports,
            secrets: &self.secrets,
            detached: self.config.detached,
        };
        let mut launch = match part {
            Part::Minio => match self.config.store {
                Server::Minio => minio::launch(&setting)?,
                Server::SeaweedFs => seaweedfs::launch(&setting)?,
            },
            Part::Nats => nats::launch(&setting)?,
            Part::Postgres => {
                postgres::create(&setting).await?;
                postgres::launch(&setting)?
            }
            service => {
                let environment = self.environment().clone();
                let setting = services::Setting {
                    config: &self.config,
                    folders: &self.folders,
                    ports: self.ports,
                    secrets: &self.secrets,
                    authority: &self.authority,
                    environment: &environment,
                };
                return services::launch(&setting, service);
            }
        };
        for (_, name, value) in self.environment().iter().filter(|(of, ..)| *of == part) {
            launch.set(name, value);
        }
        Ok(launch)
    }

    pub(crate) fn environment(&self) -> MutexGuard<'_, Vec<(Part, String, String)>> {
        self.environment.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn processes(&self) -> MutexGuard<'_, BTreeMap<Part, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.config.detached {
            return;
        }
        self.kill_all();
        if let (true, Some(folder)) = (std::thread::panicking(), &mut self.temporary) {
            folder.disable_cleanup(true);
            leftovers::tell_kept(folder.path());
        }
    }
}

fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(folder).with_context(|| format!("finding {}", folder.display()))
}

fn lock(folders: &Folders) -> anyhow::Result<File> {
    let path = folders.lock();
    let context = || format!("locking {}", path.display());
    let file = File::options().create(true).append(true).open(&path).with_context(context)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another command is busy with the stack in {}; wait for it", folders.root().display())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(context),
    }
}

/// The ports of last time while any process of the stack may listen on them or they are free; otherwise others.
fn settle_ports(folders: &Folders) -> anyhow::Result<(Ports, Option<Lease>)> {
    let state = State::load(folders)?;
    if let Some(State { ports, .. }) = state {
        for part in Part::all() {
            if Process::find(&folders.pid(part))?.is_some() {
                return Ok((ports, None));
            }
        }
        if let Some(lease) = ports.lease()? {
            return Ok((ports, Some(lease)));
        }
    }
    let (ports, lease) = Ports::reserve()?;
    let docked = state.map(|state| state.docked).unwrap_or_default();
    State { ports, docked }.save(folders)?;
    Ok((ports, Some(lease)))
}

/// What everyone may know: who signs tokens, receipts and seals.
fn write_public_keys(folders: &Folders, secrets: &Secrets) -> anyhow::Result<()> {
    let jwks = Issuer::new(secrets.signing_key(Owner::Admin)?).jwks();
    folders::write(&folders.jwks(), serde_json::to_vec_pretty(&jwks)?)?;
    let public = |service| -> anyhow::Result<String> {
        Ok(hex::encode(secrets.signing_key(Owner::Service(service))?.verifying_key().as_bytes()))
    };
    let trust = json!({
        "receipt": [public(Part::Ingest)?],
        "seal": [public(Part::Hashing)?],
        "stations": [hex::encode(secrets.register_key()?.verifying_key().as_bytes())],
    });
    folders::write(&folders.trust(), serde_json::to_vec_pretty(&trust)?)
}
