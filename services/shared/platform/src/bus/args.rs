use std::path::PathBuf;

/// Where the bus is, and who this service is there.
#[derive(Debug, Clone, clap::Args)]
pub struct BusArgs {
    /// Servers of the bus, separated by commas: nats://host:port, or tls://host:port for an encrypted connection
    #[arg(long, env = "CUSTOS_NATS_URL", value_name = "URL", value_delimiter = ',', required = true)]
    pub nats_url: Vec<String>,

    /// File with this service's NKey seed (SU…)
    #[arg(long, env = "CUSTOS_NATS_NKEY_FILE", value_name = "FILE")]
    pub nats_nkey_file: PathBuf,

    /// Monitoring port of every server, separated by commas: http://host:port; asked whether messages are synced
    #[arg(long, env = "CUSTOS_NATS_MONITOR_URL", value_name = "URL", value_delimiter = ',', required = true)]
    pub nats_monitor_url: Vec<String>,

    /// PEM file with the authorities that may have signed the servers' certificates; the system's when not given
    #[arg(long, env = "CUSTOS_NATS_CA", value_name = "FILE")]
    pub nats_ca: Option<PathBuf>,
}
