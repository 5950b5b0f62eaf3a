//! Bots: how they stand, their runs, and the few things one does with them. Nothing here names anybody.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bots::error::BotError;
use bots::runtime::record::{BotStatus, RunId, RunSummary};
use bus::ids::EventId;
use http::StatusCode;
use serde_json::{Value, json};

use super::{ApiError, answer, parameter};
use crate::bots::people;
use crate::redact::People;
use crate::site::App;

pub(super) mod replay;

/// Runs or dead letters of one answer, and at most.
const ROWS_DEFAULT: usize = 20;
const ROWS_MAX: usize = 100;

/// `GET /api/v1/bots`
pub(super) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let mut bots = Vec::new();
    for status in app.bots.list().await? {
        bots.push(document(&app, &status).await?);
    }
    Ok(answer(&json!({"bots": bots})))
}

/// `GET /api/v1/bots/{bot}`
pub(super) async fn one(State(app): State<App>, Path(bot): Path<String>) -> Result<Response, ApiError> {
    let status = known(&app, &bot).await?;
    Ok(answer(&document(&app, &status).await?))
}

/// `GET /api/v1/bots/{bot}/runs?before=&limit=`
pub(super) async fn runs(
    State(app): State<App>,
    Path(bot): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    known(&app, &bot).await?;
    let query = query.as_deref();
    let limit = limit(query)?;
    let runs = app.bots.runs(&bot, number(query, "before")?.map(RunId), limit).await?;
    let next = runs.last().filter(|_| runs.len() == limit).map(|run| run.id);
    Ok(answer(&json!({"runs": summaries(&app, &runs).await?, "next": next})))
}

/// `GET /api/v1/bots/{bot}/runs/{run}`
pub(super) async fn run(
    State(app): State<App>,
    Path((bot, run)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_found("run", &run);
    let id: RunId = run.parse().map_err(|_| unknown())?;
    let record = app.bots.run_record(id).await?.filter(|record| record.run.bot == bot).ok_or_else(unknown)?;
    let event = app.streams.event(record.run.event).await?;
    let people = people::of_run(&record, event.as_ref());
    Ok(answer(&people::masked(serde_json::to_value(&record)?, &people)))
}

/// `GET /api/v1/bots/{bot}/dead-letters?limit=`, and of all bots `GET /api/v1/dead-letters`
pub(super) async fn dead_letters(
    State(app): State<App>,
    bot: Option<Path<String>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let bot = bot.map(|Path(bot)| bot);
    if let Some(bot) = &bot {
        known(&app, bot).await?;
    }
    let mut shown = Vec::new();
    for letter in app.bots.dead_letters(bot.as_deref(), limit(query.as_deref())?).await? {
        let people = named(&app, letter.run).await?;
        shown.push(people::masked(serde_json::to_value(&letter)?, &people));
    }
    Ok(answer(&json!({"dead_letters": shown})))
}

/// `POST /api/v1/bots/{bot}/pause`
pub(super) async fn pause(State(app): State<App>, Path(bot): Path<String>) -> Result<Response, ApiError> {
    app.bots.pause(&bot).await?;
    one(State(app), Path(bot)).await
}

/// `POST /api/v1/bots/{bot}/resume`
pub(super) async fn resume(State(app): State<App>, Path(bot): Path<String>) -> Result<Response, ApiError> {
    app.bots.resume(&bot).await?;
    one(State(app), Path(bot)).await
}

/// `POST /api/v1/bots/{bot}/redrive?run=&dry=1`: with `dry` only the plan.
pub(super) async fn redrive(
    State(app): State<App>,
    Path(bot): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.as_deref();
    let run = number(query, "run")?.map(RunId);
    let runs = run.as_ref().map(std::slice::from_ref);
    let plan = app.bots.redrive_plan(&bot, runs).await?;
    if parameter(query, "dry").is_some() {
        return Ok(answer(&json!({"bot": bot, "plan": plan})));
    }
    let redriven = app.bots.redrive(&bot, runs).await?;
    Ok(answer(&json!({"bot": bot, "plan": plan, "redriven": redriven})))
}

/// `POST /api/v1/bots/{bot}/test?event=ID`: what the bot would make of an event now. Nothing is recorded or performed.
pub(super) async fn test(
    State(app): State<App>,
    Path(bot): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let text = parameter(query.as_deref(), "event").unwrap_or_default();
    let unknown = || ApiError::not_found("event", &text).remedy("GET /api/v1/events lists them");
    let id: EventId = text.parse().map_err(|_| unknown())?;
    known(&app, &bot).await?;
    let trial = app.bots.test(&bot, id).await?.ok_or_else(unknown)?;
    let people = people::of_trial(&trial);
    Ok(answer(&people::masked(trial.document(), &people)))
}

async fn known(app: &App, bot: &str) -> Result<BotStatus, ApiError> {
    let status = app.bots.bot(bot).await?;
    status.ok_or_else(|| ApiError::not_found("bot", bot).remedy("GET /api/v1/bots lists them"))
}

async fn document(app: &App, status: &BotStatus) -> Result<Value, ApiError> {
    let mut document = serde_json::to_value(status)?;
    let mut people = People::default();
    // What is told of a bot as a whole may speak of whoever its last run speaks of.
    if let Some(run) = status.last_runs.first() {
        people = named(app, run.id).await?;
    }
    let runs = summaries(app, &status.last_runs).await?;
    document = people::masked(document, &people);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("last_runs".to_owned(), json!(runs));
    }
    Ok(document)
}

async fn summaries(app: &App, runs: &[RunSummary]) -> Result<Vec<Value>, ApiError> {
    let mut shown = Vec::with_capacity(runs.len());
    for run in runs {
        let people = named(app, run.id).await?;
        shown.push(people::masked(serde_json::to_value(run)?, &people));
    }
    Ok(shown)
}

/// Who is named in a run.
async fn named(app: &App, run: RunId) -> Result<People, ApiError> {
    let Some(record) = app.bots.run_record(run).await? else { return Ok(People::default()) };
    let event = app.streams.event(record.run.event).await?;
    Ok(people::of_run(&record, event.as_ref()))
}

fn limit(query: Option<&str>) -> Result<usize, ApiError> {
    let asked = number(query, "limit")?.unwrap_or_else(|| i64::try_from(ROWS_DEFAULT).unwrap_or(i64::MAX));
    Ok(usize::try_from(asked).unwrap_or(1).clamp(1, ROWS_MAX))
}

fn number(query: Option<&str>, key: &str) -> Result<Option<i64>, ApiError> {
    let wrong = |text: &str| ApiError::new(StatusCode::BAD_REQUEST, format!("{key}={text:?} is not a whole number"));
    parameter(query, key).map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
}

impl From<BotError> for ApiError {
    fn from(error: BotError) -> Self {
        match error {
            BotError::Streams(error) => error.into(),
            BotError::Unknown { .. } => {
                Self::new(StatusCode::NOT_FOUND, error.to_string()).remedy("GET /api/v1/bots lists them")
            }
            BotError::Engine(_)
            | BotError::Migrate(_)
            | BotError::Setup(_)
            | BotError::Corrupt { .. }
            | BotError::Unwritable { .. }
            | BotError::Subscription { .. }
            | BotError::Abrupt(_)
            | BotError::LeaseLost
            | BotError::Crashed(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}
