//! The files behind a TLS port, read again while it runs.
//!
//! A changed certificate serves new connections. A changed list of authorities or revocations also ends the connections
//! it no longer allows: what matters is who may talk now, not who could when the connection began.

mod files;
mod judge;

use std::{sync::Arc, time::Duration};

use custos_domain::station::{ShutOut, StationRegister};
use opentelemetry::{KeyValue, metrics::Counter, metrics::Gauge, metrics::Meter};
use rustls::{
    CertificateError, ServerConfig,
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
    time_provider::TimeProvider,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{ConfigError, TlsArgs},
    telemetry::counter,
};
use files::Files;

/// What new connections are accepted with, and old ones are judged by.
#[derive(Debug)]
pub struct TlsState {
    /// Accepts connections.
    pub config: Arc<ServerConfig>,
    /// Judges client certificates; absent when none are asked for.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl TlsState {
    /// Verifies a client's chain (its own certificate first) as a new connection's would be: authority, time, revocation.
    pub fn verify_peer(&self, chain: &[CertificateDer<'_>], clock: &Clock) -> Result<(), rustls::Error> {
        let (Some(verifier), Some((own, intermediates))) = (&self.verifier, chain.split_first()) else {
            return Ok(());
        };
        let now = WallTime(clock.clone()).current_time().ok_or(rustls::Error::FailedToGetCurrentTime)?;
        verifier.verify_client_cert(own, intermediates, now).map(|_verified| ())
    }
}

/// What a port asks of its callers' certificates, where it is given authorities to judge them by.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    /// Serve callers without a certificate too; handlers that need to know the caller refuse them. One that is shown is
    /// verified all the same.
    pub optional: bool,
    /// Revocations from elsewhere than a file; what the channel holds is looked at before the file's lists, and taken over as soon
    /// as it changes.
    pub revocations: Option<watch::Receiver<Revocations>>,
}

/// Whose certificates are refused although their authority is known and their time is not over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Revocation lists (RFC 5280, section 5), PEM.
    pub lists: Option<String>,
    /// Stations refused with every certificate from before, whoever signed it.
    pub shut_out: Vec<ShutOut>,
}

impl From<&StationRegister> for Revocations {
    fn from(register: &StationRegister) -> Self {
        Self { lists: register.revocations.clone(), shut_out: register.shut_out.clone() }
    }
}

/// Looks at the files and publishes what they make.
#[derive(Debug)]
pub struct Reloader {
    args: TlsArgs,
    clients: Clients,
    clock: Clock,
    current: Files,
    publish: watch::Sender<Arc<TlsState>>,
    reloads: Counter<u64>,
    ends: Gauge<f64>,
}

impl Reloader {
    /// Reads the files for the first time; every problem names its option.
    pub fn load(args: &TlsArgs, clients: Clients, clock: Clock, meter: &Meter) -> Result<Self, ConfigError> {
        let current = Files::read(args, clients.revocations())?;
        let (publish, _) = watch::channel(Arc::new(current.state(clients.optional, &clock)?));
        let reloads = counter(
            meter,
            "custos.tls.reloads",
            "{reload}",
            "Changed TLS files taken over or refused.",
            ["taken", "refused"].map(|outcome| [KeyValue::new("outcome", outcome)]),
        );
        let ends = meter
            .f64_gauge("custos.tls.valid_until.timestamp")
            .with_unit("s")
            .with_description("When the first of these files ends its validity, Unix time.")
            .build();
        let reloader = Self { args: args.clone(), clients, clock, current, publish, reloads, ends };
        reloader.show_ends();
        Ok(reloader)
    }

    /// The newest state, now and later.
    pub fn subscribe(&self) -> watch::Receiver<Arc<TlsState>> {
        self.publish.subscribe()
    }

    /// Looks at the files every [`TlsArgs::tls_reload`], and when the lists of revocations change, until `stop`. Files that
    /// cannot work change nothing but the log.
    pub async fn run(mut self, stop: CancellationToken) {
        let pause = self.args.tls_reload.max(Duration::from_millis(100));
        while stop.run_until_cancelled(self.clients.changed_within(pause)).await.is_some() {
            self.look().await;
        }
    }

    /// Looks now.
    pub async fn look(&mut self) {
        let (args, revocations) = (self.args.clone(), self.clients.revocations());
        // Fails only when the runtime ends.
        if let Ok(found) = tokio::task::spawn_blocking(move || Files::read(&args, revocations)).await {
            self.take(found);
        }
    }

    fn take(&mut self, found: Result<Files, ConfigError>) {
        let state = match found {
            Ok(files) if files == self.current => return,
            Ok(files) => files.state(self.clients.optional, &self.clock).map(|state| (files, state)),
            Err(error) => Err(error),
        };
        match state {
            Ok((files, state)) => {
                self.current = files;
                self.publish.send_replace(Arc::new(state));
                self.reloads.add(1, &[KeyValue::new("outcome", "taken")]);
                self.show_ends();
                tracing::info!("changed TLS files taken over");
            }
            // A pair caught half replaced is whole at the next look.
            Err(error) => {
                self.reloads.add(1, &[KeyValue::new("outcome", "refused")]);
                tracing::warn!(%error, "changed TLS files cannot be used; going on with the last good ones");
            }
        }
    }

    /// Something to alert on: an expired list still revokes, but a newer one is overdue.
    #[expect(clippy::cast_precision_loss, reason = "seconds of this millennium fit a double exactly")]
    fn show_ends(&self) {
        for (file, end) in self.current.ends() {
            self.ends.record(end.as_second() as f64, &[KeyValue::new("file", file)]);
        }
    }
}

impl Clients {
    /// What the channel holds now.
    fn revocations(&self) -> Revocations {
        self.revocations.as_ref().map(|revocations| revocations.borrow().clone()).unwrap_or_default()
    }

    /// Waits until the channel's value changes, at most for `pause`.
    async fn changed_within(&mut self, pause: Duration) {
        let changed = async {
            let known = match &mut self.revocations {
                Some(lists) => lists.changed().await.is_ok(),
                None => false,
            };
            if !known {
                std::future::pending::<()>().await;
            }
        };
        // The time being over is the usual case.
        let _ = tokio::time::timeout(pause, changed).await;
    }
}

/// Why a handshake failed or a certificate was refused, as a label with few values.
pub fn reason(error: &rustls::Error) -> &'static str {
    use rustls::Error::{AlertReceived, InvalidCertificate, NoCertificatesPresented};
    match error {
        NoCertificatesPresented => "no_certificate",
        InvalidCertificate(CertificateError::Revoked) => "revoked",
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => "expired",
        InvalidCertificate(CertificateError::UnknownIssuer) => "unknown_authority",
        InvalidCertificate(CertificateError::UnknownRevocationStatus) => "unknown_revocation_status",
        InvalidCertificate(_) => "bad_certificate",
        AlertReceived(_) => "refused_by_client",
        _ => "protocol",
    }
}

/// Every value of [`reason`].
pub const REASONS: [&str; 8] = [
    "no_certificate",
    "revoked",
    "expired",
    "unknown_authority",
    "unknown_revocation_status",
    "bad_certificate",
    "refused_by_client",
    "protocol",
];

/// Our clock in rustls's words.
#[derive(Debug)]
struct WallTime(Clock);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
