//! GET /v1/obligations/{code}: why an item is kept, and until when.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{hold::Permanence, item::UnifiedCode, policy::Words};
use custos_platform::{
    http::{
        Problem,
        auth::Person,
        extract::{Json, Path},
        problem::Document,
    },
    item,
    vault::StoreError,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Retention,
    decide::{self, Standing},
    error::RetentionError,
    history::StandingHold,
    ledger::{Entry, kind},
};

/// Why an item is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptItem {
    /// The unified code.
    pub code: String,
    /// The unit that deposited it.
    pub unit: String,
    /// When it was ingested: every period counts from here.
    #[schema(value_type = String, format = DateTime)]
    pub ingested_at: Timestamp,
    /// From when on a deletion may be proposed; absent while an obligation without an end, or a hold, stands.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub eligible_from: Option<Timestamp>,
    /// Whether the item may not be let go whatever its dates say: an obligation without an end stands, or a hold that a person
    /// placed, or the store's legal hold is on.
    pub held: bool,
    /// The holds that stand by the custody log; a hold placed this very moment may be on its way there.
    pub holds: Vec<Hold>,
    /// The store's lock.
    pub lock: LockState,
    /// Every obligation, the strongest first.
    pub obligations: Vec<Duty>,
}

/// One hold (保全).
#[derive(Debug, Serialize, ToSchema)]
pub struct Hold {
    /// Its id, for the legal-hold service.
    pub id: String,
    /// The article it rests on, such as `E-14.1`.
    pub cite: String,
    /// What happened, in the words of the one who asked.
    pub text: String,
    /// Whether it is for ever.
    pub permanent: bool,
}

impl Hold {
    fn of(hold: &StandingHold) -> Self {
        let StandingHold { id, reason, permanence } = hold;
        let permanent = *permanence == Permanence::Permanent;
        Self { id: id.to_string(), cite: reason.cite.to_string(), text: reason.text.clone(), permanent }
    }
}

/// The store's lock, as last read.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockState {
    /// Every version of the item is locked at least until then.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// When the lock was last set or extended.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// When it was last read again past the settle time and found in order; absent until then, since a power cut can undo what
    /// the store acknowledged a moment before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<Timestamp>,
}

/// One obligation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Duty {
    /// `dated`, `open`, `unset` or `permanent`.
    pub kind: &'static str,
    /// The article, such as `B-4.6b`.
    pub cite: String,
    /// The version of the policy file that asked for it.
    pub policy_version: u32,
    /// The lock it asks of the store.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Why, as a sentence.
    #[schema(value_type = Object)]
    pub because: Words,
}

impl Duty {
    pub(crate) fn of(standing: &Standing) -> Self {
        Self {
            kind: kind(&standing.obligation),
            cite: standing.obligation.cite().to_string(),
            policy_version: standing.policy_version,
            until: standing.until,
            because: standing.obligation.explain(),
        }
    }
}

impl KeptItem {
    /// The record of an item, with the holds that stand and whether the store's legal hold is on.
    pub(crate) fn of(entry: &Entry, holds: &[StandingHold], held_by_store: bool) -> Self {
        let kept = decide::kept(&entry.standing);
        let mut obligations: Vec<Duty> = Vec::new();
        for obligation in &kept.because {
            let standing = entry.standing.iter().find(|standing| standing.obligation == *obligation);
            obligations.extend(standing.map(Duty::of));
        }
        let held = kept.hold || held_by_store || !holds.is_empty();
        Self {
            code: entry.code.to_string(),
            unit: entry.unit.to_string(),
            ingested_at: entry.ingested_at,
            eligible_from: entry.eligible_from.filter(|_| !held),
            held,
            holds: holds.iter().map(Hold::of).collect(),
            lock: LockState {
                until: entry.recorded.until,
                changed_at: entry.changed_at,
                confirmed_at: entry.confirmed_at,
            },
            obligations,
        }
    }
}

/// Why an item is kept until when, by every article that asks for it.
#[utoipa::path(
    get,
    path = "/v1/obligations/{code}",
    tag = "retention",
    params(("code" = String, Path, description = "The unified code")),
    security(("token" = [])),
    responses(
        (status = 200, body = KeptItem),
        (status = 403, body = Document),
        (status = 404, body = Document)
    )
)]
pub async fn obligations(
    State(retention): State<Arc<Retention>>,
    person: Person,
    Path(code): Path<String>,
) -> Result<Json<KeptItem>, Problem> {
    let code = UnifiedCode::parse(&code).map_err(|error| Problem::bad_request(error.to_string()))?;
    // Another agency's items are not even known to exist.
    let unknown = || {
        Problem::not_found(
            "nothing is recorded of an item with this code; it may not have been sealed yet, or the code is wrong",
        )
    };
    if code.key().tenant != person.tenant {
        return Err(unknown());
    }
    let entry = retention.ledger.find(&code).await.map_err(RetentionError::from)?.ok_or_else(unknown)?;
    person.require_scope(&entry.tenant, &entry.unit)?;
    let (holds, held) = retention.holds_on(&entry).await.map_err(RetentionError::from)?;
    Ok(Json(KeptItem::of(&entry, &holds, held)))
}

impl Retention {
    /// The holds that stand on an item, and whether the store's legal hold is on for its original.
    async fn holds_on(&self, entry: &Entry) -> Result<(Vec<StandingHold>, bool), StoreError> {
        let holds = self.history.holds(&entry.code, entry.ingested_at).await?;
        let manifest = item::manifest(&self.vault, &entry.code).await?;
        let held = match manifest {
            Some(manifest) => match self.vault.is_held(&manifest.original).await {
                // An incident of its own, not a hold.
                Err(error) if error.is_not_found() => false,
                held => held?,
            },
            None => false,
        };
        Ok((holds, held))
    }
}
