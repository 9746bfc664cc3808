//! POST /v1/holds: a person asks for a hold. It is decided when it is in the database; that it is in the store is said only when it
//! is.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use custos_domain::{
    hold::{HoldReason, Permanence},
    ids::HoldId,
    item::UnifiedCode,
    policy::Cite,
};
use custos_platform::{
    db::Moment,
    http::{
        Problem,
        auth::{Person, Role},
        extract::Json,
        problem::Document,
    },
    item,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    LegalHold,
    error::LegalHoldError,
    facts,
    hold::{Hold, Origin},
    ledger::ItemRef,
    metrics, rule, text,
    view::HoldView,
};

/// Most items of one hold.
const MOST: usize = 500;
/// Manifests read side by side.
const SIDE_BY_SIDE: usize = 16;
/// Who may ask for a hold.
const MAY_PLACE: [Role; 5] = [Role::Officer, Role::Leader, Role::LegalReviewer, Role::Archivist, Role::Admin];

/// A hold that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Unified codes, 1 to 500.
    #[schema(min_items = 1, max_items = 500)]
    pub items: Vec<String>,
    /// The article it rests on: a rule of the agency's policy, such as `E-14.1`.
    pub cite: String,
    /// What happened: 1 to 2000 characters.
    pub text: String,
    /// `open`, or `permanent` where the article says so.
    #[schema(value_type = String)]
    pub permanence: Permanence,
}

/// One item a hold cannot be put on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct BadItem {
    item: String,
    problem: String,
}

/// Places a hold on 1 to 500 items at once. All of them, or none: an item it cannot be put on is named in `items` of the problem.
/// With an `Idempotency-Key` the same request sent again answers the same hold.
#[utoipa::path(
    post,
    path = "/v1/holds",
    tag = "holds",
    request_body = NewHold,
    params(
        (
            "Idempotency-Key" = Option<String>,
            Header,
            description = "1 to 64 printable ASCII characters, chosen anew for every hold"
        )
    ),
    security(("token" = [])),
    responses(
        (status = 201, body = HoldView),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn place(
    State(service): State<Arc<LegalHold>>,
    person: Person,
    headers: HeaderMap,
    Json(new): Json<NewHold>,
) -> Result<Response, Problem> {
    person.require(&MAY_PLACE)?;
    let key = text::idempotency_key(&headers)?;
    let asked = new.checked(&service, &person)?;
    if let Some(key) = &key
        && let Some(before) =
            service.ledger.asked(&person.tenant, &person.id, key).await.map_err(LegalHoldError::from)?
    {
        return service.placed_before(&before, &asked, &person).await;
    }
    let items = service.known_items(&asked.items, &person).await?;
    let hold = service.new_hold(&asked, &person);
    if !service.write(&hold, key.as_deref(), &items, &person).await? {
        // The same request, sent twice at once: the other one was first.
        let key = key.unwrap_or_default();
        let before = service.ledger.asked(&person.tenant, &person.id, &key).await.map_err(LegalHoldError::from)?;
        let before = before.ok_or_else(|| Problem::internal(&anyhow::anyhow!("hold {} was there already", hold.id)))?;
        return service.placed_before(&before, &asked, &person).await;
    }
    metrics::placed(Origin::Person, hold.permanence);
    service.created(&hold, &person).await
}

/// Said of items that are not there, and of another agency's, which are not even known to exist.
const UNKNOWN: &str = "no item with this code was deposited; check the code";

/// A request whose values are right.
struct Asked {
    items: Vec<UnifiedCode>,
    reason: HoldReason,
    permanence: Permanence,
}

impl NewHold {
    fn checked(self, service: &LegalHold, person: &Person) -> Result<Asked, Problem> {
        if self.items.is_empty() || self.items.len() > MOST {
            return Err(Problem::unprocessable(format!("items: name 1 to {MOST}; {} were named", self.items.len())));
        }
        let cite = Cite::parse(&self.cite).map_err(|error| Problem::unprocessable(format!("cite: {error}")))?;
        let text = text::note("text", &self.text)?;
        let policy = service.policies.get(&person.tenant).map_err(LegalHoldError::from)?;
        rule::check(policy, &cite, self.permanence).map_err(|error| Problem::unprocessable(error.to_string()))?;
        let (mut items, mut bad) = (Vec::new(), Vec::new());
        for text in &self.items {
            match UnifiedCode::parse(text) {
                Ok(code) => items.push(code),
                Err(error) => {
                    bad.push(BadItem { item: text.escape_debug().take(160).collect(), problem: error.to_string() });
                }
            }
        }
        refuse(&bad)?;
        items.sort();
        items.dedup();
        Ok(Asked { items, reason: HoldReason { cite, text }, permanence: self.permanence })
    }
}

impl LegalHold {
    /// The items as deposited, if every one of them is, and within the person's reach.
    async fn known_items(&self, codes: &[UnifiedCode], person: &Person) -> Result<Vec<ItemRef>, Problem> {
        let reads: Vec<_> = codes.iter().map(|code| self.known_item(code, person)).collect();
        let found: Vec<Result<ItemRef, BadItem>> = stream::iter(reads).buffered(SIDE_BY_SIDE).try_collect().await?;
        let (mut items, mut bad) = (Vec::new(), Vec::new());
        for found in found {
            match found {
                Ok(item) => items.push(item),
                Err(problem) => bad.push(problem),
            }
        }
        refuse(&bad)?;
        Ok(items)
    }

    async fn known_item(
        &self,
        code: &UnifiedCode,
        person: &Person,
    ) -> Result<Result<ItemRef, BadItem>, LegalHoldError> {
        let bad = |problem: &str| Ok(Err(BadItem { item: code.to_string(), problem: problem.to_owned() }));
        if code.key().tenant != person.tenant {
            return bad(UNKNOWN);
        }
        match item::manifest(&self.vault, code).await? {
            None => bad(UNKNOWN),
            Some(manifest) if !person.covers(&code.key().tenant, &manifest.unit) => {
                bad("this item belongs to a unit outside your own; ask that unit to place the hold")
            }
            Some(manifest) => Ok(Ok(ItemRef::from(&manifest))),
        }
    }

    fn new_hold(&self, asked: &Asked, person: &Person) -> Hold {
        let now = Moment::cut(self.clock.now()).0;
        let (seconds, nanos) = (now.as_second().unsigned_abs(), now.subsec_nanosecond().unsigned_abs());
        Hold {
            id: HoldId::of(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))),
            tenant: person.tenant.clone(),
            origin: Origin::Person,
            reason: asked.reason.clone(),
            permanence: asked.permanence,
            placed_by: person.id.clone(),
            placed_at: now,
            confirmed: None,
            proposed: None,
            released: None,
        }
    }

    /// Hold, items and facts in one transaction. Answers false when the key was used meanwhile.
    async fn write(
        &self,
        hold: &Hold,
        key: Option<&str>,
        items: &[ItemRef],
        person: &Person,
    ) -> Result<bool, LegalHoldError> {
        let mut tx = self.ledger.begin().await?;
        if !self.ledger.add(&mut tx, hold, key, items).await? {
            return Ok(false);
        }
        self.put(&mut tx, hold, items, &facts::placed(hold), &facts::person(person)).await?;
        tx.commit().await?;
        self.wake();
        Ok(true)
    }

    async fn placed_before(&self, before: &Hold, asked: &Asked, person: &Person) -> Result<Response, Problem> {
        let items = self.ledger.items_of(&before.id).await.map_err(LegalHoldError::from)?;
        let mut codes: Vec<&UnifiedCode> = items.iter().map(|item| &item.item.code).collect();
        codes.sort();
        let same = before.reason == asked.reason && before.permanence == asked.permanence;
        if !same || !codes.into_iter().eq(&asked.items) {
            let detail = "this Idempotency-Key was used for another hold; choose a new one for every hold";
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "Idempotency-Key used before",
                detail,
            ));
        }
        self.created(before, person).await
    }

    async fn created(&self, hold: &Hold, person: &Person) -> Result<Response, Problem> {
        let items = self.ledger.items_of(&hold.id).await.map_err(LegalHoldError::from)?;
        let location = [(LOCATION, format!("/v1/holds/{}", hold.id))];
        Ok((StatusCode::CREATED, location, Json(HoldView::of(hold, &items, person))).into_response())
    }
}

fn refuse(bad: &[BadItem]) -> Result<(), Problem> {
    let Some(first) = bad.first() else { return Ok(()) };
    let detail = format!(
        "no hold was placed: {} of the items cannot be held, such as {}: {}",
        bad.len(),
        first.item,
        first.problem
    );
    let items = serde_json::to_value(bad).unwrap_or_default();
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "items-refused", "Items that cannot be held", detail)
        .with("items", items))
}
