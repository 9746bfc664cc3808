//! The services: the variables each one is started with.

use std::{ffi::OsString, path::Path};

use custos_domain::keys::Buckets;

use crate::{
    certificates::{Authority, Identity},
    config::StackConfig,
    folders::{self, Folders},
    launch::Launch,
    part::Part,
    ports::Ports,
    provision::{database::DATABASE, store},
    secrets::{Owner, Secret, Secrets},
    servers::minio,
    tokens,
};

/// What every service is started with.
#[derive(Debug)]
pub struct Setting<'a> {
    /// What the stack is to be like.
    pub config: &'a StackConfig,
    /// Where everything is kept.
    pub folders: &'a Folders,
    /// The stack's ports.
    pub ports: Ports,
    /// The stack's credentials.
    pub secrets: &'a Secrets,
    /// The stack's certificates.
    pub authority: &'a Authority,
    /// More variables for single services, over those set here.
    pub environment: &'a [(Part, String, String)],
}

/// How to start `service`.
pub fn launch(setting: &Setting<'_>, service: Part) -> anyhow::Result<Launch> {
    // Scratch space; what a service left there when it was killed is of no use to anyone.
    let scratch = setting.folders.data(service);
    folders::create(&scratch)?;
    let mut variables = Variables::default();
    variables.set("HOME", &scratch);
    variables.set("TMPDIR", &scratch);
    variables.set("LANG", "C.UTF-8");
    setting.shell(service, &mut variables);
    setting.store(service, &mut variables);
    setting.bus(service, &mut variables);
    setting.database(service, &mut variables);
    if service.has_api() {
        setting.api(service, &mut variables);
    }
    setting.work(service, &mut variables);
    if service == Part::Transcode {
        variables.set("CUSTOS_SCRATCH", scratch.join("work"));
    }
    for (part, name, value) in setting.environment {
        if *part == service {
            variables.set(name, value);
        }
    }
    Ok(Launch {
        program: setting.config.binaries.join(format!("custos-{service}")),
        arguments: vec![],
        environment: variables.0,
        log: setting.folders.log(service),
        pid_file: setting.folders.pid(service),
        never_root: false,
        detached: setting.config.detached,
    })
}

impl Setting<'_> {
    fn shell(&self, service: Part, variables: &mut Variables) {
        variables.set("CUSTOS_ADMIN_LISTEN", format!("127.0.0.1:{}", self.ports.admin(service)));
        variables.set("CUSTOS_LOG_FORMAT", "text");
        variables.set("NO_COLOR", "1");
        variables.set("CUSTOS_LOG", &self.config.log);
        if let Some(endpoint) = &self.config.otlp_endpoint {
            variables.set("CUSTOS_OTLP_ENDPOINT", endpoint);
        }
    }

    fn store(&self, service: Part, variables: &mut Variables) {
        let Buckets { originals, intake, log, derived, probe } = store::buckets();
        let owner = Owner::Service(service);
        variables.set("CUSTOS_S3_ENDPOINT", format!("http://127.0.0.1:{}", self.ports.work(Part::Minio)));
        variables.set("CUSTOS_S3_REGION", minio::REGION);
        variables.set("CUSTOS_S3_ACCESS_KEY_FILE", self.secrets.file(owner, Secret::S3AccessKey));
        variables.set("CUSTOS_S3_SECRET_KEY_FILE", self.secrets.file(owner, Secret::S3SecretKey));
        variables.set("CUSTOS_S3_ORIGINALS", originals);
        variables.set("CUSTOS_S3_INTAKE", intake);
        variables.set("CUSTOS_S3_LOG", log);
        variables.set("CUSTOS_S3_DERIVED", derived);
        variables.set("CUSTOS_S3_PROBE", probe);
    }

    fn bus(&self, service: Part, variables: &mut Variables) {
        let seed = self.secrets.file(Owner::Service(service), Secret::NatsSeed);
        variables.set("CUSTOS_NATS_URL", format!("nats://127.0.0.1:{}", self.ports.work(Part::Nats)));
        variables.set("CUSTOS_NATS_NKEY_FILE", seed);
        variables.set("CUSTOS_NATS_MONITOR_URL", format!("http://127.0.0.1:{}", self.ports.admin(Part::Nats)));
    }

    fn database(&self, service: Part, variables: &mut Variables) {
        let Some(role) = service.schema() else { return };
        let port = self.ports.work(Part::Postgres);
        let password = self.secrets.file(Owner::Service(service), Secret::DatabasePassword);
        let url = format!("postgres://{role}@127.0.0.1:{port}/{DATABASE}?sslmode=disable");
        variables.set("CUSTOS_DATABASE_URL", url);
        variables.set("CUSTOS_DATABASE_PASSWORD_FILE", password);
    }

    fn api(&self, service: Part, variables: &mut Variables) {
        let Identity { certificate, key } = self.authority.server(service);
        variables.set("CUSTOS_LISTEN", format!("127.0.0.1:{}", self.ports.work(service)));
        variables.set("CUSTOS_TLS_CERT", certificate);
        variables.set("CUSTOS_TLS_KEY", key);
        variables.set("CUSTOS_TLS_RELOAD", "1");
        variables.set("CUSTOS_POLICIES", &self.config.policies);
        // Docks sign in with their station's certificate, people with a token.
        if matches!(service, Part::Ingest | Part::Stations) {
            variables.set("CUSTOS_CLIENT_CA", self.authority.root().certificate);
            variables.set("CUSTOS_CLIENT_CRL", self.authority.revocations());
        }
        if service == Part::Ingest {
            return;
        }
        variables.set("CUSTOS_JWKS", self.folders.jwks());
        variables.set("CUSTOS_JWT_ISSUER", tokens::ISSUER);
        variables.set("CUSTOS_JWT_AUDIENCE", tokens::AUDIENCE);
    }

    fn work(&self, service: Part, variables: &mut Variables) {
        if matches!(service, Part::Ingest | Part::Hashing) {
            let key = self.secrets.file(Owner::Service(service), Secret::SigningKey);
            variables.set("CUSTOS_SIGNING_KEY_FILE", key);
        }
        if service == Part::Stations {
            // The register that was there before the service was signed with the same key.
            variables.set("CUSTOS_SIGNING_KEY_FILE", self.secrets.file(Owner::Admin, Secret::RegisterKey));
            let Identity { certificate, key } = self.authority.station_authority();
            variables.set("CUSTOS_STATION_CA_CERT", certificate);
            variables.set("CUSTOS_STATION_CA_KEY_FILE", key);
        }
        if matches!(service, Part::Ingest | Part::Hashing) {
            variables.set("CUSTOS_TRUST_FILE", self.folders.trust());
        }
        if service == Part::Ingest {
            variables.set("CUSTOS_REGISTER_SECONDS", "2");
        }
        if matches!(service, Part::Ingest | Part::Retention | Part::LegalHold) {
            variables.set("CUSTOS_SETTLE_SECONDS", self.config.settle_seconds.to_string());
        }
        if matches!(service, Part::Ingest | Part::Records) {
            variables.set("CUSTOS_RECONCILE_SECONDS", self.config.reconcile_seconds.to_string());
        }
        if service == Part::Transcode {
            variables.set("CUSTOS_SCRATCH", self.folders.data(service).join("scratch"));
        }
    }
}

/// Environment variables; a later value replaces an earlier one.
#[derive(Debug, Default)]
struct Variables(Vec<(String, OsString)>);

impl Variables {
    fn set(&mut self, name: &str, value: impl AsRef<Path>) {
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.to_owned(), value.as_ref().as_os_str().to_owned()));
    }
}
