//! The delivery log and the dead letters of a subscription.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bus::subscriptions::AttemptId;
use serde_json::{Value, json};

use super::{known, named};
use crate::api::events::number;
use crate::api::{ApiError, answer};
use crate::redact;
use crate::site::App;

/// Rows of one answer, and at most.
const ROWS_DEFAULT: usize = 50;
const ROWS_MAX: usize = 500;

/// `GET /api/v1/subscriptions/{name}/attempts?before=&limit=`, newest first.
pub(super) async fn attempts(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.as_deref();
    let limit = limit(query)?;
    let before = number(query, "before")?.map(AttemptId);
    let attempts = app.subscriptions.attempts(&named(&name)?, before, limit).await?;
    let next = attempts.last().filter(|_| attempts.len() == limit).map(|attempt| attempt.id);
    let mut shown = Vec::with_capacity(attempts.len());
    for attempt in &attempts {
        shown.push(redacted(&serde_json::to_value(attempt)?));
    }
    Ok(answer(&json!({"attempts": shown, "next": next})))
}

/// `GET /api/v1/subscriptions/{name}/attempts/{attempt}`
pub(super) async fn attempt(
    State(app): State<App>,
    Path((name, attempt)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let subscription = known(&app, &name).await?;
    let unknown = || ApiError::not_found("attempt", &attempt).remedy("the delivery log keeps the newest ones");
    let id: AttemptId = attempt.parse().map_err(|_| unknown())?;
    let found = app.subscriptions.attempt(id).await?;
    let found = found.filter(|found| found.subscription == subscription.spec.name).ok_or_else(unknown)?;
    Ok(answer(&redacted(&serde_json::to_value(found)?)))
}

/// `GET /api/v1/subscriptions/{name}/dead-letters?limit=`, newest first.
pub(super) async fn dead_letters(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let letters = app.subscriptions.dead_letters(&named(&name)?, limit(query.as_deref())?).await?;
    let mut shown = Vec::with_capacity(letters.len());
    for letter in &letters {
        shown.push(redacted(&serde_json::to_value(letter)?));
    }
    Ok(answer(&json!({"dead_letters": shown})))
}

/// What an endpoint answered may name people, and let secrets slip.
fn redacted(document: &Value) -> Value {
    redact::json(document).value
}

fn limit(query: Option<&str>) -> Result<usize, ApiError> {
    Ok(number(query, "limit")?.unwrap_or(ROWS_DEFAULT).clamp(1, ROWS_MAX))
}
