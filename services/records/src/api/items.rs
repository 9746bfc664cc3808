//! GET /v1/items: searching.

use std::sync::Arc;

use axum::extract::State;
use custos_domain::{
    ids::{DeviceId, OfficerId, StationId, TenantId, UnitPath},
    item::{ItemKind, UnifiedCode},
};
use custos_platform::http::{
    Problem,
    auth::Person,
    extract::{Json, Query},
    problem::Document,
};
use http::Uri;
use jiff::{Timestamp, civil::DateTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    page::{Paging, Span},
    scope,
};
use crate::{
    Records,
    catalogue::search::{Axis, Filter},
    fold::{ItemRecord, item::State as ItemState, kept::Class},
    words::{self, Sentence},
};

/// What is looked for. Everything given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// An agency, for those who see several
    #[param(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// A unit and what is below it
    #[param(value_type = Option<String>)]
    unit: Option<UnitPath>,
    /// A station
    #[param(value_type = Option<String>)]
    station: Option<StationId>,
    /// A recorder
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// A wearer
    #[param(value_type = Option<String>)]
    officer: Option<OfficerId>,
    /// By which time `from` and `to` filter and items are ordered
    #[serde(default)]
    time: Axis,
    /// A day in China, or a time with its offset
    from: Option<String>,
    /// A day in China, itself included, or a time with its offset, itself excluded
    to: Option<String>,
    /// `video`, `photo` or `audio`
    #[param(value_type = Option<String>)]
    kind: Option<ItemKind>,
    /// How long it is kept
    class: Option<Class>,
    /// Held or not
    held: Option<bool>,
    /// Whether it was re-read and agreed
    state: Option<ItemState>,
    /// Marked by its wearer (重點文件) or not
    key_file: Option<bool>,
    /// With a name that no naming rule understood, or not
    unknown_name: Option<bool>,
    /// With open incidents or without
    incidents: Option<bool>,
    /// Rows of a page, 1 to 200; 50 when not given
    limit: Option<usize>,
    /// The `next` of the page before
    after: Option<String>,
}

/// One page of items, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemPage {
    /// The items.
    pub items: Vec<ItemSummary>,
    /// Pass as `after` for the next page; none on the last.
    pub next: Option<String>,
}

/// An item in a list.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own, and people filter by it")]
pub struct ItemSummary {
    /// 統一編碼 (D-12.2).
    #[schema(value_type = String)]
    pub code: UnifiedCode,
    /// Video, photograph or audio.
    #[schema(value_type = String)]
    pub kind: ItemKind,
    /// The agency.
    #[schema(value_type = String)]
    pub tenant: TenantId,
    /// The unit that deposited.
    #[schema(value_type = String)]
    pub unit: UnitPath,
    /// The station.
    #[schema(value_type = String)]
    pub station: StationId,
    /// The recorder.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The wearer, when known.
    #[schema(value_type = Option<String>)]
    pub officer: Option<OfficerId>,
    /// Bytes.
    pub length: u64,
    /// BLAKE3 of the original.
    pub root: String,
    /// When ingest committed.
    #[schema(value_type = String, format = DateTime)]
    pub ingested_at: Timestamp,
    /// Start by the recorder's own clock.
    #[schema(value_type = Option<String>)]
    pub started_at_device: Option<DateTime>,
    /// Start less the clock's measured error.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// The store's lock as last read back.
    #[schema(value_type = String, format = DateTime)]
    pub locked_until: Timestamp,
    /// The strongest reason for keeping it.
    pub why: Sentence,
    /// Whether it may not be let go.
    pub held: bool,
    /// How long it is kept.
    pub class: Class,
    /// Whether it was re-read and agreed.
    pub state: ItemState,
    /// `pending`, or how the derivation ended.
    pub playback: String,
    /// Milliseconds of footage, when it could be told.
    pub duration_ms: Option<u64>,
    /// Its station signed for the bytes.
    pub signed: bool,
    /// Marked by its wearer.
    pub key_file: bool,
    /// Its name was understood by no naming rule.
    pub unknown_name: bool,
    /// Incidents nobody has closed.
    pub open_incidents: u32,
}

/// Search the catalogue. Every search is written down, with who searched for what, before it is answered.
#[utoipa::path(
    get,
    path = "/v1/items",
    tag = "items",
    params(Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = ItemPage),
        (status = 400, body = Document),
        (status = 403, body = Document),
        (status = 422, body = Document)
    )
)]
pub async fn items(
    State(records): State<Arc<Records>>,
    person: Person,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Result<Json<ItemPage>, Problem> {
    let paging = Paging::of(list(asked.time), asked.limit, asked.after.as_deref())?;
    let scope = scope(&person, asked.tenant.clone(), asked.unit.clone())?;
    let filter = asked.filter()?;
    let found = records.catalogue.search(&scope, &filter, paging.after(), paging.limit).await;
    let (rows, next) = paging.answer(&records, &person, &uri, found).await?;
    Ok(Json(ItemPage { items: rows.into_iter().map(ItemSummary::of).collect(), next }))
}

/// The name of the list in tokens: a place in one order is none in the other.
fn list(axis: Axis) -> &'static str {
    match axis {
        Axis::Ingested => "items/ingested",
        Axis::Started => "items/started",
    }
}

impl Asked {
    fn filter(self) -> Result<Filter, Problem> {
        let Span { from, before } = Span::of(self.from.as_deref(), self.to.as_deref())?;
        Ok(Filter {
            from,
            before,
            station: self.station,
            device: self.device,
            officer: self.officer,
            axis: self.time,
            kind: self.kind,
            class: self.class,
            held: self.held,
            state: self.state,
            key_file: self.key_file,
            unknown_name: self.unknown_name,
            incidents: self.incidents,
        })
    }
}

impl ItemSummary {
    fn of(item: ItemRecord) -> Self {
        Self {
            why: words::short(&item),
            code: item.code,
            kind: item.intake.kind,
            tenant: item.tenant,
            unit: item.intake.unit,
            station: item.intake.station,
            device: item.device,
            officer: item.intake.officer,
            length: item.intake.length,
            root: item.intake.root.to_hex(),
            ingested_at: item.intake.ingested_at,
            started_at_device: item.intake.started_at_device,
            started_at: item.intake.started_at,
            locked_until: item.locked_until,
            held: item.held,
            class: item.class,
            state: item.state,
            playback: item.playback.outcome,
            duration_ms: item.playback.duration_ms,
            signed: item.intake.signed,
            key_file: item.intake.key_file,
            unknown_name: item.intake.unknown_name,
            open_incidents: item.open_incidents,
        }
    }
}
