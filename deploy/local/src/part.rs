//! The processes of a stack.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One process of the stack: a server from elsewhere or a service of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The S3 store; MinIO, unless the stack was asked for another one.
    Minio,
    /// The bus.
    Nats,
    /// The database.
    Postgres,
    /// Takes footage from docks.
    Ingest,
    /// Reads it again and seals it.
    Hashing,
    /// Makes playback copies.
    Transcode,
    /// Extends locks.
    Retention,
    /// Places and releases holds.
    LegalHold,
    /// The catalogue.
    Records,
    /// The register of stations, and their certificates.
    Stations,
}

impl Part {
    /// The servers, which every service needs.
    pub const SERVERS: [Self; 3] = [Self::Minio, Self::Nats, Self::Postgres];

    /// The services, along an item's way.
    pub const SERVICES: [Self; 7] =
        [Self::Ingest, Self::Hashing, Self::Transcode, Self::Retention, Self::LegalHold, Self::Records, Self::Stations];

    /// Every part, in the order in which they start.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        Self::SERVERS.into_iter().chain(Self::SERVICES)
    }

    /// The part's name in folders, log files and the status table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minio => "minio",
            Self::Nats => "nats",
            Self::Postgres => "postgres",
            Self::Ingest => "ingest",
            Self::Hashing => "hashing",
            Self::Transcode => "transcode",
            Self::Retention => "retention",
            Self::LegalHold => "legal-hold",
            Self::Records => "records",
            Self::Stations => "stations",
        }
    }

    /// Whether it is a service of ours.
    pub fn is_service(self) -> bool {
        Self::SERVICES.contains(&self)
    }

    /// Whether people or docks talk to it over HTTPS.
    pub fn has_api(self) -> bool {
        matches!(self, Self::Ingest | Self::Retention | Self::LegalHold | Self::Records | Self::Stations)
    }

    /// The schema and role it owns in the database, if it keeps anything there.
    pub fn schema(self) -> Option<&'static str> {
        match self {
            Self::Retention => Some("retention"),
            Self::LegalHold => Some("legal_hold"),
            Self::Records => Some("records"),
            Self::Stations => Some("stations"),
            _ => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
