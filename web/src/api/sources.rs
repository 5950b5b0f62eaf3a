//! Sources, rejected requests and quarantine.

use axum::extract::{Path, State};
use axum::response::Response;
use bus::ids::DeliveryOffset;
use serde_json::json;

use super::{ApiError, answer};
use crate::site::App;
use crate::standing;

/// Entries of the quarantine that are listed.
pub(crate) const QUARANTINED_MAX: usize = 1_000;

/// `GET /api/v1/sources`
pub(super) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let sources = standing::of_all(&app).await?;
    Ok(answer(&json!({"sources": sources, "watches": (app.watches)(), "rejected": app.hooks.rejected()})))
}

/// `GET /api/v1/quarantine`
pub(super) async fn quarantine(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(&json!({"quarantined": app.streams.quarantined(QUARANTINED_MAX).await?})))
}

/// `POST /api/v1/quarantine/{offset}/retry`
pub(super) async fn retry(State(app): State<App>, Path(offset): Path<i64>) -> Result<Response, ApiError> {
    let reading = ingest::normalizer::retry(&app.streams, DeliveryOffset(offset)).await?;
    let reading = reading.ok_or_else(|| ApiError::not_found("delivery", &offset.to_string()))?;
    let (events, error) = match reading.outcome {
        Ok(events) => (events.len(), None),
        Err(error) => (0, Some(error)),
    };
    Ok(answer(&json!({"delivery": offset, "events": events, "error": error})))
}
