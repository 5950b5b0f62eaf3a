//! What a new subscription is asked to be, as people and programs write it.

use bus::subscriptions::{Filter, Name, Ordering, RetryPolicy, Spec, Transport};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::read_filter;
use crate::api::{ApiError, stream};
use crate::site::App;

/// Names that stand in addresses where a subscription's would.
const TAKEN: [&str; 2] = ["dry-run", "replay-plan"];

/// The body of a request to make a subscription: a [`Spec`] whose start and filter may be said as people say them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    name: String,
    #[serde(default)]
    filter: Option<Value>,
    transport: Transport,
    #[serde(default)]
    start: Option<Value>,
    #[serde(default)]
    ordering: Ordering,
    #[serde(default)]
    retry: RetryPolicy,
}

/// Reads it against the log and the clock as they are.
pub(super) fn read(app: &App, asked: &Value) -> Result<Spec, ApiError> {
    let asked: Asked = serde_json::from_value(asked.clone()).map_err(|error| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("the subscription cannot be read: {error}")).remedy(
            "such as {\"name\": \"deploys\", \"filter\": [{\"kinds\": [\"service.*\"]}], \
             \"transport\": {\"kind\": \"webhook\", \"url\": \"https://…\"}, \"start\": \"latest\"}",
        )
    })?;
    let name: Name = asked.name.parse()?;
    if TAKEN.contains(&name.as_str()) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, format!("name {name}: it stands in addresses already")));
    }
    let filter = match asked.filter {
        Some(value) => read_filter(app, &value)?,
        None => Filter::default(),
    };
    let start = match asked.start {
        None => bus::subscriptions::Start::Latest,
        Some(Value::String(text)) => stream::start(app, &text)?,
        Some(other) => serde_json::from_value(other).map_err(|error| {
            ApiError::new(StatusCode::BAD_REQUEST, format!("start: {error}")).remedy(stream::PLACE_REMEDY)
        })?,
    };
    Ok(Spec { name, filter, transport: asked.transport, start, ordering: asked.ordering, retry: asked.retry })
}
