use std::{sync::Arc, time::Duration};

use async_nats::{
    ConnectOptions, Event, ServerAddr,
    jetstream::{self, context::ContextBuilder},
};

use super::{Bus, BusArgs, Shared, metrics::BusMetrics, permissions, verify};
use crate::{
    backoff::Backoff,
    config::{ConfigError, read_secret},
};

/// Between attempts to connect. The first is made at once.
const RECONNECT: Backoff = Backoff { first: Duration::from_millis(250), most: Duration::from_secs(8) };
/// A peer that vanished without a word is noticed after two of these.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for an answer of the JetStream API.
const API_LIMIT: Duration = Duration::from_secs(5);

impl Bus {
    /// Begins to connect as `service` (such as `custos-ingest`) and keeps trying for ever, now and whenever the connection is
    /// lost. Answers at once, whether or not a server is there.
    ///
    /// Fails when an option cannot work: an address that is none, a seed that is none.
    pub async fn connect(args: &BusArgs, service: &str) -> Result<Self, ConfigError> {
        let service = service.strip_prefix("custos-").unwrap_or(service).to_owned();
        let servers = servers(&args.nats_url)?;
        let metrics = BusMetrics::new();
        let mut options = ConnectOptions::with_nkey(seed(args)?)
            .name(format!("custos-{service}"))
            .custom_inbox_prefix(permissions::inbox_prefix(&service))
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(delay)
            .ping_interval(PING_EVERY)
            .event_callback(listener(metrics.clone()));
        if let Some(ca) = &args.nats_ca {
            std::fs::metadata(ca).map_err(|error| ConfigError::unreadable("--nats-ca", ca, &error))?;
            options = options.add_root_certificates(ca.clone());
        }
        let client =
            options.connect(servers).await.map_err(|error| ConfigError::new("--nats-url", error.to_string()))?;
        Ok(Self {
            jetstream: context(&client),
            client,
            shared: Arc::new(Shared {
                service,
                monitors: verify::monitors(&args.nats_monitor_url)?,
                http: verify::http_client()?,
                metrics,
            }),
        })
    }
}

fn servers(urls: &[String]) -> Result<Vec<ServerAddr>, ConfigError> {
    let parse = |url: &String| {
        let address: ServerAddr = url.parse().map_err(|error| {
            ConfigError::new("--nats-url", format!("{error}; write nats://host:port or tls://host:port"))
        })?;
        if !matches!(address.scheme(), "nats" | "tls") {
            return Err(ConfigError::new("--nats-url", "write nats://host:port or tls://host:port"));
        }
        if address.has_user_pass() {
            // It would show in the process list, and this connection is known by its NKey alone.
            return Err(ConfigError::new("--nats-url", "must not hold a user or password; use --nats-nkey-file"));
        }
        Ok(address)
    };
    urls.iter().map(parse).collect()
}

/// The client would try a broken seed for ever; a person should hear of it at once.
fn seed(args: &BusArgs) -> Result<String, ConfigError> {
    let seed = read_secret("--nats-nkey-file", &args.nats_nkey_file)?;
    let key = nkeys::KeyPair::from_seed(seed.expose());
    if key.is_ok_and(|key| matches!(key.key_pair_type(), nkeys::KeyPairType::User)) {
        return Ok(seed.expose().to_owned());
    }
    let problem = format!("{} holds no user's NKey seed (SU…)", args.nats_nkey_file.display());
    Err(ConfigError::new("--nats-nkey-file", problem))
}

fn delay(attempt: usize) -> Duration {
    let failures = u32::try_from(attempt).unwrap_or(u32::MAX).saturating_sub(1);
    if failures == 0 { Duration::ZERO } else { RECONNECT.pause(failures, rand::random()) }
}

fn context(client: &async_nats::Client) -> jetstream::Context {
    ContextBuilder::new().timeout(API_LIMIT).build(client.clone())
}

fn listener(metrics: BusMetrics) -> impl Fn(Event) -> std::future::Ready<()> + Send + Sync + 'static {
    move |event| {
        match &event {
            Event::Connected => {
                metrics.connected(true);
                tracing::info!("connected to the bus");
            }
            Event::Disconnected | Event::Closed => {
                metrics.connected(false);
                tracing::warn!("lost the connection to the bus; trying for ever");
            }
            // What a service may do is a list of subjects; a violation is a wrong list or a service gone wrong.
            Event::ServerError(error) => tracing::error!(%error, "the bus refused something"),
            Event::ClientError(error) => tracing::warn!(%error, "cannot connect to the bus; trying for ever"),
            other => tracing::info!(event = %other, "bus"),
        }
        std::future::ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: &str, seed: &str, dir: &tempfile::TempDir) -> BusArgs {
        let file = dir.path().join("nkey");
        std::fs::write(&file, seed).expect("write");
        BusArgs {
            nats_url: vec![url.to_owned()],
            nats_nkey_file: file,
            nats_monitor_url: vec!["http://127.0.0.1:1".to_owned()],
            nats_ca: None,
        }
    }

    fn a_seed() -> String {
        nkeys::KeyPair::new_user().seed().expect("seed")
    }

    #[tokio::test]
    async fn a_service_starts_without_the_bus() {
        let dir = tempfile::tempdir().expect("dir");
        let args = args("nats://127.0.0.1:1", &format!("{}\n", a_seed()), &dir);
        let bus = Bus::connect(&args, "custos-legal-hold").await.expect("bus");
        assert!(!bus.is_connected());
        assert_eq!(bus.service(), "legal-hold");
        assert!(bus.client.new_inbox().starts_with("_INBOX_legal-hold."), "{}", bus.client.new_inbox());
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_named() {
        let dir = tempfile::tempdir().expect("dir");
        let account = nkeys::KeyPair::new_account().seed().expect("seed");
        for (url, seed, option) in [
            ("nats://127.0.0.1:1", "SUANOTASEED", "--nats-nkey-file"),
            ("nats://127.0.0.1:1", account.as_str(), "--nats-nkey-file"),
            ("nats://u:p@127.0.0.1:1", &a_seed(), "--nats-url"),
            ("http://127.0.0.1:1", &a_seed(), "--nats-url"),
            ("nats://:::", &a_seed(), "--nats-url"),
        ] {
            let error = Bus::connect(&args(url, seed, &dir), "x").await.expect_err(url).to_string();
            assert!(error.starts_with(option), "{error}");
            assert!(!error.contains(seed), "{error}");
        }
        let mut blind = args("nats://127.0.0.1:1", &a_seed(), &dir);
        blind.nats_monitor_url = vec!["127.0.0.1:8222".to_owned()];
        let error = Bus::connect(&blind, "x").await.expect_err("no scheme").to_string();
        assert!(error.starts_with("--nats-monitor-url"), "{error}");
    }

    #[test]
    fn the_first_attempt_is_made_at_once() {
        assert_eq!(delay(1), Duration::ZERO);
        assert!(delay(2) >= RECONNECT.first / 2);
        assert!(delay(usize::MAX) <= RECONNECT.most);
    }
}
