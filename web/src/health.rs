//! Whether a process is well, for those without pages.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bus::streams::Streams;
use http::StatusCode;

/// `/healthz` and `/readyz` alone.
pub fn health_router(streams: Streams) -> Router {
    let ready = |State(streams): State<Streams>| async move { ready(&streams, "").await };
    Router::new().route("/healthz", get(healthy)).route("/readyz", get(ready)).with_state(streams)
}

/// The process answers; nothing else is asked.
pub(crate) async fn healthy() -> impl IntoResponse {
    ([("devhose-version", env!("CARGO_PKG_VERSION"))], "ok\n")
}

/// Ready while the log answers and takes what is sent; says how far interpretation is behind, and what else is to be said.
pub(crate) async fn ready(streams: &Streams, more: &str) -> Response {
    if let Some(why) = streams.unwritable() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response();
    }
    match streams.checkpoint(ingest::normalizer::READER).await {
        Ok(position) => {
            let behind = streams.delivery_head().borrow().0 - position;
            (StatusCode::OK, format!("ready, {behind} deliveries to interpret{more}\n")).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("the log does not answer: {error}\n")).into_response(),
    }
}
