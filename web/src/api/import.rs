//! Imports: deliveries that a command on this machine read itself, such as a git history, in batches.

use axum::extract::{Path, State};
use axum::response::Response;
use bus::delivery::{NewDelivery, Verification};
use bus::ids::{DeliveryId, SourceName};
use chrono::{DateTime, Utc};
use http::StatusCode;
use ingest::sender::Scheme;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{ApiError, answer};
use crate::site::App;

/// Largest batch, in bytes.
pub(super) const BATCH_BYTES_MAX: usize = 32 << 20;

/// One line of a batch: a delivery whose body is JSON, kept to the byte.
#[derive(Debug, Deserialize)]
struct Line {
    id: DeliveryId,
    received_at: DateTime<Utc>,
    body: Box<RawValue>,
}

/// `POST /api/v1/import/{source}` with lines of `{"id", "received_at", "body"}`.
pub(super) async fn store(
    State(app): State<App>,
    Path(source): Path<String>,
    batch: String,
) -> Result<Response, ApiError> {
    let source = local_source(&source)?;
    let mut deliveries = Vec::new();
    for (number, line) in (1..).zip(batch.lines()) {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            ApiError::new(StatusCode::BAD_REQUEST, format!("line {number} is not a delivery: {error}"))
        })?;
        deliveries.push(NewDelivery {
            source: source.clone(),
            delivery_id: line.id,
            received_at: line.received_at,
            headers: Vec::new(),
            content_type: Some("application/json".to_owned()),
            body: line.body.get().as_bytes().to_vec(),
            verification: Verification::Local,
        });
    }
    let receipts = app.streams.append_all(deliveries).await?;
    let duplicates = receipts.iter().filter(|receipt| receipt.duplicate).count();
    Ok(answer(&json!({"stored": receipts.len() - duplicates, "duplicates": duplicates})))
}

#[derive(Debug, Deserialize)]
struct Ids {
    ids: Vec<DeliveryId>,
}

/// `POST /api/v1/known/{source}` with `{"ids": […]}`: which of them are in the log, in their order.
pub(super) async fn known(
    State(app): State<App>,
    Path(source): Path<String>,
    body: String,
) -> Result<Response, ApiError> {
    let source = local_source(&source)?;
    let ids: Ids = serde_json::from_str(&body)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("the body is not a list of ids: {error}")))?;
    let mut known = Vec::with_capacity(ids.ids.len());
    for id in &ids.ids {
        known.push(app.streams.delivery_by_id(&source, id).await?.is_some());
    }
    Ok(answer(&json!({"known": known})))
}

/// Only what this program reads itself comes this way; everything else is verified at its hook.
fn local_source(name: &str) -> Result<SourceName, ApiError> {
    let source: SourceName =
        name.parse().map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("{error}")))?;
    match ingest::source::sender_of(&source) {
        Some(sender) if sender.scheme == Scheme::Local => Ok(source),
        _ => Err(ApiError::new(StatusCode::FORBIDDEN, format!("source {name} is not one that is imported"))
            .remedy(format!("send to /hooks/{name}"))),
    }
}
