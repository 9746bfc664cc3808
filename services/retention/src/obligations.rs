//! GET /v1/obligations/{code}: why an item is kept, and until when.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{item::UnifiedCode, policy::Words};
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Path},
    problem::Document,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Retention,
    decide::{self, Standing},
    error::RetentionError,
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
    /// From when on a deletion may be proposed; absent while an obligation without an end stands.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub eligible_from: Option<Timestamp>,
    /// Whether an obligation without an end stands.
    pub held: bool,
    /// The store's lock.
    pub lock: LockState,
    /// Every obligation, the strongest first.
    pub obligations: Vec<Duty>,
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
    pub(crate) fn of(entry: &Entry) -> Self {
        let kept = decide::kept(&entry.standing);
        let mut obligations: Vec<Duty> = Vec::new();
        for obligation in &kept.because {
            let standing = entry.standing.iter().find(|standing| standing.obligation == *obligation);
            obligations.extend(standing.map(Duty::of));
        }
        Self {
            code: entry.code.to_string(),
            unit: entry.unit.to_string(),
            ingested_at: entry.ingested_at,
            eligible_from: entry.eligible_from,
            held: kept.hold,
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
#[utoipa::path(get, path = "/v1/obligations/{code}", tag = "retention", params(("code" = String, Path, description = "The unified code")), security(("token" = [])), responses((status = 200, body = KeptItem), (status = 401, body = Document), (status = 403, body = Document), (status = 404, body = Document), (status = 503, body = Document)))]
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
    Ok(Json(KeptItem::of(&entry)))
}
