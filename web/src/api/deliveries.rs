//! Deliveries: what stands in the log, by hash. Bodies name people, so they are not given out here.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bus::delivery::Delivery;
use bus::ids::DeliveryOffset;
use serde_json::{Value, json};

use super::events::number;
use super::{ApiError, answer, parameter};
use crate::site::App;

/// Deliveries of a page if nothing else is asked for.
const DELIVERIES_DEFAULT: usize = 100;

/// Their bodies are read to be hashed, so a page is no larger.
const DELIVERIES_MAX: usize = 1_000;

/// `GET /api/v1/deliveries?source=&after=&limit=`: oldest first. `next` is where the next page begins, and null at the
/// end; a page of one source can be empty before the end.
pub(super) async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = query.as_deref();
    let source = parameter(query, "source");
    let after = number(query, "after")?.map_or(DeliveryOffset::START, DeliveryOffset);
    let limit = number(query, "limit")?.map_or(DELIVERIES_DEFAULT, |limit: usize| limit.clamp(1, DELIVERIES_MAX));
    let deliveries = app.streams.deliveries(after, limit).await?;
    let next = deliveries.last().map(|last| last.offset);
    let asked =
        move |delivery: &Delivery| source.as_ref().is_none_or(|source| delivery.content.source.as_str() == source);
    // Hashing what was read, and not what the log says of it, takes the time of reading it once more.
    let hash = move || -> Vec<Value> { deliveries.into_iter().filter(|d| asked(d)).map(|d| document(&d)).collect() };
    let documents = tokio::task::spawn_blocking(hash).await.map_err(|_| bus::streams::StreamError::Stopped)?;
    Ok(answer(&json!({"deliveries": documents, "next": next})))
}

fn document(delivery: &Delivery) -> Value {
    let content = &delivery.content;
    json!({
        "offset": delivery.offset,
        "source": content.source,
        "id": content.delivery_id,
        "received_at": content.received_at,
        "verification": content.verification,
        "content_type": content.content_type,
        "bytes": content.body.len(),
        "blake3": blake3::hash(&content.body).to_hex().as_str(),
    })
}
