//! GET /v1/eligible: items whose deletion may be proposed. A list and nothing more: no article orders a deletion, and nothing is
//! ever deleted because it stands here (requirements 1.7, point 1).

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{
    ids::{TenantId, UnitPath},
    item::UnifiedCode,
    policy::Base,
};
use custos_platform::{
    http::{
        Problem,
        auth::{Person, Role},
        extract::{Json, Query},
        problem::Document,
    },
    item::StoredItem,
    vault::StoreError,
};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Retention, error::RetentionError, ledger::Entry, obligations::KeptItem};

/// Most items of one page: each is looked up in the store.
const MOST: i64 = 100;

/// What is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The agency; the asker's own when absent, and no other.
    tenant: Option<String>,
    /// A unit below the asker's own; the asker's own when absent.
    unit: Option<String>,
    /// Where the last page ended: its `next`.
    after: Option<String>,
    /// At most so many candidates are looked at for one page (1 to 100, default 50).
    limit: Option<i64>,
}

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Eligible {
    /// Items whose obligations have ended, whose locks have run out and on which the store has no hold, the oldest first.
    pub items: Vec<KeptItem>,
    /// How many more of this page's candidates the store still locks or holds.
    pub still_kept: usize,
    /// Pass as `after` for the next page; absent on the last.
    pub next: Option<String>,
    /// Why nothing of this agency is ever eligible, when that is so.
    #[schema(value_type = Option<Object>)]
    pub never: Option<custos_domain::policy::Words>,
}

/// Items whose deletion may be proposed, as the store has them at this moment. A page may hold fewer than asked for, or none,
/// and still not be the last: see `next`.
#[utoipa::path(
    get,
    path = "/v1/eligible",
    tag = "retention",
    params(Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = Eligible),
        (status = 403, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn eligible(
    State(retention): State<Arc<Retention>>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Json<Eligible>, Problem> {
    person.require(&[Role::Archivist, Role::Leader, Role::Admin])?;
    let page = asked.checked(&person)?;
    person.require_scope(&page.tenant, &page.unit)?;
    let policy = retention.policies.get(&page.tenant).map_err(RetentionError::from)?;
    // What is recorded says the same of every item; this says it of the agency, and a second time.
    if let Base::Unset { reason, .. } = &policy.base {
        return Ok(Json(Eligible { items: Vec::new(), still_kept: 0, next: None, never: Some(reason.clone()) }));
    }
    Ok(Json(retention.eligible_page(&page).await?))
}

/// A request whose values are right.
struct Page {
    tenant: TenantId,
    unit: UnitPath,
    after: Option<(Timestamp, UnifiedCode)>,
    limit: i64,
}

impl Asked {
    fn checked(self, person: &Person) -> Result<Page, Problem> {
        let tenant = self.tenant.as_deref().map(TenantId::parse).transpose();
        let tenant = tenant.map_err(|error| Problem::unreadable("tenant", &error))?;
        let unit = self.unit.as_deref().map(UnitPath::parse).transpose();
        let unit = unit.map_err(|error| Problem::unreadable("unit", &error))?;
        let limit = self.limit.unwrap_or(50);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::unprocessable(format!("limit: choose 1 to {MOST}")));
        }
        let after = self.after.as_deref().map(|text| {
            parse_place(text)
                .ok_or_else(|| Problem::unreadable("after", &"pass the `next` of an earlier page as it was given"))
        });
        Ok(Page {
            tenant: tenant.unwrap_or_else(|| person.tenant.clone()),
            unit: unit.unwrap_or_else(|| person.unit.clone()),
            after: after.transpose()?,
            limit,
        })
    }
}

impl Retention {
    async fn eligible_page(&self, page: &Page) -> Result<Eligible, RetentionError> {
        // The clock that decides is the one the store judges its locks by.
        let now = custos_platform::vault::skew::trusted_now(&self.vault, &self.clock).await?;
        let after = page.after.as_ref().map(|(at, code)| (*at, code));
        let candidates = self.ledger.ended(&page.tenant, &page.unit, now, after, page.limit).await?;
        let free = try_join_all(candidates.iter().map(|entry| self.is_free(entry, now))).await?;
        let full = i64::try_from(candidates.len()).is_ok_and(|count| count == page.limit);
        let next = candidates.last().filter(|_| full).and_then(place);
        let mut items = Vec::new();
        for (entry, free) in candidates.iter().zip(free) {
            if free {
                items.push(KeptItem::of(entry, &[], false));
            }
        }
        Ok(Eligible { still_kept: candidates.len() - items.len(), items, next, never: None })
    }

    /// Whether no hold stands by the log, and the store neither locks nor holds any version of the item. An item that is gone or
    /// disturbed is an incident, not a candidate.
    async fn is_free(&self, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        let Some(item) = StoredItem::find(&self.vault, &entry.code).await? else { return Ok(false) };
        if !item.disturbed.is_empty() || !self.history.holds(&entry.code, entry.ingested_at).await?.is_empty() {
            return Ok(false);
        }
        for object in &item.objects {
            let lock = match self.vault.lock_of(object).await {
                Err(error) if error.is_not_found() => return Ok(false),
                lock => lock?,
            };
            if lock.is_some_and(|until| until > now) || self.vault.is_held(object).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Where a page ended, as text.
fn place(entry: &Entry) -> Option<String> {
    entry.eligible_from.map(|at| format!("{}_{}", at.as_microsecond(), entry.code))
}

fn parse_place(text: &str) -> Option<(Timestamp, UnifiedCode)> {
    let (at, code) = text.split_once('_')?;
    Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, UnifiedCode::parse(code).ok()?))
}

#[cfg(test)]
mod tests {
    use custos_domain::{
        ids::{DeviceId, RecordingId, Segment},
        item::ItemKey,
    };

    use super::*;

    #[test]
    fn a_place_in_the_list_survives_as_text() {
        let code = UnifiedCode::of(ItemKey {
            tenant: TenantId::parse("E").expect("tenant"),
            device: DeviceId::parse("DSJ_0012").expect("device"),
            recording: RecordingId::parse("20261123_0007").expect("recording"),
            segment: Segment(3),
            variant: None,
        });
        let at: Timestamp = "2027-02-24T00:00+08".parse().expect("timestamp");
        let text = format!("{}_{code}", at.as_microsecond());
        assert_eq!(parse_place(&text), Some((at, code)));
        for text in ["", "_", "1_", "x_E-1", "99999999999999999999_E"] {
            assert_eq!(parse_place(text), None, "{text}");
        }
    }
}
