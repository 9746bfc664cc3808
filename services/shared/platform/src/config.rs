//! Groups of options every service shares, to be flattened into its own clap `Args`.
//!
//! Every option is a flag and an environment variable. Secrets are files only: a flag shows in the process list, and an
//! environment variable leaks into child processes and crash reports.

mod auth;
mod common;
mod secret;
mod tls;

pub use auth::{AuthArgs, JwksSource};
pub use common::{CommonArgs, LogFormat};
pub use secret::{Secret, read_secret};
pub use tls::TlsArgs;

/// A configuration that cannot work. The shell ends the process with exit code 64 when `serve` returns one.
///
/// The message names the option and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {problem}")]
pub struct ConfigError {
    option: String,
    problem: String,
}

impl ConfigError {
    /// Something is wrong with the value of `option` (written as people type it: `--tls-cert`).
    pub fn new(option: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { option: option.into(), problem: problem.into() }
    }

    /// The configuration error behind `error`, if there is one.
    pub fn behind(error: &anyhow::Error) -> Option<&Self> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }

    /// A file named by `option` could not be read.
    pub fn unreadable(option: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "; check the path, or mount the file",
            std::io::ErrorKind::PermissionDenied => "; let the service's user read it",
            _ => "",
        };
        Self::new(option, format!("cannot read {}: {error}{hint}", path.display()))
    }
}

/// Parses a whole number of seconds, for `#[arg(value_parser = seconds)]`.
pub fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds = text.parse().map_err(|_| "expected a whole number of seconds".to_owned())?;
    Ok(std::time::Duration::from_secs(seconds))
}
