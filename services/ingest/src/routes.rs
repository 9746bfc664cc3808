//! The API as a table, and its OpenAPI description.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{DefaultBodyLimit, Request},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use custos_domain::outboard::{MAX_LEN, Outboard};
use custos_platform::http::{dress, openapi};
use opentelemetry::metrics::Meter;
use utoipa::OpenApi;

use crate::{Ingest, declare, docking, error::IngestError, hand_out, prove, receive, tus};

/// How long a short body may take.
const BODY_TIME: Duration = Duration::from_mins(2);
/// More than any route takes: what is too long is told by the route's own limit.
const BODY_MOST: usize = 64 << 20;

/// Every route of ingest.
pub(crate) fn routes(ingest: Arc<Ingest>, meter: &Meter) -> Router {
    let outboard_limit = usize::try_from(Outboard::encoded_len(MAX_LEN)).unwrap_or(usize::MAX);
    let uploads = Router::new()
        // A creation may bring bytes along; they are read as a stream.
        .route("/v1/uploads", post(declare::declare).options(tus::options).layer(DefaultBodyLimit::disable()))
        .route(
            "/v1/uploads/{upload}",
            get(receive::head)
                .head(receive::head)
                .patch(receive::patch)
                .delete(hand_out::give_up)
                .options(tus::options),
        )
        .route(
            "/v1/uploads/{upload}/outboard",
            put(prove::prove).layer(DefaultBodyLimit::max(outboard_limit)).layer(from_fn(in_time)),
        )
        .route("/v1/uploads/{upload}/receipt", get(hand_out::receipt))
        .route("/v1/uploads/{upload}/permit", get(hand_out::permit))
        .layer(from_fn(tus::speak));
    let routes = Router::new()
        // A full list of long names is some ten MiB.
        .route("/v1/dockings", post(docking::open).layer(DefaultBodyLimit::max(32 << 20)).layer(from_fn(in_time)))
        .route("/v1/dockings/{docking}/close", post(docking::close).layer(from_fn(in_time)))
        .merge(uploads)
        .with_state(ingest)
        .merge(openapi::routes(Api::openapi()));
    tus::with_method_override(dress(routes, meter))
}

/// Short bodies must come in time: a sender that drips holds a connection for ever. Heads have a limit of the server's own, and
/// the bytes of an upload are timed as they come.
async fn in_time(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_MOST)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(error)) => IngestError::Body(format!("the body could not be read: {error}")).into_response(),
        Err(_) => IngestError::Slow(BODY_TIME.as_secs()).into_response(),
    }
}

/// The API in words.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Custos ingest",
        description = "Where stations hand footage in: tus 1.0 over mutual TLS, with a signed declaration and an outboard, or plain from stations registered for it."
    ),
    paths(
        docking::open,
        docking::close,
        declare::declare,
        prove::prove,
        receive::head,
        receive::patch,
        hand_out::receipt,
        hand_out::permit,
        hand_out::give_up
    )
)]
struct Api;
