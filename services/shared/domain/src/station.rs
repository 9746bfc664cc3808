//! The register of stations (採集站): which there are, what each may do, and whose certificates are revoked.
//!
//! One signed document in the store's intake bucket ([`crate::keys::STATION_REGISTER`]), replaced as a whole. Ingest depends on
//! the store alone, so what it must know of stations lies there too; the signature keeps whoever may write sessions from
//! registering stations.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    dsse::Document,
    ids::{StationId, TenantId, UnitPath},
};

/// The whole register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationRegister {
    /// Grows by every change. A reader that has seen a higher one does not go back: an old register would undo a revocation.
    pub sequence: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Every station there is, by agency and id.
    pub stations: Vec<Registration>,
    /// The authority's list of revoked certificates (RFC 5280, section 5), PEM; absent before there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocations: Option<String>,
    /// Stations that were shut out at some time: the list above speaks for one authority's certificates, this for every one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shut_out: Vec<ShutOut>,
}

/// A station whose older certificates are refused, whoever signed them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutOut {
    /// Its agency.
    pub tenant: TenantId,
    /// Itself.
    pub station: StationId,
    /// Certificates that begin before this are refused; in whole seconds, as certificates have them.
    pub before: Timestamp,
}

/// What is known of one station.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Its agency.
    pub tenant: TenantId,
    /// Its unit.
    pub unit: UnitPath,
    /// Itself.
    pub station: StationId,
    /// Whether it may deposit without a signed declaration: a third party's dock, any tus client. The manifest then says that
    /// nobody signed.
    #[serde(default)]
    pub plain: bool,
}

impl StationRegister {
    /// The registration of a station of an agency.
    #[must_use]
    pub fn find(&self, tenant: &TenantId, station: &StationId) -> Option<&Registration> {
        self.stations.iter().find(|known| &known.tenant == tenant && &known.station == station)
    }
}

impl ShutOut {
    /// Whether it is about this station.
    #[must_use]
    pub fn is_of(&self, tenant: &TenantId, station: &StationId) -> bool {
        &self.tenant == tenant && &self.station == station
    }
}

impl Document for StationRegister {
    const TYPE: &'static str = "application/vnd.custos.station-register+json";
}
