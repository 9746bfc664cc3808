//! GET /v1/items/{code}/playback: what there is to look at. The picture itself needs its own consent and is served elsewhere.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::keys;
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Path},
    problem::Document,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{code, item};
use crate::{Records, RecordsError, fold::item::Playback};

/// What there is to look at.
#[derive(Debug, Serialize, ToSchema)]
pub struct Derivatives {
    /// The item.
    pub code: String,
    /// How the derivation ended.
    #[serde(flatten)]
    #[schema(inline)]
    pub playback: Playback,
    /// Names of the derived objects, such as `playback.mp4`.
    pub objects: Vec<String>,
}

/// Which playback copies, pictures and previews there are of an item. Reading it is written down before it is shown.
#[utoipa::path(
    get,
    path = "/v1/items/{code}/playback",
    tag = "items",
    params(("code" = String, Path, description = "The unified code")),
    security(("token" = [])),
    responses(
        (status = 200, body = Derivatives),
        (status = 400, body = Document),
        (status = 404, body = Document)
    )
)]
pub async fn playback(
    State(records): State<Arc<Records>>,
    person: Person,
    Path(text): Path<String>,
) -> Result<Json<Derivatives>, Problem> {
    let item = item::find(&records, &person, &code(&text)?, "playback").await?;
    let folder = keys::derived(item.code.key());
    // A derivation makes a handful of objects: one page is all there is.
    let (keys, _) =
        records.vault.keys(&records.vault.buckets().derived, &folder, None).await.map_err(RecordsError::from)?;
    let objects = keys.iter().filter_map(|key| key.strip_prefix(&folder)).map(str::to_owned).collect();
    Ok(Json(Derivatives { code: item.code.to_string(), playback: item.playback, objects }))
}
