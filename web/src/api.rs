//! The HTTP API, version 1: the same answers as the pages, as JSON. The command line asks nothing else.
//!
//! Nothing here carries a person: events are redacted as on the pages.

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bus::query::QueryError;
use bus::streams::StreamError;
use http::{Method, StatusCode};
use ledger::view::AskError;
use serde_json::{Value, json};

use crate::site::App;
use crate::state::BadValue;

mod bots;
mod deliveries;
mod events;
mod import;
mod metrics;
mod rebuild;
mod sources;
mod stream;
pub(crate) mod subscriptions;

pub(crate) use events::{document, read_query};

/// The routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/v1/events", get(events::list))
        .route("/api/v1/events/stream", get(stream::events))
        .route("/api/v1/events/ws", get(stream::socket::events))
        .route("/api/v1/events/{id}", get(events::one))
        .route("/api/v1/deliveries", get(deliveries::list))
        .route("/api/v1/metrics", get(metrics::list))
        .route("/api/v1/metrics/{metric}", get(metrics::one))
        .route("/api/v1/metrics/{metric}/evidence", get(metrics::evidence))
        .route("/api/v1/teams", get(metrics::teams))
        .route("/api/v1/services", get(metrics::services))
        .route("/api/v1/sources", get(sources::list))
        .route("/api/v1/quarantine", get(sources::quarantine))
        .route("/api/v1/quarantine/{offset}/retry", post(sources::retry))
        .route("/api/v1/bots", get(bots::list))
        .route("/api/v1/bots/{bot}", get(bots::one))
        .route("/api/v1/bots/{bot}/runs", get(bots::runs))
        .route("/api/v1/bots/{bot}/runs/{run}", get(bots::run))
        .route("/api/v1/bots/{bot}/dead-letters", get(bots::dead_letters))
        .route("/api/v1/dead-letters", get(bots::dead_letters))
        .route("/api/v1/bots/{bot}/pause", post(bots::pause))
        .route("/api/v1/bots/{bot}/resume", post(bots::resume))
        .route("/api/v1/bots/{bot}/redrive", post(bots::redrive))
        .route("/api/v1/bots/{bot}/test", post(bots::test))
        .route("/api/v1/bots/{bot}/replay", post(bots::replay::start))
        .route("/api/v1/import/{*source}", post(import::store))
        .route("/api/v1/known/{*source}", post(import::known))
        .route("/api/v1/rebuild/{mode}", post(rebuild::start))
        .merge(subscriptions::router())
        .layer(axum::Extension(stream::socket::Sockets::default()))
        .layer(axum::extract::DefaultBodyLimit::max(import::BATCH_BYTES_MAX))
        .layer(axum::middleware::from_fn(same_origin))
}

/// A page of another site must not change anything here in the name of whoever looks at it.
pub(crate) async fn same_origin(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    let foreign = site.is_some_and(|site| site != "same-origin" && site != "none");
    if request.method() != Method::GET && foreign {
        return ApiError::new(StatusCode::FORBIDDEN, "requests from pages of other sites are not taken")
            .into_response();
    }
    next.run(request).await
}

/// An answer that is an error: `{"error", "try"}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error: String,
    remedy: Option<String>,
    /// A figure that whoever asked needs to go on.
    figure: Option<(&'static str, i64)>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), remedy: None, figure: None }
    }

    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("no {what} {name:?}"))
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn with(mut self, name: &'static str, value: i64) -> Self {
        self.figure = Some((name, value));
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(error = self.error, "an API request failed");
        }
        let mut document = json!({"error": self.error, "try": self.remedy});
        if let (Some((name, value)), Some(fields)) = (self.figure, document.as_object_mut()) {
            fields.insert(name.to_owned(), json!(value));
        }
        answer_as(self.status, &document)
    }
}

impl From<StreamError> for ApiError {
    fn from(error: StreamError) -> Self {
        let status = match error {
            StreamError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            StreamError::InUse(_)
            | StreamError::Setup(_)
            | StreamError::Engine(_)
            | StreamError::Kafka(_)
            | StreamError::Migrate(_)
            | StreamError::Corrupt { .. }
            | StreamError::File { .. }
            | StreamError::Stopped
            | StreamError::Fenced(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        let status = match error {
            AskError::Withheld(_) => StatusCode::FORBIDDEN,
            AskError::NoMetric(_) | AskError::NoScope { .. } | AskError::NoBucket(_) => StatusCode::NOT_FOUND,
            AskError::Computation(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let remedy = match &error {
            AskError::NoScope { kind, .. } => {
                Some(format!("GET /api/v1/{kind}s lists them")).filter(|_| *kind != "repository")
            }
            AskError::NoMetric(_) | AskError::NoBucket(_) | AskError::Withheld(_) | AskError::Computation(_) => None,
        };
        Self { remedy, ..Self::new(status, error.to_string()) }
    }
}

impl From<BadValue> for ApiError {
    fn from(bad: BadValue) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("{}={:?} cannot be used", bad.key, bad.value)).remedy(bad.expected)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("an answer could not be written: {error}"))
    }
}

/// A JSON answer.
pub(crate) fn answer(document: &Value) -> Response {
    answer_as(StatusCode::OK, document)
}

fn answer_as(status: StatusCode, document: &Value) -> Response {
    (status, [(http::header::CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}

/// The value of a key in a query string, if it is given and not empty.
pub(crate) fn parameter(query: Option<&str>, key: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(name, value)| name == key && !value.is_empty()).map(|(_, value)| value.into_owned())
}
