//! Events as they come: server-sent events, each with its offset as id, so that a lost stream goes on where it ended.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bus::ids::EventOffset;
use bus::query::{Condition, Query};
use bus::streams::Streams;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream};
use http::{HeaderMap, StatusCode};
use tokio::sync::watch;

use super::events::{document, read_query};
use super::{ApiError, parameter};
use crate::site::App;

/// Proxies close a connection that says nothing for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Events read from the log at once: what a slow reader holds in memory.
const EVENTS_READ_MAX: usize = 256;

/// `GET /api/v1/events/stream?q=&from=latest|earliest|OFFSET|TIME`, with `Last-Event-ID` before `from`.
pub(super) async fn events(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = query.as_deref();
    let wanted = read_query(&app, &parameter(query, "q").unwrap_or_default())?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).map(EventOffset);
    let position = match last {
        Some(last) => last,
        None => start(&app, &parameter(query, "from").unwrap_or_else(|| "latest".to_owned())).await?,
    };
    let reader = Reader {
        head: app.streams.event_head(),
        stop: app.stop.clone(),
        streams: app.streams,
        query: wanted,
        position,
        ready: Vec::new().into_iter(),
    };
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(follow(reader)).keep_alive(keep_alive).into_response())
}

/// One subscriber's place in the log.
struct Reader {
    streams: Streams,
    query: Query,
    position: EventOffset,
    head: watch::Receiver<EventOffset>,
    stop: watch::Receiver<bool>,
    ready: std::vec::IntoIter<Event>,
}

/// Replay and live tail are the same loop: what is in the log is read, then a moved head is waited for.
fn follow(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold(reader, |mut reader| async move {
        loop {
            if let Some(event) = reader.ready.next() {
                return Some((Ok(event), reader));
            }
            if *reader.stop.borrow() {
                return None;
            }
            // Mark the head as seen before reading, so that an event arriving meanwhile is not slept over.
            reader.head.borrow_and_update();
            match reader.read().await {
                Ok(true) => {}
                Ok(false) => tokio::select! {
                    moved = reader.head.changed() => if moved.is_err() { return None },
                    stopped = reader.stop.changed() => if stopped.is_err() { return None },
                },
                Err(error) => {
                    tracing::warn!(?error, "a live stream ended");
                    return None;
                }
            }
        }
    })
}

impl Reader {
    /// Reads the next events of the log; false if there are none.
    async fn read(&mut self) -> Result<bool, ApiError> {
        let events = self.streams.events(self.position, EVENTS_READ_MAX).await?;
        let Some(last) = events.last() else { return Ok(false) };
        self.position = last.offset;
        let mut ready = Vec::new();
        for event in events.iter().filter(|event| self.query.matches(event)) {
            let data = document(&self.streams, event).await?.to_string();
            ready.push(Event::default().id(event.offset.to_string()).data(data));
        }
        self.ready = ready.into_iter();
        Ok(true)
    }
}

async fn start(app: &App, from: &str) -> Result<EventOffset, ApiError> {
    let head = *app.streams.event_head().borrow();
    if let Ok(offset) = from.parse() {
        return Ok(EventOffset(offset));
    }
    match from {
        "latest" => Ok(head),
        "earliest" => Ok(EventOffset::START),
        time => {
            let now = (app.site.clock)();
            let wrong = || {
                ApiError::new(StatusCode::BAD_REQUEST, format!("from={time:?} is no place in the log"))
                    .remedy("latest, earliest, an offset, a duration such as 2h, a date, or an instant in RFC 3339")
            };
            let query = Query::parse(&format!("since:{time}"), now).map_err(|_| wrong())?;
            let moment = query
                .terms()
                .iter()
                .find_map(|term| if let Condition::Since(moment) = &term.condition { Some(moment.at()) } else { None });
            before(&app.streams, moment.ok_or_else(wrong)?, head).await
        }
    }
}

/// The last offset that was recorded before an instant, by bisection: the times of recording do not fall.
async fn before(streams: &Streams, at: DateTime<Utc>, head: EventOffset) -> Result<EventOffset, ApiError> {
    let (mut low, mut high) = (0, head.0);
    while low < high {
        let middle = low + (high - low) / 2;
        let next = streams.events(EventOffset(middle), 1).await?;
        match next.first() {
            Some(event) if event.recorded_at < at => low = middle + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(EventOffset(low))
}
