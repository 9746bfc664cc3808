//! PostgreSQL from the Debian package, with a cluster of its own: the package's own on port 5432 is left alone.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail};
use tokio::process::Command;

use super::Setting;
use crate::{
    folders,
    launch::Launch,
    part::Part,
    secrets::{Owner, Secret},
};

/// The cluster's superuser.
pub const SUPERUSER: &str = "custos_admin";

/// Oldest release the migrations were tried on.
const OLDEST: u32 = 15;

/// Creates the cluster unless it exists.
pub async fn create(setting: &Setting<'_>) -> anyhow::Result<()> {
    let data = setting.folders.data(Part::Postgres);
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    folders::create(data.parent().context("a folder without a parent")?)?;
    let password = setting.secrets.file(Owner::Admin, Secret::DatabasePassword);
    let mut initdb = as_no_root(&programs()?.join("initdb"));
    initdb
        .arg("--pgdata")
        .arg(&data)
        .args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--pwfile"])
        .arg(password)
        .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums", "--no-instructions"]);
    if !setting.detached {
        // A test's cluster does not outlive the machine.
        initdb.arg("--no-sync");
    }
    let output = initdb.stdin(Stdio::null()).output().await.context("starting initdb")?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// How to start it.
pub fn launch(setting: &Setting<'_>) -> anyhow::Result<Launch> {
    let mut launch = setting.launch(Part::Postgres, programs()?.join("postgres"));
    launch.never_root = true;
    launch.arguments = vec!["-D".into(), setting.folders.data(Part::Postgres).into_os_string()];
    let port = setting.ports.work(Part::Postgres).to_string();
    // A test kills the server, never the machine: what the kernel has taken is safe without being on the disk.
    let fsync = if setting.detached { "on" } else { "off" };
    for (name, value) in [
        ("listen_addresses", "127.0.0.1"),
        ("port", &port),
        // No socket file: its path may be longer than the kernel allows, and nobody needs it.
        ("unix_socket_directories", ""),
        ("synchronous_commit", "on"),
        ("fsync", fsync),
        ("max_connections", "100"),
        ("log_min_duration_statement", "1000"),
    ] {
        launch.arguments.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    Ok(launch)
}

/// The folder of the newest installed release's programs.
fn programs() -> anyhow::Result<PathBuf> {
    let releases = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = releases
        .filter_map(|release| release.file_name().to_str()?.parse::<u32>().ok())
        .filter(|&release| Path::new(&format!("/usr/lib/postgresql/{release}/bin/initdb")).exists())
        .max();
    match newest {
        Some(release) if release >= OLDEST => Ok(format!("/usr/lib/postgresql/{release}/bin").into()),
        Some(release) => bail!("PostgreSQL {release} is too old: install {OLDEST} or newer"),
        None => bail!("PostgreSQL is not installed: run deploy/local/install"),
    }
}

/// A command that does not run as root: PostgreSQL refuses to.
fn as_no_root(program: &Path) -> Command {
    if !nix::unistd::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1000", "--map-group=1000"]).arg(program);
    command
}
