//! GET /v1/items/{code}/timeline: the custody timeline.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{
    fact::{Act, Actor},
    ids::FactId,
    manifest::StoredObject,
};
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Path, Query},
    problem::Document,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{code, item, page::Paging};
use crate::{
    Records, RecordsError,
    catalogue::read::Entry,
    words::{self, Sentence},
};

/// Which part of a timeline.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Whether to show who read the record; shown when not given
    reads: Option<bool>,
    /// Entries of a page, 1 to 200; 50 when not given
    limit: Option<usize>,
    /// The `next` of the page before
    after: Option<String>,
}

/// One page of an item's timeline, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The item.
    pub code: String,
    /// What happened, in order.
    pub entries: Vec<TimelineEntry>,
    /// Pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// One custody act.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// The fact.
    #[schema(value_type = String)]
    pub fact: FactId,
    /// When, by the acting service's clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What, by its stable name.
    pub act: &'static str,
    /// What, in a sentence.
    pub words: Sentence,
    /// Who.
    #[schema(value_type = Object)]
    pub actor: Actor,
    /// Who, in words.
    pub by: Sentence,
    /// The fact that led to it.
    #[schema(value_type = Option<String>)]
    pub cause: Option<FactId>,
    /// Everything that was stated of the act.
    #[schema(value_type = Object)]
    pub detail: Act,
    /// Where the fact lies in the custody log.
    #[schema(value_type = Object)]
    pub object: StoredObject,
}

/// One item's custody timeline: every act, who, when and why. Reading it is written down before it is shown.
#[utoipa::path(
    get,
    path = "/v1/items/{code}/timeline",
    tag = "items",
    params(("code" = String, Path, description = "The unified code"), Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = Timeline),
        (status = 400, body = Document),
        (status = 404, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn timeline(
    State(records): State<Arc<Records>>,
    person: Person,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Timeline>, Problem> {
    let code = code(&text)?;
    let paging = Paging::of(format!("timeline/{code}"), asked.limit, asked.after.as_deref())?;
    item::find(&records, &person, &code, "timeline").await?;
    let reads = asked.reads.unwrap_or(true);
    let found = records.catalogue.timeline(&code, reads, paging.after(), paging.limit).await;
    let found = found.map_err(RecordsError::from)?;
    Ok(Json(Timeline {
        entries: found.rows.into_iter().map(TimelineEntry::of).collect(),
        next: paging.next(found.next),
        code: code.to_string(),
    }))
}

impl TimelineEntry {
    fn of(Entry { fact, object }: Entry) -> Self {
        Self {
            act: fact.act.name(),
            words: words::describe(&fact.act),
            by: words::actor(&fact.actor),
            fact: fact.id,
            at: fact.at,
            actor: fact.actor,
            cause: fact.cause,
            detail: fact.act,
            object,
        }
    }
}
