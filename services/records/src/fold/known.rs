//! What the fold works on: a fact, where it lies, and what the locked document it points to says.

use custos_domain::{
    calendar::SHANGHAI,
    declaration::{ClockOffset, Declaration},
    digest::{Crc64, Root, Sha256, Sm3},
    dsse::SignatureError,
    evidence::Evidence as Basis,
    fact::{Act, Fact, Subject},
    ids::{DockingId, OfficerId, StationId, UnitPath, UploadId},
    item::ItemKind,
    manifest::{Manifest, StoredObject},
    seal::Seal,
};
use jiff::{SignedDuration, Timestamp, civil::DateTime};
use serde::{Deserialize, Serialize};

/// A fact as the catalogue knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The fact.
    pub fact: Fact,
    /// Where it lies: of its key the oldest version (INV-7).
    pub object: StoredObject,
    /// What its document says, for facts that point to one the catalogue needs.
    pub evidence: Option<Evidence>,
}

/// What a locked document says, as far as the catalogue shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "document", rename_all = "snake_case")]
pub enum Evidence {
    /// The manifest of a deposit.
    Manifest(Box<Deposit>),
    /// The seal.
    Seal(SealDigests),
}

/// A deposit, by its manifest and the declaration in it, or what was said without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// Video, photograph or audio.
    pub kind: ItemKind,
    /// The unit that deposited.
    pub unit: UnitPath,
    /// The station that deposited.
    pub station: StationId,
    /// The wearer, when known.
    pub officer: Option<OfficerId>,
    /// Whether its station signed for the bytes.
    #[serde(default = "signed")]
    pub signed: bool,
    /// The docking in which the file was found; an unsigned client knows none.
    pub docking: Option<DockingId>,
    /// The upload that brought the bytes.
    pub upload: UploadId,
    /// Path on the recorder, made printable.
    pub file_name: String,
    /// The rule that understood the name; none for an unknown name.
    pub naming_rule: Option<String>,
    /// 重點文件.
    pub key_file: bool,
    /// Bytes.
    pub length: u64,
    /// BLAKE3.
    pub root: Root,
    /// CRC64NVME.
    pub crc: Crc64,
    /// The locked original.
    pub original: StoredObject,
    /// Start by the recorder's own clock.
    pub started_at_device: Option<DateTime>,
    /// How wrong that clock was.
    pub clock: Option<ClockOffset>,
    /// When ingest committed.
    pub ingested_at: Timestamp,
    /// The first lock.
    pub locked_until: Timestamp,
}

/// What the independent re-read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealDigests {
    /// SHA-256.
    pub sha256: Sha256,
    /// SM3.
    pub sm3: Sm3,
    /// When the re-read ended.
    pub sealed_at: Timestamp,
}

impl Known {
    /// What the fact is about, as the rows are grouped by it.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(&self.fact)
    }

    /// Whether it can change a row. Reading does not: an item that is looked at ten thousand times must not be computed from
    /// ten thousand facts.
    #[must_use]
    pub fn changes_rows(&self) -> bool {
        !READINGS.contains(&self.fact.act.name())
    }
}

/// Acts that change no row.
pub const READINGS: [&str; 2] = ["record_read", "catalogue_searched"];

/// What a fact is about, as a text that no other subject has.
#[must_use]
pub fn subject(fact: &Fact) -> String {
    let tenant = &fact.tenant;
    match &fact.subject {
        Subject::Item { code, .. } => format!("item/{code}"),
        Subject::Docking { station, docking } => format!("docking/{tenant}/{station}/{docking}"),
        Subject::Upload { upload } => format!("upload/{tenant}/{upload}"),
        Subject::Station { station } => format!("station/{tenant}/{station}"),
        Subject::Catalogue { day } => format!("catalogue/{day}"),
        // Stated to each agency: the store is everybody's.
        Subject::Store { day } => format!("store/{tenant}/{day}"),
    }
}

/// The document the catalogue needs to understand a fact.
#[must_use]
pub fn document_of(fact: &Fact) -> Option<&StoredObject> {
    match &fact.act {
        Act::Deposited { manifest, .. } => Some(manifest),
        Act::Sealed { seal } => Some(seal),
        _ => None,
    }
}

impl Deposit {
    /// What a manifest says. The declaration's signature was verified before ingest stored it.
    pub fn of(manifest: &Manifest) -> Result<Self, SignatureError> {
        let said = Said::of(&manifest.evidence)?;
        Ok(Self {
            kind: manifest.kind,
            unit: manifest.unit.clone(),
            station: manifest.station.clone(),
            officer: manifest.officer.clone(),
            signed: manifest.evidence.is_signed(),
            docking: said.docking,
            upload: manifest.upload.clone(),
            file_name: said.file_name,
            naming_rule: said.naming_rule,
            key_file: said.key_file,
            length: manifest.length,
            root: manifest.root,
            crc: manifest.crc,
            original: manifest.original.clone(),
            started_at_device: said.started_at_device,
            clock: said.clock,
            ingested_at: manifest.ingested_at,
            locked_until: manifest.locked_until,
        })
    }

    /// When the recording began, as well as it can be told: the recorder's wall clock in China less its measured error. For
    /// finding footage; no period ever counts from it (INV-11).
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        let by_device = SHANGHAI.to_timestamp(self.started_at_device?).ok()?;
        let error = SignedDuration::from_millis(self.clock.map_or(0, |clock| clock.offset_ms));
        by_device.checked_sub(error).ok()
    }
}

/// Deposits written down before there were others.
pub(super) fn signed() -> bool {
    true
}

/// What was said of an item, signed or not.
struct Said {
    docking: Option<DockingId>,
    file_name: String,
    naming_rule: Option<String>,
    key_file: bool,
    started_at_device: Option<DateTime>,
    clock: Option<ClockOffset>,
}

impl Said {
    fn of(evidence: &Basis) -> Result<Self, SignatureError> {
        match evidence {
            Basis::Declared(envelope) => envelope.peek().map(|declared: Declaration| Self {
                docking: Some(declared.docking),
                file_name: declared.file_name,
                naming_rule: declared.naming_rule,
                key_file: declared.key_file,
                started_at_device: declared.started_at_device,
                clock: declared.clock,
            }),
            Basis::Unsigned(said) => Ok(Self {
                docking: None,
                file_name: said.file_name.clone(),
                naming_rule: said.naming_rule.clone(),
                key_file: said.key_file,
                started_at_device: Some(said.started_at_device),
                clock: None,
            }),
        }
    }
}

impl From<&Seal> for SealDigests {
    fn from(seal: &Seal) -> Self {
        Self { sha256: seal.sha256, sm3: seal.sm3, sealed_at: seal.sealed_at }
    }
}
