//! POST /v1/incidents/{incident}/close: a person has looked into it.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{
    fact::{Act, Fact, fact_id},
    ids::FactId,
};
use custos_platform::http::{
    Problem,
    auth::{Person, Role},
    extract::{Json, Path},
    problem::Document,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Records, RecordsError,
    access::actor,
    catalogue::Scope,
    fold::{IncidentRecord, Known},
};

/// The longest note, in characters.
const MOST: usize = 2000;

/// What was found and done.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// In words, at most 2000 characters.
    pub note: String,
}

/// Close an incident. Sending the same again changes nothing; a second person's closing is refused.
#[utoipa::path(
    post,
    path = "/v1/incidents/{incident}/close",
    tag = "incidents",
    params(("incident" = String, Path, description = "The incident's id")),
    request_body = Closing,
    security(("token" = [])),
    responses(
        (status = 200, body = IncidentRecord),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 404, body = Document),
        (status = 409, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn close(
    State(records): State<Arc<Records>>,
    person: Person,
    Path(incident): Path<FactId>,
    Json(closing): Json<Closing>,
) -> Result<Json<IncidentRecord>, Problem> {
    person.require(&[Role::LegalReviewer, Role::Leader, Role::Admin])?;
    let note = closing.note.trim();
    if note.is_empty() || note.chars().count() > MOST || note.contains('\0') {
        return Err(Problem::unprocessable(format!("note: say what was found and done, in at most {MOST} characters")));
    }
    let scope = Scope::of(&person);
    let found = records.catalogue.incident(&scope, &incident).await.map_err(RecordsError::from)?;
    let (_, opened) = found.ok_or_else(no_such_incident)?;
    // Before the catalogue knows it, the custody log does: whoever was first there closed it.
    let stated = records.state(closed(&records, &person, opened, note)).await?;
    let ours = stated.fact.actor == actor(&person)
        && matches!(&stated.fact.act, Act::IncidentClosed { note: stands, .. } if stands == note);
    let at = stated.fact.at;
    let known = Known { fact: stated.fact, object: stated.object, evidence: None };
    records.catalogue.learn(&[known]).await.map_err(RecordsError::from)?;
    if !ours {
        return Err(Problem::conflict(format!("this incident was closed on {at}; its record says by whom and why")));
    }
    let closed = records.catalogue.incident(&scope, &incident).await.map_err(RecordsError::from)?;
    closed.map(|(record, _)| Json(record)).ok_or_else(no_such_incident)
}

/// One closing for an incident, whoever asks and however often.
fn closed(records: &Records, person: &Person, opened: Fact, note: &str) -> Fact {
    let act = Act::IncidentClosed { incident: opened.id.clone(), note: note.to_owned() };
    Fact {
        id: fact_id(act.name(), &opened.subject, opened.id.as_str()),
        at: records.clock.now(),
        actor: actor(person),
        cause: Some(opened.id),
        act,
        ..opened
    }
}

fn no_such_incident() -> Problem {
    Problem::not_found("there is no such incident in your unit or below it; check the id")
}
