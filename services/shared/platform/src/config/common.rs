use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};

use super::seconds;

/// Options of the service shell: admin port, logs, traces, stopping.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub struct CommonArgs {
    /// Address of the plain HTTP port with /livez, /readyz and /metrics; keep it off the public network
    #[arg(long, env = "CUSTOS_ADMIN_LISTEN", value_name = "ADDR:PORT")]
    pub admin_listen: SocketAddr,

    /// How logs are written to standard error
    #[arg(long, env = "CUSTOS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,

    /// Which log lines are written: a level, or tracing-subscriber directives such as `info,custos_ingest=debug`
    #[arg(long = "log", env = "CUSTOS_LOG", value_name = "FILTER", default_value = "info")]
    pub log_filter: String,

    /// Collector for traces (OTLP over gRPC, plain http inside the cluster); without it traces are kept in logs only
    #[arg(long, env = "CUSTOS_OTLP_ENDPOINT", value_name = "URL", value_parser = http_url)]
    pub otlp_endpoint: Option<String>,

    /// Share of new traces that are recorded, 0 to 1; a caller's decision is always followed
    #[arg(long, env = "CUSTOS_TRACE_RATIO", value_name = "RATIO", value_parser = ratio, default_value = "1")]
    pub trace_ratio: f64,

    /// Seconds that running work gets to finish after the first stop signal
    #[arg(long, env = "CUSTOS_GRACE_PERIOD", value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub grace_period: Duration,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, with service, trace_id and span_id.
    Json,
    /// For reading at a terminal.
    Text,
}

fn http_url(text: &str) -> Result<String, String> {
    if text.starts_with("http://") {
        return Ok(text.to_owned());
    }
    Err("expected an http:// URL; run the collector beside the service if the way to it needs TLS".to_owned())
}

fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        common: CommonArgs,
    }

    fn parse(args: &[&str]) -> Result<CommonArgs, String> {
        let args = [&["svc"], args].concat();
        Cli::try_parse_from(args).map(|cli| cli.common).map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_admin_address_is_required() {
        assert!(parse(&[]).expect_err("incomplete").contains("--admin-listen"));
        let args = parse(&["--admin-listen", "127.0.0.1:0"]).expect("args");
        assert_eq!(args.grace_period.as_secs(), 30);
        assert_eq!(args.log_format, LogFormat::Json);
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let with = |flag, value| parse(&["--admin-listen", "127.0.0.1:0", flag, value]).expect_err("bad value");
        assert!(with("--otlp-endpoint", "https://collector:4317").contains("http://"));
        assert!(with("--trace-ratio", "1.5").contains("0 to 1"));
        assert!(with("--grace-period", "soon").contains("whole number"));
    }
}
