//! What a stack is to be like.

use std::path::{Path, PathBuf};

use crate::part::Part;

/// The S3 server of a stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Server {
    /// MinIO, the one Custos is run on.
    #[default]
    Minio,
    /// SeaweedFS, which the tests try beside it; `deploy/local/install seaweedfs` brings it. Every service has an administrator's
    /// rights there: it does not read the policies in `deploy/s3`.
    SeaweedFs,
}

/// What a stack is to be like; made by [`StackConfig::local`] or [`StackConfig::test`] and changed where needed.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Where it keeps everything; `None` for a temporary folder that goes with the stack.
    pub folder: Option<PathBuf>,
    /// Where the programs of the services are.
    pub binaries: PathBuf,
    /// Where `deploy/local/install` has put MinIO, mc and nats-server.
    pub servers: PathBuf,
    /// Which S3 server it has.
    pub store: Server,
    /// The retention policies of the agencies.
    pub policies: PathBuf,
    /// Where the sample recorders are kept once made; shared by all stacks of a repository.
    pub samples: PathBuf,
    /// The services to run. The three servers run always.
    pub services: Vec<Part>,
    /// Seconds after which what the store acknowledged counts as settled (`CUSTOS_SETTLE_SECONDS`).
    pub settle_seconds: u64,
    /// Seconds between two sweeps of the reconcilers (`CUSTOS_RECONCILE_SECONDS`).
    pub reconcile_seconds: u64,
    /// Whether the processes outlive the one that started them.
    pub detached: bool,
    /// Where services send their traces.
    pub otlp_endpoint: Option<String>,
    /// Which log lines services write (`CUSTOS_LOG`).
    pub log: String,
    /// More variables for single services, over those the stack sets.
    pub environment: Vec<(Part, String, String)>,
}

impl StackConfig {
    /// The stack of `deploy/local/up` in the repository at `root`.
    pub fn local(root: &Path) -> Self {
        Self {
            folder: Some(root.join("deploy/local/run")),
            binaries: binaries(root),
            servers: root.join("deploy/local/servers"),
            store: Server::default(),
            policies: root.join("deploy/policies"),
            samples: root.join("target/sample-recorders"),
            services: Part::SERVICES.to_vec(),
            settle_seconds: 15,
            reconcile_seconds: 30,
            detached: true,
            otlp_endpoint: None,
            log: "info".to_owned(),
            environment: vec![],
        }
    }

    /// A stack for one test: in a temporary folder, gone with the test, impatient.
    pub fn test() -> Self {
        Self {
            folder: None,
            settle_seconds: 1,
            reconcile_seconds: 2,
            detached: false,
            log: "info,custos=debug".to_owned(),
            ..Self::local(&repository())
        }
    }

    /// The same with these services and no others.
    #[must_use]
    pub fn with_services(mut self, services: &[Part]) -> Self {
        self.services = services.to_vec();
        self
    }

    /// The same on another S3 server.
    #[must_use]
    pub fn with_store(mut self, store: Server) -> Self {
        self.store = store;
        self
    }

    /// The same with one more variable for one service.
    #[must_use]
    pub fn with_env(mut self, service: Part, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((service, name.to_owned(), value.into()));
        self
    }
}

/// The repository from which this crate was built.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("/")).to_owned()
}

/// Where cargo puts the programs of a development build.
fn binaries(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("debug")
}
