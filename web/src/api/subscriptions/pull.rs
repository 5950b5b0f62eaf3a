//! Pulling: a consumer of a group asks for events, and acknowledges them or gives them back.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use bus::ids::EventOffset;
use bus::subscriptions::{PULL_EVENTS_MAX, PULL_WAIT_MAX, Token};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{named, read};
use crate::api::{ApiError, answer, document};
use crate::site::App;

/// Events that a consumer is handed if it does not say how many.
const EVENTS_DEFAULT: usize = 100;

/// Longest name of a consumer, in characters.
const CONSUMER_CHARACTERS_MAX: usize = 80;

/// The body of a request for events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    consumer: String,
    #[serde(default)]
    max: Option<usize>,
    #[serde(default)]
    wait_seconds: u64,
}

/// The body of what is said about events that were handed out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    consumer: String,
    token: Token,
    offsets: Vec<i64>,
}

/// `POST /api/v1/subscriptions/{name}/pull`: `{"consumer", "max": 100, "wait_seconds": 0}`
pub(super) async fn pull(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let ask: Ask = read(body)?;
    check(&ask.consumer)?;
    let max = ask.max.unwrap_or(EVENTS_DEFAULT).clamp(1, PULL_EVENTS_MAX);
    let wait = Duration::from_secs(ask.wait_seconds).min(PULL_WAIT_MAX);
    let name = named(&name)?;
    let mut stop = app.stop.clone();
    let pulled = tokio::select! {
        pulled = app.subscriptions.pull(&name, &ask.consumer, max, wait) => pulled?,
        () = bus::stop::stopped(&mut stop) => {
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the server stops").remedy("pull again"));
        }
    };
    let mut events = Vec::with_capacity(pulled.events.len());
    for recorded in &pulled.events {
        events.push(json!({"offset": recorded.offset, "event": document(&app.streams, recorded).await?}));
    }
    Ok(answer(&json!({"token": pulled.token, "leased_until": pulled.leased_until, "events": events})))
}

/// `POST /api/v1/subscriptions/{name}/acknowledge`: `{"consumer", "token", "offsets"}`
pub(super) async fn acknowledge(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let say = said(body)?;
    let offsets = say.offsets();
    app.subscriptions.acknowledge(&named(&name)?, &say.consumer, &say.token, &offsets).await?;
    Ok(answer(&json!({"acknowledged": offsets.len()})))
}

/// `POST /api/v1/subscriptions/{name}/release`: `{"consumer", "token", "offsets"}`
pub(super) async fn release(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let say = said(body)?;
    let offsets = say.offsets();
    app.subscriptions.release(&named(&name)?, &say.consumer, &say.token, &offsets).await?;
    Ok(answer(&json!({"released": offsets.len()})))
}

impl Say {
    fn offsets(&self) -> Vec<EventOffset> {
        self.offsets.iter().copied().map(EventOffset).collect()
    }
}

fn said(body: Result<Bytes, BytesRejection>) -> Result<Say, ApiError> {
    let say: Say = read(body)?;
    check(&say.consumer)?;
    if say.offsets.len() > PULL_EVENTS_MAX {
        let words = format!("{} offsets at once, {PULL_EVENTS_MAX} are allowed", say.offsets.len());
        return Err(ApiError::new(StatusCode::BAD_REQUEST, words));
    }
    Ok(say)
}

fn check(consumer: &str) -> Result<(), ApiError> {
    let characters = consumer.chars().count();
    if characters == 0 || characters > CONSUMER_CHARACTERS_MAX {
        let words =
            format!("a consumer has a name of 1 to {CONSUMER_CHARACTERS_MAX} characters, this one has {characters}");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, words));
    }
    Ok(())
}
