//! GET /v1/items/{code}: one item's page.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::item::UnifiedCode;
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Path},
    problem::Document,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{code, no_such_item};
use crate::{
    Records, RecordsError,
    catalogue::Scope,
    fold::{IncidentRecord, ItemRecord},
    words::{self, Sentence},
};

/// Everything about one item, and why it is kept until when.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemPage {
    /// The item's record.
    #[serde(flatten)]
    #[schema(inline)]
    pub item: ItemRecord,
    /// Every reason for keeping it that stands, the strongest first.
    pub why: Vec<Sentence>,
    /// Every incident, closed ones too.
    pub incidents: Vec<IncidentRecord>,
    /// Where to read on.
    pub links: Links,
}

/// Where to read on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Links {
    /// Its custody timeline.
    pub timeline: String,
    /// What there is to look at.
    pub playback: String,
    /// The docking it came with, if it came with one.
    pub docking: Option<String>,
}

/// One item's record. Reading it is written down before it is shown.
#[utoipa::path(
    get,
    path = "/v1/items/{code}",
    tag = "items",
    params(("code" = String, Path, description = "The unified code")),
    security(("token" = [])),
    responses(
        (status = 200, body = ItemPage),
        (status = 400, body = Document, description = "A mistyped code; `did_you_mean` has the one that was meant"),
        (status = 404, body = Document)
    )
)]
pub async fn item(
    State(records): State<Arc<Records>>,
    person: Person,
    Path(text): Path<String>,
) -> Result<Json<ItemPage>, Problem> {
    let item = find(&records, &person, &code(&text)?, "item").await?;
    let incidents = records.catalogue.incidents_of(&item.code).await.map_err(RecordsError::from)?;
    let links = Links {
        timeline: format!("/v1/items/{}/timeline", item.code),
        playback: format!("/v1/items/{}/playback", item.code),
        docking: item.intake.docking.as_ref().map(|docking| format!("/v1/dockings/{}/{docking}", item.intake.station)),
    };
    Ok(Json(ItemPage { why: words::why(&item), item, incidents, links }))
}

/// The item, when this person may know of it; that they are about to see this view of it is durable.
pub(super) async fn find(
    records: &Records,
    person: &Person,
    code: &UnifiedCode,
    view: &str,
) -> Result<ItemRecord, Problem> {
    let found = records.catalogue.item(&Scope::of(person), code).await.map_err(RecordsError::from)?;
    let item = found.ok_or_else(no_such_item)?;
    records.read(person, &item, view).await?;
    Ok(item)
}
