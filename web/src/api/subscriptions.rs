//! Subscriptions: who hears which events by which way, how each stands, and what is done with one.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use bus::subscriptions::{Change, Filter, Name, RetryPolicy, Subscription, SubscriptionError, Transport};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ApiError, answer, answer_as};
use crate::site::App;

mod log;
mod pull;
mod replay;
mod spec;

pub(crate) use replay::about_seconds;

/// Largest body of a request about subscriptions: a filter of the largest size, and something around it.
const BODY_BYTES_MAX: usize = 256 << 10;

/// How a filter is written.
const FILTER_REMEDY: &str =
    "a list such as [{\"prefix\": {\"type\": \"dev.cdevents.\"}}, {\"query\": \"outcome:failed\"}]";

/// The routes.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/api/v1/subscriptions", get(list).post(create))
        .route("/api/v1/subscriptions/dry-run", post(replay::dry_run))
        .route("/api/v1/subscriptions/replay-plan", post(replay::plan))
        .route("/api/v1/subscriptions/{name}", get(one).patch(update).delete(delete))
        .route("/api/v1/subscriptions/{name}/pause", post(pause))
        .route("/api/v1/subscriptions/{name}/resume", post(resume))
        .route("/api/v1/subscriptions/{name}/rotate-secret", post(rotate_secret))
        .route("/api/v1/subscriptions/{name}/test", post(test))
        .route("/api/v1/subscriptions/{name}/pull", post(pull::pull))
        .route("/api/v1/subscriptions/{name}/acknowledge", post(pull::acknowledge))
        .route("/api/v1/subscriptions/{name}/release", post(pull::release))
        .route("/api/v1/subscriptions/{name}/attempts", get(log::attempts))
        .route("/api/v1/subscriptions/{name}/attempts/{attempt}", get(log::attempt))
        .route("/api/v1/subscriptions/{name}/dead-letters", get(log::dead_letters))
        .route("/api/v1/subscriptions/{name}/redrive", post(replay::redrive))
        .route("/api/v1/subscriptions/{name}/replay", post(replay::start))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// `GET /api/v1/subscriptions`
async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(&json!({"subscriptions": app.subscriptions.list().await?})))
}

/// `POST /api/v1/subscriptions`: the secret of a webhook is in the answer, and in no other.
async fn create(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let spec = spec::read(&app, &read(body)?)?;
    let made = app.subscriptions.create(spec).await?;
    let secret = match &made.spec.transport {
        Transport::Webhook(_) => app.subscriptions.secrets(&made.spec.name).await?.into_iter().next(),
        Transport::Sse | Transport::Websocket | Transport::Pull { .. } => None,
    };
    let secret = secret.map(|secret| secret.text);
    let listen = match &made.spec.transport {
        Transport::Sse => Some(format!("/api/v1/events/stream?subscription={}", made.spec.name)),
        Transport::Websocket => Some(format!("/api/v1/events/ws?subscription={}", made.spec.name)),
        Transport::Pull { .. } => Some(format!("/api/v1/subscriptions/{}/pull", made.spec.name)),
        Transport::Webhook(_) => None,
    };
    let document = json!({"subscription": made, "secret": secret, "url": listen});
    Ok(answer_as(StatusCode::CREATED, &document))
}

/// `GET /api/v1/subscriptions/{name}`
async fn one(State(app): State<App>, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(answer(&serde_json::to_value(known(&app, &name).await?)?))
}

/// What is asked to change. A filter may count times back from now, which one in a document may not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeAsked {
    filter: Option<Value>,
    url: Option<String>,
    concurrency: Option<u16>,
    retry: Option<RetryPolicy>,
}

/// `PATCH /api/v1/subscriptions/{name}`
async fn update(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let ChangeAsked { filter, url, concurrency, retry } = read(body)?;
    let filter = filter.map(|value| read_filter(&app, &value)).transpose()?;
    let change = Change { filter, url, concurrency, retry };
    let changed = app.subscriptions.update(&named(&name)?, change).await?;
    Ok(answer(&serde_json::to_value(changed)?))
}

/// `DELETE /api/v1/subscriptions/{name}`
async fn delete(State(app): State<App>, Path(name): Path<String>) -> Result<Response, ApiError> {
    let name = named(&name)?;
    app.subscriptions.delete(&name).await?;
    Ok(answer(&json!({"deleted": name})))
}

/// `POST /api/v1/subscriptions/{name}/pause`
async fn pause(State(app): State<App>, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(answer(&serde_json::to_value(app.subscriptions.pause(&named(&name)?).await?)?))
}

/// `POST /api/v1/subscriptions/{name}/resume`: also of one that its endpoint's 410 disabled.
async fn resume(State(app): State<App>, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(answer(&serde_json::to_value(app.subscriptions.resume(&named(&name)?).await?)?))
}

/// `POST /api/v1/subscriptions/{name}/rotate-secret`: the new secret is in the answer, and in no other.
async fn rotate_secret(State(app): State<App>, Path(name): Path<String>) -> Result<Response, ApiError> {
    let name = named(&name)?;
    let secret = app.subscriptions.rotate_secret(&name).await?;
    let before = app.subscriptions.secrets(&name).await?.into_iter().find_map(|secret| secret.until);
    Ok(answer(&json!({"subscription": name, "secret": secret, "before_until": before})))
}

/// `POST /api/v1/subscriptions/{name}/test`: sends one made-up event and answers with what became of it.
async fn test(State(app): State<App>, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(answer(&serde_json::to_value(app.subscriptions.test(&named(&name)?).await?)?))
}

/// The subscription of that name.
async fn known(app: &App, name: &str) -> Result<Subscription, ApiError> {
    Ok(app.subscriptions.get(&named(name)?).await?)
}

/// A name in an address. What cannot be a name is one that nobody has.
pub(crate) fn named(name: &str) -> Result<Name, ApiError> {
    name.parse().map_err(|_| unknown(name))
}

/// There is no subscription of that name.
fn unknown(name: &str) -> ApiError {
    ApiError::not_found("subscription", name).remedy("GET /api/v1/subscriptions lists them")
}

/// Reads the body of a request. An empty one is `{}`.
fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let body = body.map_err(|refused| ApiError::new(refused.status(), format!("the body: {}", refused.body_text())))?;
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(text)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))
}

/// Reads a filter as it stands in an address.
pub(super) fn filter_of_text(app: &App, text: &str) -> Result<Filter, ApiError> {
    let value: Value = serde_json::from_str(text).map_err(|error| wrong_filter(&error))?;
    read_filter(app, &value)
}

/// Reads a filter as it stands in a document.
fn read_filter(app: &App, value: &Value) -> Result<Filter, ApiError> {
    Filter::parse(value, (app.site.clock)()).map_err(|error| wrong_filter(&error))
}

fn wrong_filter(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, format!("the filter cannot be used: {error}")).remedy(FILTER_REMEDY)
}

/// By which way a subscription is delivered, in words.
pub(crate) const fn transport(transport: &Transport) -> &'static str {
    match transport {
        Transport::Sse => "server-sent events",
        Transport::Websocket => "a WebSocket",
        Transport::Pull { .. } => "pull",
        Transport::Webhook(_) => "signed webhooks",
    }
}

impl From<SubscriptionError> for ApiError {
    fn from(error: SubscriptionError) -> Self {
        let words = error.to_string();
        match error {
            SubscriptionError::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, words),
            SubscriptionError::Unknown(name) => unknown(name.as_str()),
            SubscriptionError::Exists(name) => Self::new(StatusCode::CONFLICT, words)
                .remedy(format!("another name, or PATCH /api/v1/subscriptions/{name}")),
            SubscriptionError::Conflict(_) => Self::new(StatusCode::CONFLICT, words),
            SubscriptionError::Fenced => Self::new(StatusCode::CONFLICT, words).remedy("pull again"),
            SubscriptionError::Streams(error) => error.into(),
            SubscriptionError::Store(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, words),
        }
    }
}
