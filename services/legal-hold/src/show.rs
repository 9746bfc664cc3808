//! GET: what is held, why, by whom, and what of it is in the store.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{ids::HoldId, item::UnifiedCode};
use custos_platform::{
    http::{
        Problem,
        auth::Person,
        extract::{Json, Path, Query},
        problem::Document,
    },
    item,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    LegalHold,
    error::LegalHoldError,
    hold::Hold,
    ledger::holds::Filter,
    view::{HoldView, StoreState},
};

/// Most holds of one page.
const MOST: i64 = 100;
/// The stages there are.
const STAGES: [&str; 4] = ["placed", "confirmed", "release_proposed", "released"];

/// Which holds to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Only those on this item.
    item: Option<String>,
    /// Only those at this stage: `placed`, `confirmed`, `release_proposed` or `released`.
    state: Option<String>,
    /// Where the last page ended: its `next`.
    after: Option<String>,
    /// At most so many (1 to 100, default 50).
    limit: Option<i64>,
}

/// One page of holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Holds {
    /// The newest first.
    pub holds: Vec<HoldView>,
    /// Pass as `after` for the next page; absent on the last.
    pub next: Option<String>,
}

/// The holds on one item.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemHolds {
    /// The unified code.
    pub code: String,
    /// Whether any reason stands.
    pub held: bool,
    /// What of it is in the store; absent for an item that was never held.
    pub store: Option<StoreState>,
    /// Every hold there ever was on it, the oldest first.
    pub holds: Vec<HoldView>,
}

/// Holds on items of the reader's unit and below, the newest first.
#[utoipa::path(
    get,
    path = "/v1/holds",
    tag = "holds",
    params(Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = Holds),
        (status = 400, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn list(
    State(service): State<Arc<LegalHold>>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Json<Holds>, Problem> {
    let Wanted { item, stage, after, limit } = asked.checked()?;
    let filter = Filter {
        tenant: &person.tenant,
        unit: &person.unit,
        item: item.as_ref(),
        stage: stage.as_deref(),
        after: after.as_ref(),
        limit,
    };
    let found = service.ledger.list(&filter).await.map_err(LegalHoldError::from)?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().filter(|_| full).map(|hold| hold.id.to_string());
    Ok(Json(Holds { holds: service.views(&found, &person).await?, next }))
}

/// A request whose values are right.
#[derive(Debug)]
struct Wanted {
    item: Option<UnifiedCode>,
    stage: Option<String>,
    after: Option<HoldId>,
    limit: i64,
}

impl Asked {
    fn checked(self) -> Result<Wanted, Problem> {
        let item = self.item.as_deref().map(UnifiedCode::parse).transpose();
        let after = self.after.as_deref().map(HoldId::parse).transpose();
        if let Some(state) = self.state.as_deref().filter(|state| !STAGES.contains(state)) {
            let why = format!("`{}` is none; choose one of {}", state.escape_debug(), STAGES.join(", "));
            return Err(Problem::unreadable("state", &why));
        }
        let limit = self.limit.unwrap_or(50);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::unprocessable(format!("limit: choose 1 to {MOST}")));
        }
        Ok(Wanted {
            item: item.map_err(|error| Problem::unreadable("item", &error))?,
            stage: self.state,
            after: after.map_err(|error| Problem::unreadable("after", &error))?,
            limit,
        })
    }
}

/// One hold.
#[utoipa::path(
    get,
    path = "/v1/holds/{id}",
    tag = "holds",
    params(("id" = String, Path, description = "The hold")),
    security(("token" = [])),
    responses(
        (status = 200, body = HoldView),
        (status = 400, body = Document),
        (status = 404, body = Document)
    )
)]
pub async fn one(
    State(service): State<Arc<LegalHold>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<HoldView>, Problem> {
    let id = HoldId::parse(&id).map_err(|error| Problem::bad_request(error.to_string()))?;
    let hold = service.ledger.hold(&id).await.map_err(LegalHoldError::from)?;
    let hold = hold.filter(|hold| hold.tenant == person.tenant);
    let view = match &hold {
        Some(hold) => service.views(std::slice::from_ref(hold), &person).await?.pop(),
        None => None,
    };
    // A hold whose items all belong to others is not even known to exist, except to the one who placed it.
    let own = hold.is_some_and(|hold| hold.placed_by == person.id);
    let visible = view.filter(|view| own || !view.items.is_empty());
    visible.map(Json).ok_or_else(|| Problem::not_found("there is no such hold; check the id"))
}

/// The holds on one item, ended ones too, and what of them is in the store.
#[utoipa::path(
    get,
    path = "/v1/items/{code}/holds",
    tag = "holds",
    params(("code" = String, Path, description = "The unified code")),
    security(("token" = [])),
    responses(
        (status = 200, body = ItemHolds),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 404, body = Document)
    )
)]
pub async fn of_item(
    State(service): State<Arc<LegalHold>>,
    person: Person,
    Path(code): Path<String>,
) -> Result<Json<ItemHolds>, Problem> {
    let code = UnifiedCode::parse(&code).map_err(|error| Problem::bad_request(error.to_string()))?;
    let unknown = || Problem::not_found("no item with this code was deposited; check the code");
    if code.key().tenant != person.tenant {
        return Err(unknown());
    }
    let Some(item) = service.ledger.item(&code).await.map_err(LegalHoldError::from)? else {
        let manifest = item::manifest(&service.vault, &code).await.map_err(LegalHoldError::from)?;
        person.require_scope(&code.key().tenant, &manifest.ok_or_else(unknown)?.unit)?;
        return Ok(Json(ItemHolds { code: code.to_string(), held: false, store: None, holds: Vec::new() }));
    };
    person.require_scope(item.item.tenant(), &item.item.unit)?;
    let holds = service.ledger.holds_on(&code).await.map_err(LegalHoldError::from)?;
    let (held, store) = (item.wanted, Some(StoreState::of(&item)));
    Ok(Json(ItemHolds { code: code.to_string(), held, store, holds: service.views(&holds, &person).await? }))
}

impl LegalHold {
    async fn views(&self, holds: &[Hold], reader: &Person) -> Result<Vec<HoldView>, LegalHoldError> {
        let mut views = Vec::with_capacity(holds.len());
        for hold in holds {
            views.push(HoldView::of(hold, &self.ledger.items_of(&hold.id).await?, reader));
        }
        Ok(views)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_400_and_what_cannot_be_accepted_is_422() {
        let asked = || Asked { item: None, state: None, after: None, limit: None };
        let text = |text: &str| Some(text.to_owned());
        for (asked, status, field) in [
            (Asked { item: text("E-1"), ..asked() }, 400, "item: "),
            (Asked { state: text("Placed"), ..asked() }, 400, "state: "),
            (Asked { after: text("../x"), ..asked() }, 400, "after: "),
            (Asked { limit: Some(0), ..asked() }, 422, "limit: "),
            (Asked { limit: Some(MOST + 1), ..asked() }, 422, "limit: "),
        ] {
            let problem = asked.checked().expect_err(field);
            assert!(problem.status() == status && problem.detail().starts_with(field), "{problem:?}");
        }
        let wanted = Asked { state: text("placed"), ..asked() }.checked().expect("wanted");
        assert_eq!((wanted.stage.as_deref(), wanted.limit), (Some("placed"), 50));
    }
}
