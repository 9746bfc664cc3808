//! Stopping, killing, restarting and emptying single parts of a stack, as tests and `down` do.

use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::try_join_all;
use nix::sys::signal::Signal;

use crate::{
    part::Part,
    process::Process,
    provision::{bus, database},
    stack::Stack,
    steps::Steps,
};

/// How long a part gets to stop before it is killed: more than the grace period services give their work.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long PostgreSQL gets to end its sessions when the whole stack is killed.
const DATABASE_PATIENCE: Duration = Duration::from_secs(5);

impl Stack {
    /// Starts `part` if it does not run, and waits until it is ready.
    pub async fn start_part(&self, part: Part) -> anyhow::Result<()> {
        self.ensure(part).await.map(drop)
    }

    /// Stops `part` as an operator would, and waits until it is gone. Returns whether it went by itself.
    pub async fn stop_part(&self, part: Part) -> anyhow::Result<bool> {
        let Some(process) = self.find(part)? else { return Ok(true) };
        process.signal(stop_signal(part))?;
        process.wait_gone(PATIENCE).await.with_context(|| format!("stopping {part}"))
    }

    /// Stops `part` and starts it again.
    pub async fn restart(&self, part: Part) -> anyhow::Result<()> {
        self.stop_part(part).await?;
        self.start_part(part).await
    }

    /// Kills `part` without warning, `kill -9`, and waits until it is gone.
    pub fn kill9(&self, part: Part) -> anyhow::Result<()> {
        let mut process = self.running(part)?;
        process.kill_blocking()
    }

    /// Sends `part` a signal, such as `SIGSTOP` and `SIGCONT`.
    pub fn signal(&self, part: Part, signal: Signal) -> anyhow::Result<()> {
        let process = self.running(part)?;
        process.signal(signal)?;
        self.processes().insert(part, process);
        Ok(())
    }

    /// The process id of a running part.
    pub fn process_id(&self, part: Part) -> anyhow::Result<u32> {
        let process = self.running(part)?;
        let id = u32::try_from(process.id())?;
        self.processes().insert(part, process);
        Ok(id)
    }

    /// A command of a service's program, such as `custos-records rebuild`, with the service's own environment.
    pub async fn command(&self, service: Part, words: &[&str]) -> anyhow::Result<tokio::process::Command> {
        let launch = self.launch(service).await?;
        let mut command = tokio::process::Command::new(&launch.program);
        command.args(words).env_clear().envs(launch.environment.iter().map(|(name, value)| (name, value)));
        command.kill_on_drop(true);
        Ok(command)
    }

    /// Whether `part` runs.
    pub fn is_running(&self, part: Part) -> anyhow::Result<bool> {
        let found = self.find(part)?;
        let runs = found.is_some();
        self.processes().extend(found.map(|process| (part, process)));
        Ok(runs)
    }

    /// Gives a service another value of a variable, from its next start on.
    pub fn set_env(&self, service: Part, name: &str, value: impl Into<String>) {
        self.environment().push((service, name.to_owned(), value.into()));
    }

    /// Loses the bus's whole store: every stream, consumer and message. It comes back with streams and consumers as new.
    pub async fn wipe_bus(&self) -> anyhow::Result<()> {
        self.empty_bus().await?;
        self.provision_bus().await
    }

    /// [`Stack::wipe_bus`] without making streams and consumers again.
    pub async fn empty_bus(&self) -> anyhow::Result<()> {
        if self.is_running(Part::Nats)? {
            self.kill9(Part::Nats)?;
        }
        let data = self.folders.data(Part::Nats);
        std::fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
        self.start_part(Part::Nats).await
    }

    /// Makes the bus's streams and consumers, where they are not there.
    pub async fn provision_bus(&self) -> anyhow::Result<()> {
        bus::provision(self.ports, &self.secrets).await
    }

    /// Loses everything a service keeps in the database. The service must be stopped; its migrations run when it starts.
    pub async fn reset_schema(&self, service: Part) -> anyhow::Result<()> {
        let schema = service.schema().with_context(|| format!("{service} keeps nothing in the database"))?;
        if self.is_running(service)? {
            bail!("stop {service} before its schema is emptied");
        }
        database::reset_schema(self.ports.work(Part::Postgres), &self.secrets, schema).await
    }

    /// Stops every part: services first, all at once, then the servers.
    pub async fn stop_all(&self, steps: Steps) -> anyhow::Result<()> {
        for parts in [&Part::SERVICES[..], &Part::SERVERS[..]] {
            try_join_all(parts.iter().map(|&part| self.stop_told(part, steps))).await?;
        }
        Ok(())
    }

    /// Kills every part, now.
    pub(crate) fn kill_all(&self) {
        let mut processes: Vec<(Part, Process)> =
            Part::all().filter_map(|part| Some((part, self.find(part).ok()??))).collect();
        // Killed outright, its sessions would outlive it for a moment and still write into the folder.
        for (part, process) in &mut processes {
            let signal = if *part == Part::Postgres { Signal::SIGQUIT } else { Signal::SIGKILL };
            let _ = process.signal(signal);
        }
        for (part, process) in &mut processes {
            if *part == Part::Postgres {
                process.wait_gone_blocking(DATABASE_PATIENCE);
            }
            // What cannot be killed dies with this process.
            let _ = process.kill_blocking();
        }
    }

    async fn stop_told(&self, part: Part, steps: Steps) -> anyhow::Result<()> {
        let Some(process) = self.find(part)? else { return Ok(()) };
        let id = process.id();
        self.processes().insert(part, process);
        let stop = async {
            let by_itself = self.stop_part(part).await?;
            let how = if by_itself { "stopped" } else { "killed: it did not stop in time" };
            anyhow::Ok(((), format!("process {id:<7} {how}")))
        };
        steps.run(part.name(), stop).await
    }

    fn running(&self, part: Part) -> anyhow::Result<Process> {
        self.find(part)?.with_context(|| format!("{part} does not run"))
    }
}

/// What asks a part to stop: PostgreSQL waits for its sessions at SIGTERM, and ends them at SIGINT.
fn stop_signal(part: Part) -> Signal {
    if part == Part::Postgres { Signal::SIGINT } else { Signal::SIGTERM }
}
