//! What a subscriber asks for: which events, from where on, and how often it wants a sign of life.

use std::time::Duration;

use bus::ids::EventOffset;
use bus::query::{Condition, Query};
use bus::streams::Streams;
use bus::subscriptions::{Filter, Start, State, Subscription, Transport};
use chrono::{DateTime, Utc};
use http::StatusCode;

use super::reader::Which;
use crate::api::events::read_query;
use crate::api::{ApiError, parameter, subscriptions};
use crate::site::App;

/// Proxies close a connection that says nothing for longer.
const HEARTBEAT_SECONDS_DEFAULT: u64 = 15;

/// A heartbeat may be asked for at most this rarely.
const HEARTBEAT_SECONDS_MAX: u64 = 60;

/// How a place in the log is written.
pub(in crate::api) const PLACE_REMEDY: &str =
    "latest, earliest, an offset, a duration such as 2h, a date, or an instant in RFC 3339";

/// What to do about a place that is not kept any more.
pub(super) const GONE_REMEDY: &str = "from=earliest goes on with the oldest event that is kept; what lies before it can only come from a copy of the log";

/// By which way a subscriber listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Sse,
    Websocket,
}

/// What a subscriber asks for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) which: Which,
    /// After this.
    pub(super) position: EventOffset,
    pub(super) heartbeat: Duration,
}

impl Asked {
    /// Reads what stands in an address. `last` is what the client has seen already.
    pub(super) async fn read(
        app: &App,
        query: Option<&str>,
        last: Option<EventOffset>,
        way: Way,
    ) -> Result<Self, ApiError> {
        let named = match parameter(query, "subscription") {
            Some(name) => Some(subscription(app, &name, way).await?),
            None => None,
        };
        let filter = match (parameter(query, "filter"), &named) {
            (Some(_), Some(_)) => {
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "subscription and filter are given both")
                    .remedy("a subscription has its filter; leave one of them out"));
            }
            (Some(text), None) => subscriptions::filter_of_text(app, &text)?,
            (None, Some(named)) => named.spec.filter.clone(),
            (None, None) => Filter::default(),
        };
        let wanted = read_query(app, &parameter(query, "q").unwrap_or_default())?;
        let position = match (last, parameter(query, "from"), named) {
            (Some(last), ..) => last,
            (None, Some(from), _) => place(app, &from).await?,
            (None, None, Some(named)) => begin(app, named.spec.start).await?,
            (None, None, None) => begin(app, Start::Latest).await?,
        };
        let oldest = app.streams.oldest_event().await?;
        if position.0 < oldest.0 - 1 {
            let gone = ApiError::new(StatusCode::GONE, gone_words(oldest));
            return Err(gone.remedy(GONE_REMEDY).with("oldest", oldest.0));
        }
        Ok(Self { which: Which { query: wanted, filter }, position, heartbeat: heartbeat(query)? })
    }
}

/// Why a place cannot be gone on from.
pub(super) fn gone_words(oldest: EventOffset) -> String {
    format!("what comes after that place is not kept any more: the oldest event is {oldest}")
}

async fn subscription(app: &App, name: &str, way: Way) -> Result<Subscription, ApiError> {
    let found = app.subscriptions.get(&subscriptions::named(name)?).await?;
    let fits = match (&found.spec.transport, way) {
        (Transport::Sse, Way::Sse) | (Transport::Websocket, Way::Websocket) => true,
        (Transport::Sse | Transport::Websocket | Transport::Pull { .. } | Transport::Webhook(_), _) => false,
    };
    if !fits {
        let by = subscriptions::transport(&found.spec.transport);
        return Err(ApiError::new(StatusCode::CONFLICT, format!("subscription {name} is delivered by {by}"))
            .remedy("q= or filter= listen without a subscription"));
    }
    if found.state != State::Active {
        return Err(ApiError::new(StatusCode::CONFLICT, format!("subscription {name} is paused"))
            .remedy(format!("POST /api/v1/subscriptions/{name}/resume")));
    }
    Ok(found)
}

fn heartbeat(query: Option<&str>) -> Result<Duration, ApiError> {
    let Some(text) = parameter(query, "heartbeat") else {
        return Ok(Duration::from_secs(HEARTBEAT_SECONDS_DEFAULT));
    };
    let seconds = text.parse().ok().filter(|seconds| (1..=HEARTBEAT_SECONDS_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("heartbeat={text:?} cannot be used"))
            .remedy(format!("seconds, 1 to {HEARTBEAT_SECONDS_MAX}"))
    })
}

/// The place in the log that `from` names.
async fn place(app: &App, from: &str) -> Result<EventOffset, ApiError> {
    begin(app, start(app, from)?).await
}

/// A place in the log as people write it.
pub(in crate::api) fn start(app: &App, text: &str) -> Result<Start, ApiError> {
    if let Ok(offset) = text.parse() {
        return Ok(Start::After(EventOffset(offset)));
    }
    match text {
        "latest" => Ok(Start::Latest),
        "earliest" => Ok(Start::Earliest),
        time => moment(time, (app.site.clock)()).map(Start::Since).ok_or_else(|| {
            ApiError::new(StatusCode::BAD_REQUEST, format!("{time:?} is no place in the log")).remedy(PLACE_REMEDY)
        }),
    }
}

/// A moment as people write it: `2h`, a date, or RFC 3339.
pub(in crate::api) fn moment(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let query = Query::parse(&format!("since:{text}"), now).ok()?;
    query
        .terms()
        .iter()
        .find_map(|term| if let Condition::Since(moment) = &term.condition { Some(moment.at()) } else { None })
}

async fn begin(app: &App, start: Start) -> Result<EventOffset, ApiError> {
    let head = *app.streams.event_head().borrow();
    match start {
        Start::Latest => Ok(head),
        Start::Earliest => Ok(EventOffset(app.streams.oldest_event().await?.0 - 1)),
        Start::After(offset) => Ok(offset),
        Start::Since(at) => before(&app.streams, at, head).await,
    }
}

/// The last offset that was recorded before an instant, by bisection: the times of recording do not fall.
async fn before(streams: &Streams, at: DateTime<Utc>, head: EventOffset) -> Result<EventOffset, ApiError> {
    let (mut low, mut high) = (streams.oldest_event().await?.0 - 1, head.0);
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
