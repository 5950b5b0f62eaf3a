//! Replaying a bot over a range of history, as a stream of trials that ends with the sum.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bots::trial::Trial;
use bus::query::{Condition, Query};
use chrono::{DateTime, Utc};
use futures_util::stream;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::known;
use crate::api::{ApiError, parameter};
use crate::bots::people;
use crate::site::App;

/// A replay thinks for a while between two trials; a proxy must not take that for an end.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How far back a replay goes if nothing else is asked for.
const SINCE_DEFAULT: &str = "7d";

/// `POST /api/v1/bots/{bot}/replay?since=7d&before=`
pub(crate) async fn start(
    State(app): State<App>,
    Path(bot): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    known(&app, &bot).await?;
    let now = (app.site.clock)();
    let query = query.as_deref();
    let since = moment(&parameter(query, "since").unwrap_or_else(|| SINCE_DEFAULT.to_owned()), now)?;
    let before = parameter(query, "before").map(|text| moment(&text, now)).transpose()?.unwrap_or(now);
    let (told, heard) = watch::channel(0_u64);
    let lines = Lines::default();
    let ready = lines.clone();
    tokio::spawn(async move {
        let on_trial = |trial: Trial| {
            ready.push(&json!({"trial": people::masked(trial.document(), &people::of_trial(&trial))}));
            told.send_modify(|count| *count += 1);
        };
        let outcome = app.bots.replay(&bot, since..before, on_trial).await;
        ready.push(&match outcome {
            Ok(replayed) => json!({"replayed": replayed}),
            Err(error) => json!({"error": error.to_string()}),
        });
    });
    Ok(Sse::new(follow(lines, heard)).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// What is ready to be sent: as much as a replay goes through at most, for it does not wait for a slow reader.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<VecDeque<Event>>>);

impl Lines {
    fn push(&self, line: &Value) {
        let event = Event::default().data(line.to_string());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    fn pop(&self) -> Option<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// The lines as they come; the end is when the replay has let go of its side.
fn follow(
    lines: Lines,
    heard: watch::Receiver<u64>,
) -> impl futures_util::Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold((lines, heard, false), |(lines, mut heard, mut ended)| async move {
        loop {
            if let Some(event) = lines.pop() {
                return Some((Ok(event), (lines, heard, ended)));
            }
            if ended {
                return None;
            }
            ended = heard.changed().await.is_err();
        }
    })
}

fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
    let query = Query::parse(&format!("since:{text}"), now).ok();
    let moment = query.as_ref().and_then(|query| {
        query
            .terms()
            .iter()
            .find_map(|term| if let Condition::Since(at) = &term.condition { Some(at.at()) } else { None })
    });
    moment.ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("{text:?} is no time"))
            .remedy("a duration such as 7d, a date, or an instant in RFC 3339")
    })
}
