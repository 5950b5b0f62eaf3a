//! Events as they come: server-sent events, each with its offset as id, so that a lost stream goes on where it ended.

use std::convert::Infallible;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bus::ids::EventOffset;
use bus::stop::stopped;
use futures_util::stream;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Interval;

use super::ApiError;
use crate::site::App;
use crate::tail::Tail;
use asked::{Asked, Way};
pub(super) use asked::{PLACE_REMEDY, moment, start};
use reader::{Next, Reader};

mod asked;
mod reader;
pub(super) mod socket;

/// `GET /api/v1/events/stream?q=&filter=&subscription=&from=latest|earliest|OFFSET|TIME&heartbeat=15`, with
/// `Last-Event-ID` before `from`.
///
/// 410 if what comes after that place is not kept any more. A stream that is overtaken by that ends with an event `gone`.
pub(super) async fn events(
    State(app): State<App>,
    Extension(tail): Extension<Tail>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let asked = Asked::read(&app, query.as_deref(), last.map(EventOffset), Way::Sse).await?;
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + asked.heartbeat, asked.heartbeat);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let told = Told {
        reader: Reader::new(tail, app.streams, asked.which, asked.position),
        beat,
        stop: app.stop,
        ended: false,
    };
    let frames = stream::unfold(told, |mut told| async move {
        let frame = told.next().await?;
        Some((Ok::<_, Infallible>(frame), told))
    });
    // A proxy that collects an answer before it passes it on would hold the events back.
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache"),
        (http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// What one client is told.
struct Told {
    reader: Reader,
    beat: Interval,
    stop: watch::Receiver<bool>,
    ended: bool,
}

impl Told {
    /// The next message, or a sign of life; none at the end. Cancel-safe.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => None,
            next = self.reader.next() => match next {
                Ok(Some(Next::Event(event))) => {
                    self.beat.reset();
                    Some(event.frame())
                }
                // A client that was away knows by this that it has heard all that it missed.
                Ok(Some(Next::CaughtUp)) => Some(self.place("caught up")),
                Ok(Some(Next::Gone(oldest))) => {
                    self.ended = true;
                    Some(gone(oldest))
                }
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(?error, "a live stream ended");
                    None
                }
            },
            _ = self.beat.tick() => Some(self.place("here")),
        }
    }

    /// A comment with the place in the log, so that whoever wants few of many events does not begin far back after a
    /// lost connection.
    fn place(&mut self, comment: &str) -> Bytes {
        self.beat.reset();
        Bytes::from(format!(": {comment}\nid: {}\n\n", self.reader.position()))
    }
}

/// The last message of a stream that was overtaken.
fn gone(oldest: EventOffset) -> Bytes {
    let error = asked::gone_words(oldest);
    let data = json!({"error": error, "oldest": oldest, "try": asked::GONE_REMEDY});
    Bytes::from(format!("event: gone\ndata: {data}\n\n"))
}
