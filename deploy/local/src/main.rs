//! `custos-local`: the commands behind `deploy/local/up`, `down`, `status` and `token`.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use custos_local::{
    Owner, Part, Stack, StackConfig, config, folders::Folders, secrets::Secrets, seeds, status, steps::Steps,
    tokens::Issuer, up,
};
use custos_platform::clock::Clock;

/// Runs a whole Custos on this machine.
#[derive(Debug, Parser)]
#[command(name = "custos-local", version)]
struct Cli {
    /// The repository
    #[arg(long, global = true, value_name = "FOLDER", default_value_os_t = config::repository())]
    root: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start what does not run yet, dock the sample recorders and show what became of their files
    Up {
        /// Dock nothing
        #[arg(long)]
        no_sample: bool,

        /// Start MinIO, nats-server and PostgreSQL, and none of our services
        #[arg(long)]
        servers_only: bool,
    },
    /// Stop everything
    Down {
        /// Also remove the data, credentials and logs
        #[arg(long)]
        wipe: bool,
    },
    /// Show each process, how it is, and its log
    Status,
    /// Run a command of a service with the service's own environment, such as `service records rebuild`
    Service {
        /// The service
        service: String,

        /// What it is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Print a token for a seeded person
    Token {
        /// The person, such as e-auditor; without it everyone is listed
        name: Option<String>,

        /// How long the token is good
        #[arg(long, value_name = "HOURS", default_value_t = 12)]
        hours: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { root, command } = Cli::parse();
    let config = StackConfig::local(&root);
    let done = match command {
        Command::Up { no_sample, servers_only } => {
            let wanted = up::Wanted { sample: !no_sample && !servers_only, services: !servers_only };
            up::run(config, Clock::system(), wanted).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Down { wipe } => down(config, wipe).await.map(|()| ExitCode::SUCCESS),
        Command::Status => show_status(&config).await,
        Command::Service { service, words } => run_command(config, &service, &words).await,
        Command::Token { name, hours } => print_token(&config, name.as_deref(), hours).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        // Whoever closed the terminal does not want to know.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn down(config: StackConfig, wipe: bool) -> anyhow::Result<()> {
    let folders = folders(&config)?;
    if !folders.root().exists() {
        Steps::Told.tell("nothing to stop");
        return Ok(());
    }
    let stack = Stack::open(config, Clock::system())?;
    stack.stop_all(Steps::Told).await?;
    if wipe {
        let root = folders.root();
        std::fs::remove_dir_all(root).with_context(|| format!("removing {}", root.display()))?;
        Steps::Told.tell(&format!("  removed {}", root.display()));
    }
    Ok(())
}

async fn show_status(config: &StackConfig) -> anyhow::Result<ExitCode> {
    let parts = status::look(&folders(config)?).await?;
    for part in &parts {
        Steps::Told.tell(&part.line());
    }
    Ok(if parts.iter().all(|part| part.trouble.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_command(config: StackConfig, service: &str, words: &[String]) -> anyhow::Result<ExitCode> {
    let part = Part::SERVICES.into_iter().find(|part| part.name() == service);
    let part = part.with_context(|| format!("there is no service `{service}`; `deploy/local/status` shows them"))?;
    let stack = Stack::open(config, Clock::system())?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let status = stack.command(part, &words).await?.status().await.with_context(|| format!("running custos-{part}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_token(config: &StackConfig, name: Option<&str>, hours: u64) -> anyhow::Result<()> {
    let Some(name) = name else {
        for person in seeds::PEOPLE {
            let line = format!("{:<12} {:<16} {:<15} {}", person.id, person.unit, person.roles.join(" "), person.name);
            Steps::Told.tell(&line);
        }
        return Ok(());
    };
    let person = seeds::find(name)?;
    let key =
        Secrets::of(&folders(config)?).signing_key(Owner::Admin).context("start the stack with deploy/local/up")?;
    let lifetime = Duration::from_secs(hours.saturating_mul(3600));
    Steps::Told.tell(&Issuer::new(key).token(person, Clock::system().now(), lifetime)?);
    Ok(())
}

fn folders(config: &StackConfig) -> anyhow::Result<Folders> {
    Ok(Folders::new(config.folder.clone().context("the local stack has a folder")?))
}
