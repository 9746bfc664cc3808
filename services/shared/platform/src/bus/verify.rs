use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::Bus;
use crate::{backoff::Backoff, config::ConfigError};

/// The first release whose `sync_interval: always` holds for everything we use.
const OLDEST: (u32, u32, u32) = (2, 10, 23);
/// Longest wait for the monitoring port; shorter than a readiness check.
const LIMIT: Duration = Duration::from_millis(1500);
/// Between attempts of [`Bus::trusted`].
const RETRY: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(10) };

/// Why the bus is not to be trusted with an acknowledgement.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its monitoring port does not answer as one does. Passes, usually.
    #[error("{monitor} cannot be asked whether the bus syncs its messages: {problem}")]
    Unreachable {
        /// The monitoring port.
        monitor: String,
        /// What went wrong.
        problem: String,
    },
    /// Too old.
    #[error("nats-server at {monitor} is {version}; run 2.10.23 or newer, older ones lose acknowledged messages")]
    TooOld {
        /// The monitoring port.
        monitor: String,
        /// The server's version.
        version: String,
    },
    /// Without JetStream.
    #[error(
        "nats-server at {monitor} runs without JetStream; add `jetstream {{ sync_interval: always }}` to its configuration"
    )]
    NoJetStream {
        /// The monitoring port.
        monitor: String,
    },
    /// Acknowledges first, and syncs up to two minutes later: a power cut loses what was acknowledged.
    #[error(
        "nats-server at {monitor} acknowledges before it syncs; set `sync_interval: always` in the `jetstream` block of its \
         configuration"
    )]
    NotSynced {
        /// The monitoring port.
        monitor: String,
    },
}

impl VerifyError {
    /// Whether a person has to change something before this can work.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Unreachable { .. })
    }
}

impl Bus {
    /// Asks every server whether it syncs each message before acknowledging it, and whether it is new enough.
    pub async fn verify(&self) -> Result<(), VerifyError> {
        for monitor in &self.shared.monitors {
            let unreachable = |problem: String| VerifyError::Unreachable { monitor: monitor.clone(), problem };
            let answer = self.shared.http.get(format!("{monitor}/varz")).send().await;
            let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|e| unreachable(why(&e)))?;
            let varz: Varz = answer.json().await.map_err(|e| unreachable(why(&e)))?;
            judge(monitor, &varz)?;
        }
        Ok(())
    }

    /// Waits until the bus is known to be trustworthy. Fails when it is known not to be; returns early, with nothing known,
    /// when the service stops.
    pub(crate) async fn trusted(&self, soft: &CancellationToken) -> Result<(), VerifyError> {
        let mut failures = 0;
        loop {
            match soft.run_until_cancelled(self.verify()).await {
                None | Some(Ok(())) => return Ok(()),
                Some(Err(error)) if error.is_permanent() => return Err(error),
                Some(Err(error)) => tracing::warn!(%error, "not listening to the bus yet"),
            }
            failures += 1;
            soft.run_until_cancelled(tokio::time::sleep(RETRY.pause(failures, rand::random()))).await;
        }
    }
}

/// The monitoring ports without a slash at the end.
pub(super) fn monitors(urls: &[String]) -> Result<Vec<String>, ConfigError> {
    let parse = |url: &String| {
        let legal =
            url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).is_some_and(|rest| !rest.is_empty());
        let problem =
            || ConfigError::new("--nats-monitor-url", "write http://host:port, such as http://127.0.0.1:8222");
        if legal { Ok(url.trim_end_matches('/').to_owned()) } else { Err(problem()) }
    };
    urls.iter().map(parse).collect()
}

pub(super) fn http_client() -> Result<reqwest::Client, ConfigError> {
    let client = reqwest::Client::builder().no_proxy().timeout(LIMIT).build();
    client.map_err(|error| ConfigError::new("--nats-monitor-url", why(&error)))
}

/// What we look at in `/varz`.
#[derive(Debug, Deserialize)]
struct Varz {
    version: String,
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Debug, Default, Deserialize)]
struct JetStream {
    /// Absent when JetStream is off.
    config: Option<JetStreamConfig>,
}

#[derive(Debug, Deserialize)]
struct JetStreamConfig {
    /// Absent when it is not so (tried with 2.15.2).
    #[serde(default)]
    sync_always: bool,
}

fn judge(monitor: &str, varz: &Varz) -> Result<(), VerifyError> {
    let monitor = monitor.to_owned();
    if version(&varz.version).is_none_or(|version| version < OLDEST) {
        let version = varz.version.escape_debug().take(40).collect();
        return Err(VerifyError::TooOld { monitor, version });
    }
    match &varz.jetstream.config {
        None => Err(VerifyError::NoJetStream { monitor }),
        Some(config) if !config.sync_always => Err(VerifyError::NotSynced { monitor }),
        Some(_) => Ok(()),
    }
}

/// `2.10.23`, also with something like `-RC.1` behind it.
fn version(text: &str) -> Option<(u32, u32, u32)> {
    let (release, _) = text.split_once(['-', '+']).unwrap_or((text, ""));
    let mut numbers = release.split('.').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Some((major, minor, patch)),
        _ => None,
    }
}

/// The whole chain: reqwest's own message hides the cause.
fn why(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(varz: &str) -> Result<(), VerifyError> {
        judge("http://m:8222", &serde_json::from_str(varz).expect("varz"))
    }

    #[test]
    fn a_server_that_syncs_is_taken() {
        assert!(
            judged(r#"{"version":"2.15.2","jetstream":{"config":{"sync_interval":120000000000,"sync_always":true}}}"#)
                .is_ok()
        );
        assert!(judged(r#"{"version":"2.10.23-RC.1","jetstream":{"config":{"sync_always":true}}}"#).is_ok());
    }

    #[test]
    fn one_that_does_not_is_refused_with_what_to_set() {
        let error = judged(r#"{"version":"2.15.2","jetstream":{"config":{"sync_interval":120000000000}}}"#)
            .expect_err("refused");
        assert!(matches!(error, VerifyError::NotSynced { .. }) && error.is_permanent());
        assert!(error.to_string().contains("set `sync_interval: always`"), "{error}");
        let error = judged(r#"{"version":"2.15.2","jetstream":{}}"#).expect_err("refused");
        assert!(matches!(error, VerifyError::NoJetStream { .. }), "{error}");
        for old in ["2.10.22", "2.9.10", "1.99.99", "2.11", "new"] {
            let error = judged(&format!(r#"{{"version":"{old}","jetstream":{{"config":{{"sync_always":true}}}}}}"#));
            assert!(matches!(error, Err(VerifyError::TooOld { .. })), "{old}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("2.9.30") < version("2.10.3"));
        assert_eq!(version("2.11.0+x"), Some((2, 11, 0)));
        assert_eq!(version("2.11.0.1"), None);
    }
}
