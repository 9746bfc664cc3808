//! One item's row, from its facts.

use custos_domain::{
    declaration::ClockOffset,
    digest::{Crc64, Root, Sha256, Sm3},
    fact::{Act, IncidentClass},
    ids::{DeviceId, DockingId, OfficerId, RecordingId, StationId, TenantId, UnitPath, UploadId},
    item::{ItemKind, UnifiedCode},
    manifest::StoredObject,
};
use jiff::{Timestamp, civil::DateTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Deposit, Evidence, IncidentRecord, Known, SealDigests,
    holds::{self, HoldInStore, HoldRecord},
    kept::{self, Class, Standing},
};

/// Everything the catalogue knows of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ItemRecord {
    /// 統一編碼 (D-12.2).
    #[schema(value_type = String)]
    pub code: UnifiedCode,
    /// The agency.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// The recorder.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The act of recording.
    #[schema(value_type = String)]
    pub recording: RecordingId,
    /// The file's position in it.
    pub segment: u16,
    /// Names the bytes, when others were already kept for the same segment.
    pub variant: Option<String>,
    /// What was known at intake.
    #[serde(flatten)]
    #[schema(inline)]
    pub intake: Intake,
    /// The manifest.
    #[schema(value_type = Object)]
    pub manifest: StoredObject,
    /// Whether the bytes were re-read and agreed.
    pub state: State,
    /// SHA-256, from the seal.
    #[schema(value_type = Option<String>)]
    pub sha256: Option<Sha256>,
    /// SM3, from the seal.
    #[schema(value_type = Option<String>)]
    pub sm3: Option<Sm3>,
    /// When the re-read ended.
    #[schema(value_type = Option<String>)]
    pub sealed_at: Option<Timestamp>,
    /// The seal.
    #[schema(value_type = Option<Object>)]
    pub seal: Option<StoredObject>,
    /// When the erase permit was issued.
    #[schema(value_type = Option<String>)]
    pub permitted_at: Option<Timestamp>,
    /// What there is to look at.
    pub playback: Playback,
    /// The store's lock as last read back; never shortened.
    #[schema(value_type = String)]
    pub locked_until: Timestamp,
    /// From when on a deletion may be proposed; none while anything asks for a hold or no period is known.
    #[schema(value_type = Option<String>)]
    pub eligible_from: Option<Timestamp>,
    /// How long it is kept, in one word.
    pub class: Class,
    /// Whether it may not be let go: a reason stands, or the store's hold is on.
    pub held: bool,
    /// The store's legal hold as last read back.
    pub hold_in_store: Option<HoldInStore>,
    /// Every hold, ended ones too.
    pub holds: Vec<HoldRecord>,
    /// Every obligation that was stated, the strongest first.
    pub obligations: Vec<Standing>,
    /// Incidents nobody has closed.
    pub open_incidents: u32,
}

/// What was known of an item at intake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Intake {
    /// Video, photograph or audio.
    #[schema(value_type = String)]
    pub kind: ItemKind,
    /// The unit that deposited.
    #[schema(value_type = String)]
    pub unit: UnitPath,
    /// The station.
    #[schema(value_type = String)]
    pub station: StationId,
    /// The wearer, when known.
    #[schema(value_type = Option<String>)]
    pub officer: Option<OfficerId>,
    /// The docking in which the file was found.
    #[schema(value_type = String)]
    pub docking: DockingId,
    /// The upload that brought the bytes.
    #[schema(value_type = String)]
    pub upload: UploadId,
    /// Path on the recorder.
    pub file_name: String,
    /// The rule that understood the name.
    pub naming_rule: Option<String>,
    /// Whether no rule did.
    pub unknown_name: bool,
    /// 重點文件: the wearer pressed the key-file button.
    pub key_file: bool,
    /// Bytes.
    pub length: u64,
    /// BLAKE3.
    #[schema(value_type = String)]
    pub root: Root,
    /// CRC64NVME.
    #[schema(value_type = String)]
    pub crc: Crc64,
    /// The locked original.
    #[schema(value_type = Object)]
    pub original: StoredObject,
    /// Start by the recorder's own clock. Evidence, never an anchor.
    #[schema(value_type = Option<String>)]
    pub started_at_device: Option<DateTime>,
    /// How wrong that clock was.
    #[schema(value_type = Option<Object>)]
    pub clock: Option<ClockOffset>,
    /// Start less the measured error; for searching.
    #[schema(value_type = Option<String>)]
    pub started_at: Option<Timestamp>,
    /// When ingest committed. Every period counts from here.
    #[schema(value_type = String)]
    pub ingested_at: Timestamp,
}

/// Whether the stored bytes are what was deposited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// 入庫: stored, locked, described; not re-read yet.
    Deposited,
    /// 封存: re-read, and it agreed.
    Sealed,
    /// Re-read, and it did not agree.
    Mismatched,
}

/// What there is to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Playback {
    /// `pending`, or how the derivation ended, such as `playable`, `still_image`, `undecodable`.
    pub outcome: String,
    /// Why, when it is not playable.
    pub detail: Option<String>,
    /// Milliseconds of footage, when it could be told.
    pub duration_ms: Option<u64>,
    /// When it was derived.
    #[schema(value_type = Option<String>)]
    pub derived_at: Option<Timestamp>,
    /// The derivation's record.
    #[schema(value_type = Option<Object>)]
    pub derivation: Option<StoredObject>,
}

impl State {
    /// Its stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deposited => "deposited",
            Self::Sealed => "sealed",
            Self::Mismatched => "mismatched",
        }
    }
}

/// The item's row, from its facts in order of time.
pub(super) fn fold(facts: &[Known], incidents: &[IncidentRecord]) -> Option<ItemRecord> {
    let (code, tenant, manifest, deposit) = facts.iter().find_map(deposited)?;
    let seal = facts.iter().find_map(sealed);
    let open = |incident: &&IncidentRecord| incident.closed.is_none();
    let holds = holds::fold(facts);
    let hold_in_store = holds::in_store(facts);
    let obligations = kept::obligations(facts);
    let held = holds.iter().any(HoldRecord::stands) || hold_in_store.as_ref().is_some_and(|hold| hold.on);
    let locked_until = kept::locked_until(deposit.locked_until, facts);
    let key = code.key();
    Some(ItemRecord {
        tenant: tenant.clone(),
        device: key.device.clone(),
        recording: key.recording.clone(),
        segment: key.segment.0,
        variant: key.variant.as_ref().map(|variant| variant.as_str().to_owned()),
        intake: Intake::of(deposit),
        manifest: manifest.clone(),
        state: state(seal.is_some(), incidents),
        sha256: seal.map(|(_, digests)| digests.sha256),
        sm3: seal.map(|(_, digests)| digests.sm3),
        sealed_at: seal.map(|(_, digests)| digests.sealed_at),
        seal: seal.map(|(object, _)| object.clone()),
        permitted_at: facts.iter().find_map(|k| matches!(k.fact.act, Act::PermitIssued { .. }).then_some(k.fact.at)),
        playback: playback(facts),
        locked_until,
        eligible_from: kept::eligible_from(locked_until, held, &obligations, &holds),
        class: kept::class(&obligations, &holds),
        held,
        hold_in_store,
        holds,
        obligations,
        open_incidents: u32::try_from(incidents.iter().filter(open).count()).unwrap_or(u32::MAX),
        code: code.clone(),
    })
}

fn deposited(known: &Known) -> Option<(&UnifiedCode, &TenantId, &StoredObject, &Deposit)> {
    match (known.fact.subject.code(), &known.fact.act, &known.evidence) {
        (Some(code), Act::Deposited { manifest, .. }, Some(Evidence::Manifest(deposit))) => {
            Some((code, &known.fact.tenant, manifest, deposit))
        }
        _ => None,
    }
}

fn sealed(known: &Known) -> Option<(&StoredObject, SealDigests)> {
    match (&known.fact.act, &known.evidence) {
        (Act::Sealed { seal }, Some(Evidence::Seal(digests))) => Some((seal, *digests)),
        _ => None,
    }
}

/// A mismatch that a person closed on a sealed item was looked into; without a seal nothing ever agreed.
fn state(sealed: bool, incidents: &[IncidentRecord]) -> State {
    let mut mismatches = incidents.iter().filter(|incident| incident.class == IncidentClass::Mismatch).peekable();
    let found = mismatches.peek().is_some();
    let open = mismatches.any(|incident| incident.closed.is_none());
    match (sealed, found) {
        (true, _) if !open => State::Sealed,
        (false, false) => State::Deposited,
        _ => State::Mismatched,
    }
}

/// The latest derivation: the derived bucket is rebuildable, and a later tool may do better.
fn playback(facts: &[Known]) -> Playback {
    let derived = facts.iter().rev().find_map(|known| match &known.fact.act {
        Act::Derived { outcome, detail, derivation, duration_ms } => Some(Playback {
            outcome: outcome.clone(),
            detail: detail.clone(),
            duration_ms: *duration_ms,
            derived_at: Some(known.fact.at),
            derivation: Some(derivation.clone()),
        }),
        _ => None,
    });
    let pending = || "pending".to_owned();
    derived.unwrap_or_else(|| Playback { outcome: pending(), detail: None, duration_ms: None, derived_at: None, derivation: None })
}

impl Intake {
    fn of(deposit: &Deposit) -> Self {
        let deposit = deposit.clone();
        Self {
            started_at: deposit.started_at(),
            unknown_name: deposit.naming_rule.is_none(),
            kind: deposit.kind,
            unit: deposit.unit,
            station: deposit.station,
            officer: deposit.officer,
            docking: deposit.docking,
            upload: deposit.upload,
            file_name: deposit.file_name,
            naming_rule: deposit.naming_rule,
            key_file: deposit.key_file,
            length: deposit.length,
            root: deposit.root,
            crc: deposit.crc,
            original: deposit.original,
            started_at_device: deposit.started_at_device,
            clock: deposit.clock,
            ingested_at: deposit.ingested_at,
        }
    }
}
