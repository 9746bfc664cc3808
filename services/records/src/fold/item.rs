//! One item's row, from its facts.

use custos_domain::{
    digest::{Sha256, Sm3},
    fact::{Act, IncidentClass},
    ids::{DeviceId, RecordingId, TenantId},
    item::UnifiedCode,
    manifest::StoredObject,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Deposit, Evidence, IncidentRecord, Intake, Known, SealDigests,
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
    let (code, manifest, deposit) = facts.iter().find_map(deposited)?;
    let seal = facts.iter().find_map(sealed);
    let open = |incident: &&IncidentRecord| incident.closed.is_none();
    let holds = holds::fold(facts);
    let hold_in_store = holds::in_store(facts);
    let obligations = kept::obligations(facts);
    let held = holds.iter().any(HoldRecord::stands) || hold_in_store.as_ref().is_some_and(|hold| hold.on);
    let locked_until = kept::locked_until(deposit.locked_until, facts);
    let key = code.key();
    Some(ItemRecord {
        tenant: key.tenant.clone(),
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

fn deposited(known: &Known) -> Option<(&UnifiedCode, &StoredObject, &Deposit)> {
    match (known.fact.subject.code(), &known.fact.act, &known.evidence) {
        (Some(code), Act::Deposited { manifest, .. }, Some(Evidence::Manifest(deposit))) => {
            Some((code, manifest, deposit))
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
    derived.unwrap_or_else(|| Playback {
        outcome: pending(),
        detail: None,
        duration_ms: None,
        derived_at: None,
        derivation: None,
    })
}
