//! The store: the only place that names the S3 SDK.
//!
//! An S3 server is never trusted to have honoured a header: whoever locks something reads the lock back by version id (INV-3).
//! The doors, one file each, in an item's order:
//!
//! 1. [`documents`]: small objects, create-only or compare-and-set.
//! 2. [`multipart`]: the original's bytes, locked in the create call.
//! 3. [`read`]: by version id, in short ranges.
//! 4. [`locks`]: dated COMPLIANCE locks, which only ever grow.
//! 5. [`files`]: derivatives, unlocked.
//! 6. [`doors`]: legal holds, and the few deletes there are (intake and derived only).
//! 7. [`listing`]: walks by prefix; [`versions`]: walks over everything there is.
//! 8. [`skew`]: is the clock that lock dates are computed from the store's?
//! 9. [`probe`]: whether the server keeps what all of this rests on.

pub mod documents;
pub mod doors;
mod error;
pub mod files;
pub mod listing;
pub mod locks;
mod metrics;
pub mod multipart;
pub mod probe;
pub mod read;
pub mod skew;
pub mod versions;

use std::{future::Future, path::PathBuf, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_types::DateTime;
use custos_domain::keys::Buckets;
use jiff::Timestamp;
use tracing::Instrument;

pub use error::StoreError;

use crate::config::{ConfigError, read_secret};

/// How to reach the store, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub struct StoreArgs {
    /// Endpoint of the S3-compatible store.
    #[arg(long, env = "CUSTOS_S3_ENDPOINT")]
    pub s3_endpoint: String,
    /// Region the store answers for.
    #[arg(long, env = "CUSTOS_S3_REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// File with the access key of this service's own user.
    #[arg(long, env = "CUSTOS_S3_ACCESS_KEY_FILE")]
    pub s3_access_key_file: PathBuf,
    /// File with the secret key of this service's own user.
    #[arg(long, env = "CUSTOS_S3_SECRET_KEY_FILE")]
    pub s3_secret_key_file: PathBuf,
    /// Bucket of originals, manifests and seals (Object Lock).
    #[arg(long, env = "CUSTOS_S3_ORIGINALS", default_value = "custos-originals")]
    pub s3_originals: String,
    /// Bucket of what is under way (no lock).
    #[arg(long, env = "CUSTOS_S3_INTAKE", default_value = "custos-intake")]
    pub s3_intake: String,
    /// Bucket of facts (Object Lock).
    #[arg(long, env = "CUSTOS_S3_LOG", default_value = "custos-log")]
    pub s3_log: String,
    /// Bucket of playback copies (no lock, rebuildable).
    #[arg(long, env = "CUSTOS_S3_DERIVED", default_value = "custos-derived")]
    pub s3_derived: String,
    /// Bucket in which the store is tried (Object Lock); holds nothing else.
    #[arg(long, env = "CUSTOS_S3_PROBE", default_value = "custos-probe")]
    pub s3_probe: String,
}

/// The store as one service may use it.
#[derive(Debug, Clone)]
pub struct Vault {
    /// Metadata and small documents: ten seconds, retried.
    control: Client,
    /// Parts and ranges: a minute for 8 MiB, tried once; the caller knows what to look at before trying again.
    data: Client,
    /// Complete: no time-out and no retry. A MinIO client that goes away during Complete destroys the upload (4–25 %, tried).
    complete: Client,
    buckets: Buckets,
    endpoint: String,
    http: reqwest::Client,
}

impl Vault {
    /// Prepares the clients; does not talk to the store.
    pub fn new(args: &StoreArgs) -> Result<Self, ConfigError> {
        // What is tried there includes deleting.
        let others = [&args.s3_originals, &args.s3_intake, &args.s3_log, &args.s3_derived];
        if others.contains(&&args.s3_probe) {
            return Err(ConfigError::new(
                "--s3-probe",
                "names a bucket that holds something; give it a bucket of its own",
            ));
        }
        let access = read_secret("--s3-access-key-file", &args.s3_access_key_file)?;
        let secret = read_secret("--s3-secret-key-file", &args.s3_secret_key_file)?;
        let credentials = Credentials::new(access.expose(), secret.expose(), None, None, "custos");
        // A dead server drains a client's retry budget: each class of call has a client, and a budget, of its own.
        let client = |timeout: Option<u64>, attempts: u32| {
            let mut timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5));
            if let Some(seconds) = timeout {
                timeouts = timeouts.operation_attempt_timeout(Duration::from_secs(seconds));
            }
            Client::from_conf(
                aws_sdk_s3::Config::builder()
                    .behavior_version(BehaviorVersion::v2026_01_12())
                    .endpoint_url(&args.s3_endpoint)
                    .region(Region::new(args.s3_region.clone()))
                    .credentials_provider(credentials.clone())
                    .force_path_style(true)
                    // Explicit checksums on in-memory bodies: no aws-chunked, which several servers refuse.
                    .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                    .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
                    .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                    .retry_config(RetryConfig::standard().with_max_attempts(attempts))
                    .timeout_config(timeouts.build())
                    .build(),
            )
        };
        Ok(Self {
            control: client(Some(10), 3),
            data: client(Some(60), 1),
            complete: client(None, 1),
            buckets: Buckets {
                originals: args.s3_originals.clone(),
                intake: args.s3_intake.clone(),
                log: args.s3_log.clone(),
                derived: args.s3_derived.clone(),
                probe: args.s3_probe.clone(),
            },
            endpoint: args.s3_endpoint.clone(),
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(5))
                .build()
                .map_err(|e| ConfigError::new("--s3-endpoint", e.to_string()))?,
        })
    }

    /// The buckets' names.
    #[must_use]
    pub fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// Whether the store answers this service's credential at all; for readiness.
    pub async fn reachable(&self, bucket: &str) -> Result<(), StoreError> {
        let ask = self.control.list_objects_v2().bucket(bucket).max_keys(1).prefix("readiness/").send();
        call("ListObjectsV2", ask).await.map(drop)
    }

    /// The store's clock by its `Date` header, in whole seconds.
    ///
    /// Lock dates are judged by the store's clock, so whoever computes one must know how far apart the two are.
    async fn clock(&self) -> Result<Timestamp, StoreError> {
        let unavailable = |detail: String| StoreError::Unavailable { operation: "Date", detail };
        let answer = self.http.head(&self.endpoint).send().await.map_err(|e| unavailable(e.to_string()))?;
        let date = answer.headers().get("date").and_then(|v| v.to_str().ok()).unwrap_or_default();
        jiff::fmt::rfc2822::parse(date)
            .map(|zoned| zoned.timestamp())
            .map_err(|_| unavailable(format!("the store sent no usable Date header: `{}`", date.escape_debug())))
    }
}

/// Sends one request: a client span, a latency measurement, and the error in our own words.
async fn call<T, E>(
    operation: &'static str,
    request: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, StoreError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let span = tracing::debug_span!("vault.call", otel.name = operation, otel.kind = "client", rpc.system = "aws-api");
    let started = std::time::Instant::now();
    // Boxed: an SDK request is a future of some 16 KiB, and would swell every future that awaits it.
    let result = Box::pin(request.instrument(span)).await.map_err(|error| StoreError::of(operation, &error));
    let outcome = result.as_ref().err().map_or("ok", StoreError::class);
    metrics::observe(operation, outcome, started.elapsed());
    result
}

/// A lock date as the store takes it: whole seconds, rounded up. MinIO keeps milliseconds and then refuses the same second with
/// smaller ones (tried).
fn lock_date(until: Timestamp) -> DateTime {
    DateTime::from_secs(until.as_second() + i64::from(until.subsec_nanosecond() > 0))
}

/// A date of the store, to the second.
fn timestamp(date: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(date.secs()).ok()
}
