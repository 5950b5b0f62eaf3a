//! `/bots/{bot}`: what a bot is, how it stands, what it did lately, what was given up, and what it saved.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bots::clients::secrets;
use bots::runtime::record::{DeadLetter, RunId};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Map, Value};

use super::line::named;
use super::list::{Card, people_of};
use super::saved::{self, Saved};
use super::{RunLine, Told, unknown, words};
use crate::api::{ApiError, parameter};
use crate::error::PageError;
use crate::explorer::{Failed, html, layout};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::redact;
use crate::site::App;
use crate::state::BadValue;
use crate::table::Shown;

/// Runs of one page.
const RUNS: usize = 20;

/// Dead letters that are listed; the redrive takes all.
const DEAD_LETTERS: usize = 50;

#[derive(Debug, Template)]
#[template(path = "bots/one.html")]
struct BotPage {
    layout: Layout,
    bot: Card,
    version: u32,
    limits: String,
    /// Name and value of each setting.
    settings: Vec<(String, String)>,
    performed: String,
    runs: Vec<RunLine>,
    /// Where earlier runs are, if there are any.
    older: Option<String>,
    /// Where the newest are, if these are not.
    newest: Option<String>,
    dead: Vec<DeadLine>,
    plan: String,
    saved: Saved,
    is_paused: bool,
}

/// A dead letter in a line.
#[derive(Debug)]
struct DeadLine {
    run: RunId,
    href: String,
    event_href: String,
    what: String,
    at: String,
    /// The action that was given up; empty if it is the run.
    action: String,
    reason: String,
    tries: u32,
}

impl BotPage {
    fn toil(&self) -> Shown<'_> {
        Shown { table: &self.saved.table, caption: "Toil saved" }
    }
}

/// `GET /bots/{bot}?before=RUN`
pub(super) async fn page(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let Some(status) = app.bots.bot(&name).await? else { return Err(unknown(&app, &name).await) };
    let told = Told::of(&app);
    let card = Card::of(&status, &people_of(&app, &status).await?, told);
    let before = before(query.as_deref(), &card.href)?;
    let mut runs = app.bots.runs(&name, before, RUNS + 1).await?;
    let more = runs.len() > RUNS;
    runs.truncate(RUNS);
    let older = runs.last().filter(|_| more).map(|last| format!("{}?before={}#runs", card.href, last.id));
    let mut dead = Vec::new();
    for letter in app.bots.dead_letters(Some(&name), DEAD_LETTERS).await? {
        dead.push(dead_line(&app, letter, told).await?);
    }
    let plan = app.bots.redrive_plan(&name, None).await?;
    let manifest = status.manifest;
    let page = BotPage {
        layout: layout(&app, manifest.name, Tab::Bots, &uri, &headers),
        version: manifest.version,
        limits: format!(
            "at most {} for one event; an event is tried {} before it is given up",
            format::plural(manifest.actions_per_event_max as u64, "action", "actions"),
            format::plural(manifest.attempts_max.into(), "time", "times")
        ),
        settings: app.bots.values(&name).map(settings).unwrap_or_default(),
        performed: performed(&status.performed),
        runs: RunLine::all(&app, &runs).await?,
        older,
        newest: before.map(|_| format!("{}#runs", card.href)),
        plan: words::plan(plan.runs, plan.actions, plan.about_seconds),
        dead,
        saved: saved::of(&app, &name).await?,
        is_paused: status.paused.is_some(),
        bot: card,
    };
    html(StatusCode::OK, &page)
}

fn before(query: Option<&str>, href: &str) -> Result<Option<RunId>, PageError> {
    let Some(text) = parameter(query, "before") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        PageError::BadValue(BadValue {
            key: "before",
            value: text.chars().take(80).collect(),
            expected: "the number of a run".to_owned(),
            fix: href.to_owned(),
        })
    })
}

/// The settings of a bot. None should be a secret; one that is called like a secret is not shown.
pub(crate) fn settings(values: &Map<String, Value>) -> Vec<(String, String)> {
    let shown = |(name, value): (&String, &Value)| {
        let lower = name.to_lowercase();
        if ["secret", "token", "password", "key"].iter().any(|word| lower.contains(word)) {
            return (name.clone(), "set, not shown".to_owned());
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), redact::text(&secrets::redact(&text)).0)
    };
    values.iter().map(shown).collect()
}

/// `312 times post-message, 4 times comment`
fn performed(performed: &std::collections::BTreeMap<String, u64>) -> String {
    let outward = performed.iter().filter(|(name, count)| **count > 0 && *name != "save-state" && *name != "remind");
    let parts: Vec<String> =
        outward.map(|(name, count)| format!("{name} {}", format::plural(*count, "time", "times"))).collect();
    if parts.is_empty() { "nothing yet".to_owned() } else { parts.join(", ") }
}

async fn dead_line(app: &App, letter: DeadLetter, told: Told) -> Result<DeadLine, ApiError> {
    let record = app.bots.run_record(letter.run).await?;
    let people = named(record.as_ref(), app.streams.event(letter.event).await?.as_ref());
    let action = letter.action.as_ref().map(|action| {
        format!("{} {}", words::deed(&action.name, action.status), action.destination.as_deref().unwrap_or_default())
    });
    Ok(DeadLine {
        run: letter.run,
        href: format!("{}/runs/{}", super::address(&letter.bot), letter.run),
        event_href: format!("/events/{}", letter.event),
        what: people.text(&format!("{} of {}", letter.kind, letter.subject)),
        at: told.moment(letter.at),
        action: people.text(&action.unwrap_or_default()),
        reason: people.text(&letter.reason),
        tries: letter.tries,
    })
}
