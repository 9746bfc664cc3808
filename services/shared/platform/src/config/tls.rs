use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use clap::Args;

use super::seconds;

/// Options of a service's HTTPS port. Files are read again while the service runs: replace them, no restart needed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTPS")]
pub struct TlsArgs {
    /// Address of the HTTPS port
    #[arg(long, env = "CUSTOS_LISTEN", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,

    /// Certificate chain of this service, PEM, its own certificate first
    #[arg(long, env = "CUSTOS_TLS_CERT", value_name = "FILE")]
    pub tls_cert: PathBuf,

    /// Private key of this service, PEM
    #[arg(long, env = "CUSTOS_TLS_KEY", value_name = "FILE")]
    pub tls_key: PathBuf,

    /// Authorities whose client certificates are accepted, PEM; with it every caller must present one
    #[arg(long, env = "CUSTOS_CLIENT_CA", value_name = "FILE")]
    pub client_ca: Option<PathBuf>,

    /// Revocation lists of those authorities, PEM; a certificate no list speaks for is refused
    #[arg(long, env = "CUSTOS_CLIENT_CRL", value_name = "FILE", requires = "client_ca")]
    pub client_crl: Option<PathBuf>,

    /// Seconds between looks at the files above; a revocation works after at most this long
    #[arg(long, env = "CUSTOS_TLS_RELOAD", value_name = "SECONDS", value_parser = seconds, default_value = "5")]
    pub tls_reload: Duration,

    /// Most connections served at a time; more wait in the listen queue
    #[arg(long, env = "CUSTOS_MAX_CONNECTIONS", value_name = "COUNT", default_value = "1024")]
    pub max_connections: NonZeroU32,
}
