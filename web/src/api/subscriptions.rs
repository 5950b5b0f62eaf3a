//! Subscriptions.
use axum::Router;
use bus::subscriptions::{Filter, SubscriptionError, Transport};
use http::StatusCode;
use serde_json::Value;

use super::ApiError;
use crate::site::App;

/// The routes.
pub(super) fn router() -> Router<App> {
    Router::new()
}

/// Reads a filter as it stands in an address.
pub(super) fn filter(app: &App, text: &str) -> Result<Filter, ApiError> {
    let wrong = |error: &dyn std::fmt::Display| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("the filter cannot be used: {error}")).remedy(FILTER_REMEDY)
    };
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    Filter::parse(&value, (app.site.clock)()).map_err(|error| wrong(&error))
}

/// How a filter is written.
const FILTER_REMEDY: &str = "a list such as [{\"prefix\": {\"type\": \"dev.cdevents.\"}}, {\"query\": \"outcome:failed\"}]";

/// There is no subscription of that name.
pub(super) fn unknown(name: &str) -> ApiError {
    ApiError::not_found("subscription", name).remedy("GET /api/v1/subscriptions lists them")
}

/// By which way a subscription is delivered, in words.
pub(super) fn transport(transport: &Transport) -> &'static str {
    match transport {
        Transport::Sse => "server-sent events",
        Transport::Websocket => "a WebSocket",
        Transport::Pull { .. } => "pull",
        Transport::Webhook(_) => "signed webhooks",
    }
}

impl From<SubscriptionError> for ApiError {
    fn from(error: SubscriptionError) -> Self {
        let status = match &error {
            SubscriptionError::Invalid(_) => StatusCode::BAD_REQUEST,
            SubscriptionError::Unknown(name) => return unknown(name.as_str()),
            SubscriptionError::Exists(_) | SubscriptionError::Conflict(_) | SubscriptionError::Fenced => {
                StatusCode::CONFLICT
            }
            SubscriptionError::Streams(_) => {
                let SubscriptionError::Streams(error) = error else { return Self::new(StatusCode::CONFLICT, "") };
                return error.into();
            }
            SubscriptionError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}
