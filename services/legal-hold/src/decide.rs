//! POST confirm, propose-release and release: the words of further people on a hold.
//!
//! Ending a hold takes two calls by two people. They have two addresses, so that nobody ends a hold who only meant to propose it.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use custos_domain::ids::HoldId;
use custos_platform::{
    db::Moment,
    http::{
        Problem,
        auth::{Person, Role},
        extract::{Json, Path},
        problem::Document,
    },
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    LegalHold,
    error::LegalHoldError,
    facts::{self, Happened},
    hold::{Hold, Step, StepError, Taken},
    ledger::ItemRef,
    metrics, text,
    view::HoldView,
};

/// What a person writes with their decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// 1 to 2000 characters; kept with the decision.
    pub note: String,
}

/// A leader confirms a hold that somebody else placed. A permanent one is final from now on: its items are locked to the horizon.
#[utoipa::path(
    post,
    path = "/v1/holds/{id}/confirm",
    tag = "holds",
    request_body = Note,
    params(("id" = String, Path, description = "The hold")),
    security(("token" = [])),
    responses(
        (status = 200, body = HoldView),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 404, body = Document),
        (status = 409, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn confirm(
    State(service): State<Arc<LegalHold>>,
    person: Person,
    Path(id): Path<String>,
    Json(note): Json<Note>,
) -> Result<Json<HoldView>, Problem> {
    person.require(&[Role::Leader, Role::Admin])?;
    service.decide(&person, &id, &note, Verb::Confirm).await
}

/// The first of two people asks for the end of a hold. It stays on.
#[utoipa::path(
    post,
    path = "/v1/holds/{id}/propose-release",
    tag = "holds",
    request_body = Note,
    params(("id" = String, Path, description = "The hold")),
    security(("token" = [])),
    responses(
        (status = 200, body = HoldView),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 404, body = Document),
        (status = 409, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn propose_release(
    State(service): State<Arc<LegalHold>>,
    person: Person,
    Path(id): Path<String>,
    Json(note): Json<Note>,
) -> Result<Json<HoldView>, Problem> {
    person.require(&[Role::Officer, Role::Leader, Role::LegalReviewer, Role::Archivist, Role::Admin])?;
    service.decide(&person, &id, &note, Verb::ProposeRelease).await
}

/// The second of two people ends a hold whose release somebody else proposed. The store's hold is switched off on items on which
/// no other reason stands.
#[utoipa::path(
    post,
    path = "/v1/holds/{id}/release",
    tag = "holds",
    request_body = Note,
    params(("id" = String, Path, description = "The hold")),
    security(("token" = [])),
    responses(
        (status = 200, body = HoldView),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 404, body = Document),
        (status = 409, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn release(
    State(service): State<Arc<LegalHold>>,
    person: Person,
    Path(id): Path<String>,
    Json(note): Json<Note>,
) -> Result<Json<HoldView>, Problem> {
    person.require(&[Role::Leader, Role::LegalReviewer, Role::Admin])?;
    service.decide(&person, &id, &note, Verb::Release).await
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Confirm,
    ProposeRelease,
    Release,
}

impl LegalHold {
    /// Takes one step under the hold's row lock: two people who decide at once are one after the other.
    async fn decide(&self, person: &Person, id: &str, note: &Note, verb: Verb) -> Result<Json<HoldView>, Problem> {
        let id = HoldId::parse(id).map_err(|error| Problem::bad_request(error.to_string()))?;
        let note = text::note("note", &note.note)?;
        // The items of a hold never change: they need no lock.
        let items = self.ledger.items_of(&id).await.map_err(LegalHoldError::from)?;
        let mut tx = self.ledger.begin().await.map_err(LegalHoldError::from)?;
        let hold = self.ledger.hold_for_update(&mut tx, &id).await.map_err(LegalHoldError::from)?;
        let hold = hold.filter(|hold| hold.tenant == person.tenant).ok_or_else(unknown)?;
        if let Some(item) = items.iter().find(|item| !person.covers(item.item.tenant(), &item.item.unit)) {
            let detail =
                format!("{} belongs to a unit outside your own; somebody above both units must decide", item.item.code);
            return Err(Problem::forbidden(detail));
        }
        let step = Step { by: person.id.clone(), at: Moment::cut(self.clock.now()).0, note };
        if let Taken::Now(hold) = self.take(&hold, step.clone(), verb).map_err(|error| refused(&error))? {
            let refs: Vec<ItemRef> = items.into_iter().map(|item| item.item).collect();
            self.ledger.step(&mut tx, &hold).await.map_err(LegalHoldError::from)?;
            self.ledger.wake_items_of(&mut tx, &id).await.map_err(LegalHoldError::from)?;
            self.put(&mut tx, &hold, &refs, &verb.happened(&hold, &step), &facts::person(person)).await?;
            tx.commit().await.map_err(LegalHoldError::from)?;
            metrics::decided(hold.stage().name());
            self.wake();
        } else {
            tx.rollback().await.map_err(LegalHoldError::from)?;
        }
        self.show(&id, person).await
    }

    fn take(&self, hold: &Hold, step: Step, verb: Verb) -> Result<Taken, StepError> {
        let policy = self.policies.get(&hold.tenant).ok();
        match verb {
            Verb::Confirm => hold.confirm(step),
            Verb::ProposeRelease => hold.propose_release(step, policy),
            Verb::Release => hold.release(step, policy),
        }
    }

    /// The hold as it is now, for the one who just decided on it.
    async fn show(&self, id: &HoldId, person: &Person) -> Result<Json<HoldView>, Problem> {
        let hold = self.ledger.hold(id).await.map_err(LegalHoldError::from)?.ok_or_else(unknown)?;
        let items = self.ledger.items_of(id).await.map_err(LegalHoldError::from)?;
        Ok(Json(HoldView::of(&hold, &items, person)))
    }
}

impl Verb {
    fn happened(self, hold: &Hold, step: &Step) -> Happened {
        match self {
            Self::Confirm => facts::confirmed(hold, step),
            Self::ProposeRelease => facts::proposed(hold, step),
            Self::Release => facts::released(hold, step),
        }
    }
}

/// Another agency's holds are not even known to exist.
fn unknown() -> Problem {
    Problem::not_found("there is no such hold; check the id")
}

fn refused(error: &StepError) -> Problem {
    let (kind, title) = match error {
        StepError::Rule(custos_domain::hold::HoldError::SamePerson(_)) => ("same-person", "It takes two people"),
        StepError::Rule(_) => ("wrong-stage", "Not at this stage"),
        StepError::Final => ("permanent-hold", "Kept permanently"),
        StepError::PolicyAsks(_) | StepError::PolicyPlaced => ("policy-hold", "Placed by the policy"),
    };
    Problem::new(StatusCode::CONFLICT, kind, title, error.to_string())
}
