//! How `custos-dock enrol` is called.

use std::path::PathBuf;

use reqwest::Url;

use super::values::https;
use crate::enrol;

/// Options of `enrol`.
#[derive(Debug, clap::Args)]
pub struct Enrol {
    /// Address of the register of stations
    #[arg(long = "url", env = "CUSTOS_STATIONS_URL", value_name = "URL", value_parser = https)]
    url: Url,
    /// The one-time code; without it the first line of standard input is taken
    #[arg(long, env = "CUSTOS_DOCK_CODE", value_name = "CODE", hide_env_values = true)]
    code: Option<String>,
    /// Certificates of the authority that signed the register's certificate, PEM; no other is accepted
    #[arg(long, env = "CUSTOS_CA", value_name = "FILE")]
    ca: PathBuf,
    /// Where key and certificate are kept, beside the journal
    #[arg(long, env = "CUSTOS_DOCK_STATE", value_name = "DIR")]
    state: PathBuf,
}

impl Enrol {
    /// What is asked for; `typed` is called where no code was given as an option.
    pub fn order<E>(&self, typed: impl FnOnce() -> Result<String, E>) -> Result<enrol::Order, E> {
        let code = match &self.code {
            Some(code) => code.clone(),
            None => typed()?,
        };
        Ok(enrol::Order { register: self.url.clone(), ca: self.ca.clone(), code, state: self.state.clone() })
    }
}
