//! Facts: every custody act, once, typed, and durable in the store before anybody is told.
//!
//! The catalogue is built from facts alone, and the tamper-evident custody log will be. So nothing custody-relevant may happen
//! without one (INV-5), and whatever is worth knowing about an act must be in its fact or in a locked document it points to.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    calendar,
    declaration::ClockOffset,
    dsse::KeyId,
    hold::{HoldReason, Permanence},
    ids::{DeviceId, DockingId, FactId, HoldId, OfficerId, PersonId, StationId, TenantId, UnitPath, UploadId},
    item::{ItemKind, UnifiedCode},
    manifest::StoredObject,
    policy::Obligation,
};

/// One custody act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Derived from what happened to what, so that a step run twice states one fact; see [`fact_id`].
    pub id: FactId,
    /// When it happened, by the acting service's clock.
    pub at: Timestamp,
    /// The agency it concerns.
    pub tenant: TenantId,
    /// The unit it concerns, when one does.
    pub unit: Option<UnitPath>,
    /// Who acted.
    pub actor: Actor,
    /// The fact that led to it, when one did.
    pub cause: Option<FactId>,
    /// What it is about.
    pub subject: Subject,
    /// What happened.
    pub act: Act,
    /// W3C `traceparent` of the trace it happened in; one item is one trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// A service, by its name and version.
    Service {
        /// Such as `ingest`.
        name: String,
        /// Such as `0.1.0`.
        version: String,
    },
    /// A station, by its certificate.
    Station {
        /// The station.
        station: StationId,
    },
    /// A person, by their token.
    Person {
        /// The `sub` claim.
        person: PersonId,
        /// The person's unit at that time.
        unit: UnitPath,
    },
}

/// What a fact is about; decides where it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Subject {
    /// An item, with the Shanghai calendar day it was ingested: an item's facts lie together under that day, whenever they happen.
    Item {
        /// The item.
        code: UnifiedCode,
        /// Its ingest day.
        day: Date,
    },
    /// A docking.
    Docking {
        /// The station.
        station: StationId,
        /// The docking.
        docking: DockingId,
    },
    /// An upload that became no item.
    Upload {
        /// The upload.
        upload: UploadId,
    },
    /// A station: that it may hand in at all.
    Station {
        /// The station.
        station: StationId,
    },
    /// The catalogue as a whole, on a day.
    Catalogue {
        /// The day.
        day: Date,
    },
    /// The store as a whole, on a day.
    Store {
        /// The day.
        day: Date,
    },
}

impl Subject {
    /// The item with this code, ingested at `ingested_at`.
    #[must_use]
    pub fn item(code: &UnifiedCode, ingested_at: Timestamp) -> Self {
        Self::Item { code: code.clone(), day: calendar::day(ingested_at) }
    }

    /// The item's code, when it is about one.
    #[must_use]
    pub fn code(&self) -> Option<&UnifiedCode> {
        match self {
            Self::Item { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// What happened. Additive: a variant is never renamed, a field never changes its meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Act {
    /// 採集: a recorder was connected; the list it then held makes clips that never arrive visible (D-11.3).
    DockOpened {
        /// The recorder.
        device: DeviceId,
        /// The wearer, when known.
        officer: Option<OfficerId>,
        /// Every file found.
        files: Vec<DeviceFile>,
        /// The recorder's clock against the station's, before it was set (D-7).
        clock: Option<ClockOffset>,
        /// What the recorder says it made, by the names in its own description: against what arrived (D-11.3).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        counters: BTreeMap<String, u64>,
    },
    /// The docking ended.
    DockClosed {
        /// The recorder.
        device: DeviceId,
        /// Items with a receipt.
        deposited: Vec<UnifiedCode>,
        /// Listed files that an item with a receipt was made of, by name: two copies on a recorder are one item. Empty in facts
        /// of before this was told.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        arrived: Vec<String>,
        /// Files without one, each with the reason.
        left: Vec<LeftFile>,
        /// Files erased from the recorder under a permit.
        erased: u32,
    },
    /// 入庫: an item is stored, locked and described.
    Deposited {
        /// Video, photograph or audio.
        item_kind: ItemKind,
        /// The manifest.
        manifest: StoredObject,
    },
    /// Bytes arrived but what the store holds is not what was asked for; no item came of it.
    DepositRejected {
        /// What was found.
        reason: String,
        /// The object that stays locked without a manifest, when there is one.
        original: Option<StoredObject>,
    },
    /// An upload ended without an item, and what the store and the intake bucket still held of it was dropped.
    UploadAbandoned {
        /// The recorder whose file it was.
        device: DeviceId,
        /// The file, as declared.
        file_name: String,
        /// Bytes declared.
        length: u64,
        /// When anything last came for it, by the store's clock.
        touched: Timestamp,
        /// Why it was given up.
        reason: String,
    },
    /// 封存: the locked version was re-read and agreed.
    Sealed {
        /// The seal.
        seal: StoredObject,
    },
    /// The recorder may be erased of this item.
    PermitIssued {
        /// The permit.
        permit: StoredObject,
    },
    /// 衍生: a playback copy, or the named reason why there is none.
    Derived {
        /// Such as `playable`, `still_image`, `undecodable`.
        outcome: String,
        /// Why, in words, when it is not playable.
        detail: Option<String>,
        /// The derivation's record in the derived bucket.
        derivation: StoredObject,
        /// Milliseconds of footage, when it could be told.
        duration_ms: Option<u64>,
    },
    /// 鎖定: the store's lock was set or extended on original, manifest, outboard and seal together.
    LockExtended {
        /// The date read back from the store.
        until: Timestamp,
        /// What asked for it.
        obligation: Obligation,
        /// The policy file's version.
        policy_version: u32,
        /// The versions it now holds for.
        objects: Vec<StoredObject>,
    },
    /// 保全: a person or a policy asked for a hold on the item.
    HoldPlaced {
        /// The hold.
        hold: HoldId,
        /// Why.
        reason: HoldReason,
        /// Whether it is for ever.
        permanence: Permanence,
    },
    /// The leader confirmed the hold.
    HoldConfirmed {
        /// The hold.
        hold: HoldId,
        /// Whether it is for ever; then the lock goes to the horizon as well.
        permanence: Permanence,
        /// What the leader wrote.
        note: String,
    },
    /// The first of two people asked for the hold to end.
    HoldReleaseProposed {
        /// The hold.
        hold: HoldId,
        /// Why its reason ended.
        note: String,
    },
    /// The second of two people let the hold end.
    HoldReleased {
        /// The hold.
        hold: HoldId,
        /// What the second person wrote.
        note: String,
    },
    /// The store's legal hold was switched on every version of the item and read back.
    HoldApplied {
        /// On, while at least one reason stands.
        on: bool,
        /// Whether it was read back again past the settle time (a power cut undoes an acknowledged hold).
        settled: bool,
        /// The versions it now holds for.
        objects: Vec<StoredObject>,
    },
    /// Something is wrong that a person must close.
    IncidentOpened {
        /// What is wrong.
        class: IncidentClass,
        /// In words: expected and found.
        detail: String,
    },
    /// A person closed an incident.
    IncidentClosed {
        /// The fact that opened it.
        incident: FactId,
        /// What was found and done.
        note: String,
    },
    /// A person read the item's record (分級授權 and 登記: ).
    RecordRead {
        /// What was shown, such as `item`, `timeline`, `playback`.
        view: String,
    },
    /// A person searched the catalogue.
    CatalogueSearched {
        /// The filters as given.
        query: String,
        /// Rows shown.
        results: u32,
    },
    /// An administrator entered a station in the register.
    StationRegistered {
        /// Whether it may deposit without a signed declaration.
        plain: bool,
    },
    /// An administrator was given a one-time code with which the station can have a certificate issued.
    EnrolmentCodeIssued {
        /// When the code is no longer good.
        until: Timestamp,
    },
    /// The station got a certificate for a one-time code.
    StationEnrolled {
        /// The certificate.
        certificate: IssuedCertificate,
    },
    /// The station got its next certificate for the one it had.
    StationRenewed {
        /// The next certificate.
        certificate: IssuedCertificate,
        /// Serial number of the one it had, lower-case hexadecimal.
        replaces: String,
    },
    /// A person shut the station out: its certificates and codes are void.
    StationRevoked {
        /// Why.
        reason: String,
        /// Serial numbers of the certificates that are revoked by it, lower-case hexadecimal.
        certificates: Vec<String>,
    },
}

impl Act {
    /// The act's stable name: in documents, subjects, metrics and identifiers.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::DockOpened { .. } => "dock_opened",
            Self::DockClosed { .. } => "dock_closed",
            Self::Deposited { .. } => "deposited",
            Self::DepositRejected { .. } => "deposit_rejected",
            Self::UploadAbandoned { .. } => "upload_abandoned",
            Self::Sealed { .. } => "sealed",
            Self::PermitIssued { .. } => "permit_issued",
            Self::Derived { .. } => "derived",
            Self::LockExtended { .. } => "lock_extended",
            Self::HoldPlaced { .. } => "hold_placed",
            Self::HoldConfirmed { .. } => "hold_confirmed",
            Self::HoldReleaseProposed { .. } => "hold_release_proposed",
            Self::HoldReleased { .. } => "hold_released",
            Self::HoldApplied { .. } => "hold_applied",
            Self::IncidentOpened { .. } => "incident_opened",
            Self::IncidentClosed { .. } => "incident_closed",
            Self::RecordRead { .. } => "record_read",
            Self::CatalogueSearched { .. } => "catalogue_searched",
            Self::StationRegistered { .. } => "station_registered",
            Self::EnrolmentCodeIssued { .. } => "enrolment_code_issued",
            Self::StationEnrolled { .. } => "station_enrolled",
            Self::StationRenewed { .. } => "station_renewed",
            Self::StationRevoked { .. } => "station_revoked",
        }
    }
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentClass {
    /// The re-read disagrees with the manifest.
    Mismatch,
    /// Other bytes came for a recording and segment that already has an item.
    Variant,
    /// The store did not keep what it acknowledged.
    StoreFault,
    /// The recorder's clock is further off than the policy allows (D-7).
    Clock,
    /// A lock or hold is not what it must be.
    LockDrift,
    /// The store holds a version or a delete marker that no step of ours made, or that nobody was given a receipt for.
    ForeignVersion,
    /// Somebody tried to become a station with a code that was used by another, or to renew a certificate that was renewed.
    Enrolment,
}

impl IncidentClass {
    /// The class's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Variant => "variant",
            Self::StoreFault => "store_fault",
            Self::Clock => "clock",
            Self::LockDrift => "lock_drift",
            Self::ForeignVersion => "foreign_version",
            Self::Enrolment => "enrolment",
        }
    }
}

/// A certificate that a station was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// The station's key; it also signs its declarations.
    pub key: KeyId,
    /// When the certificate is no longer good.
    pub until: Timestamp,
}

/// A file on a recorder as listed at docking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFile {
    /// Path on the recorder, made printable.
    pub name: String,
    /// Bytes.
    pub length: u64,
}

/// A file that stayed on the recorder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftFile {
    /// Path on the recorder, made printable.
    pub name: String,
    /// Why it was not deposited.
    pub reason: String,
}

/// The id of the fact that `act` happened to `subject`: the same when a step runs twice, another for each `discriminator`
/// (a hold's id, a lock's date, a random id where each time counts).
#[must_use]
pub fn fact_id(act: &str, subject: &Subject, discriminator: &str) -> FactId {
    let subject = serde_json::to_string(subject).unwrap_or_default();
    let mut hasher = blake3::Hasher::new_derive_key("custos 2026 fact id");
    for part in [act, &subject, discriminator] {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part.as_bytes());
    }
    let digest = hasher.finalize().to_hex();
    FactId::made(format!("{act}-{}", &digest[..32]))
}

#[cfg(test)]
mod tests;
