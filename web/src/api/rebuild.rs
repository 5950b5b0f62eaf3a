//! Rebuilding, planning and verifying, each as a stream of progress that ends with the result.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::StatusCode;
use ledger::rebuild::{Progress, Rereading};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::ApiError;
use crate::site::App;

/// A rebuild reads for minutes between two lines; a proxy must not take that for an end.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// `POST /api/v1/rebuild/run|plan|verify`
pub(super) async fn start(State(app): State<App>, Path(mode): Path<String>) -> Result<Response, ApiError> {
    if !["run", "plan", "verify"].contains(&mode.as_str()) {
        return Err(ApiError::not_found("way to rebuild", &mode).remedy("run, plan or verify"));
    }
    let Ok(turn) = Arc::clone(&app.rebuilding).try_lock_owned() else {
        return Err(ApiError::new(StatusCode::CONFLICT, "a rebuild is under way").remedy("wait until it is done"));
    };
    let (progress, heard) = watch::channel(Progress::default());
    let (done, result) = mpsc::channel(1);
    // The work goes on when whoever asked has gone: half a rebuild would only have to be thrown away.
    tokio::spawn(async move {
        let outcome = work(&app, &mode, &progress).await;
        drop(turn);
        drop(done.send(outcome).await);
    });
    let lines = stream::unfold(Some((heard, result)), next);
    Ok(Sse::new(lines).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

async fn work(app: &App, mode: &str, progress: &watch::Sender<Progress>) -> Value {
    let rereading =
        Rereading { normalize: Arc::new(ingest::normalizer::normalize), reader: ingest::normalizer::READER };
    let told = |at: Progress| {
        progress.send_replace(at);
    };
    let outcome = match mode {
        "plan" => app.ledger.plan(&rereading, &told).await.map(|plan| json!({"plan": plan})),
        "verify" => app.ledger.verify(&rereading, &told).await.map(|verified| json!({"verified": verified})),
        _ => app.ledger.rebuild(&rereading, &told).await.map(|rebuilt| json!({"rebuilt": rebuilt})),
    };
    outcome.unwrap_or_else(|error| json!({"error": error.to_string()}))
}

type Waiting = Option<(watch::Receiver<Progress>, mpsc::Receiver<Value>)>;

async fn next(waiting: Waiting) -> Option<(Result<Event, Infallible>, Waiting)> {
    let (mut heard, mut result) = waiting?;
    let line = |value: &Value| Ok(Event::default().data(value.to_string()));
    tokio::select! {
        biased;
        outcome = result.recv() => {
            let outcome = outcome.unwrap_or_else(|| json!({"error": "the work ended abruptly"}));
            Some((line(&outcome), None))
        }
        Ok(()) = heard.changed() => {
            let progress = json!({"progress": *heard.borrow_and_update()});
            Some((line(&progress), Some((heard, result))))
        }
    }
}
