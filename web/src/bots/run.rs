//! `/bots/{bot}/runs/{run}`: one run with its event, why, what it asked, what it did, and every attempt.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use bots::action::Action;
use bots::contract::Mode;
use bots::runtime::record::{ActionRecord, ActionStatus, AskedRecord, Attempt, RunId, RunRecord};
use bus::event::Recorded;
use http::{HeaderMap, StatusCode, Uri};

use super::line::leads_out;
use super::preview::Preview;
use super::{RunLine, Told, people, words};
use crate::error::PageError;
use crate::explorer::{Failed, html, layout};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::redact::People;
use crate::site::App;

/// An answer is shown up to here; the rest is said to be there.
const ANSWER_BYTES_MAX: usize = 32 << 10;

#[derive(Debug, Template)]
#[template(path = "bots/run.html")]
struct RunPage {
    layout: Layout,
    id: RunId,
    line: RunLine,
    version: u32,
    mode: &'static str,
    round: String,
    key: String,
    tries: String,
    due: String,
    attempts: Vec<AttemptLine>,
    asked: Vec<AskedLine>,
    cost: String,
    actions: Vec<ActionCard>,
    /// What it keeps for itself: a sentence, and what is kept.
    own: Vec<(String, String)>,
    dry: bool,
    command: String,
}

#[derive(Debug)]
struct AttemptLine {
    at: String,
    outcome: String,
    reason: String,
    millis: String,
}

#[derive(Debug)]
struct AskedLine {
    question: String,
    answer: String,
    known: bool,
    cost: String,
    cut: String,
}

#[derive(Debug)]
struct ActionCard {
    sentence: String,
    status: (&'static str, &'static str),
    reason: String,
    reason_class: &'static str,
    destination: String,
    mark: String,
    preview: Option<Preview>,
    /// What a comment says, or what is kept.
    text: String,
    attempts: Vec<AttemptLine>,
    performed: String,
    due: String,
    url: Option<String>,
    unchanged: bool,
    in_doubt: bool,
    toil: String,
}

/// `GET /bots/{bot}/runs/{run}`
pub(super) async fn page(
    State(app): State<App>,
    Path((bot, run)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let unknown = || PageError::NotFound { kind: "run", name: run.clone(), meant: None };
    let id: RunId = run.parse().map_err(|_| unknown())?;
    let record = app.bots.run_record(id).await?.filter(|record| record.run.bot == bot).ok_or_else(unknown)?;
    let event = app.streams.event(record.run.event).await?;
    let told = Told::of(&app);
    let title = format!("{bot}: run {id}");
    html(StatusCode::OK, &of(layout(&app, &title, Tab::Bots, &uri, &headers), &record, event.as_ref(), told))
}

fn of(layout: Layout, record: &RunRecord, event: Option<&Recorded>, told: Told) -> RunPage {
    let people = people::of_run(record, event);
    let run = &record.run;
    let due = run.due_at.map(|at| told.second(at)).unwrap_or_default();
    let round = match (run.round, &record.note) {
        (0, _) => String::new(),
        (round, note) => {
            let note = note.as_ref().map(|note| format!(": {}", people.text(note))).unwrap_or_default();
            format!("reminder {round}{note}")
        }
    };
    let asked: Vec<AskedLine> = record.asked.iter().map(|asked| asked_line(asked, &people)).collect();
    let total = record.asked.iter().fold((0_u32, 0_u32), |(calls, millis), asked| {
        let told = &asked.asked.told;
        (calls.saturating_add(told.calls), millis.saturating_add(told.millis))
    });
    let outward = record.actions.iter().filter(|action| action.action.is_outward());
    RunPage {
        layout,
        id: run.id,
        line: RunLine::of(run, event, &people, told),
        version: run.version,
        mode: words::mode(run.mode),
        round,
        key: people.text(&record.key),
        tries: format::plural(run.tries.into(), "time", "times"),
        due,
        attempts: attempts(&record.attempts, &people, told),
        cost: cost(total.0, total.1),
        asked,
        actions: outward.map(|action| card(action, &people, told)).collect(),
        own: record.actions.iter().filter_map(|action| kept(&action.action, &people)).collect(),
        dry: run.mode == Mode::DryRun,
        command: format!("devhose bots test {} --event {}", run.bot, run.event),
    }
}

fn attempts(attempts: &[Attempt], people: &People, told: Told) -> Vec<AttemptLine> {
    let line = |attempt: &Attempt| AttemptLine {
        at: attempt.at.with_timezone(&told.zone).format("%-d %b %H:%M:%S%.3f").to_string(),
        outcome: attempt.outcome.replace('-', " "),
        reason: people.text(attempt.reason.as_deref().unwrap_or_default()),
        millis: format!("{}\u{202f}ms", format::count(attempt.millis.into())),
    };
    attempts.iter().map(line).collect()
}

fn cost(calls: u32, millis: u32) -> String {
    if calls == 0 {
        return "no call to a tool".to_owned();
    }
    let millis = format::count(millis.into());
    format!("{}, {millis}\u{202f}ms", format::plural(calls.into(), "call to a tool", "calls to tools"))
}

fn asked_line(record: &AskedRecord, people: &People) -> AskedLine {
    let asked = &record.asked;
    let mut answer = people::answer(asked, people);
    let mut cut = record.cut.clone().unwrap_or_default();
    if answer.len() > ANSWER_BYTES_MAX {
        let end = (0..=ANSWER_BYTES_MAX).rev().find(|end| answer.is_char_boundary(*end)).unwrap_or_default();
        answer.truncate(end);
        "the rest is kept but not shown here".clone_into(&mut cut);
    }
    AskedLine {
        question: people.text(&asked.question.to_string()),
        known: asked.told.answer.is_ok(),
        answer,
        cost: if asked.told.calls == 0 { String::new() } else { cost(asked.told.calls, asked.told.millis) },
        cut,
    }
}

/// What a bot keeps for itself, and asks of the runtime; none for what a tool performs.
fn kept(action: &Action, people: &People) -> Option<(String, String)> {
    let text = match action {
        Action::SaveState { value, .. } => value.clone().unwrap_or_default(),
        Action::Remind { note, .. } => note.clone(),
        Action::PostMessage { .. }
        | Action::Comment { .. }
        | Action::RequestReviewers { .. }
        | Action::AddLabels { .. } => return None,
    };
    let text = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => format!("{:#}", people.json(&value)),
        Err(_) => people.text(&text),
    };
    Some((people.text(&words::action(action, None)), text))
}

fn card(record: &ActionRecord, people: &People, told: Told) -> ActionCard {
    let preview = match &record.action {
        Action::PostMessage { message, .. } => Preview::of(message, people),
        Action::Comment { .. }
        | Action::RequestReviewers { .. }
        | Action::AddLabels { .. }
        | Action::SaveState { .. }
        | Action::Remind { .. } => None,
    };
    let text = match &record.action {
        Action::Comment { text, .. } => text.clone(),
        Action::PostMessage { .. }
        | Action::RequestReviewers { .. }
        | Action::AddLabels { .. }
        | Action::SaveState { .. }
        | Action::Remind { .. } => String::new(),
    };
    let receipt = record.receipt.as_ref();
    // That an update came later is said by the status.
    let reason = record.reason.as_deref().filter(|_| record.status != ActionStatus::Superseded);
    ActionCard {
        sentence: people.text(&words::action(&record.action, record.channel.as_deref())),
        status: words::action_status(record.status),
        reason: people.text(reason.unwrap_or_default()),
        reason_class: if record.status == ActionStatus::Failed { "bad" } else { "warned" },
        destination: record.destination.clone().unwrap_or_default(),
        mark: record.mark.to_string(),
        preview,
        text: people.text(&text),
        attempts: attempts(&record.attempts, people, told),
        performed: record.performed_at.map(|at| told.second(at)).unwrap_or_default(),
        due: record.due_at.map(|at| told.second(at)).unwrap_or_default(),
        url: receipt.and_then(|receipt| receipt.url.clone()).filter(|url| leads_out(url)),
        unchanged: receipt.is_some_and(|receipt| receipt.unchanged),
        in_doubt: record.in_doubt,
        toil: if record.toil_minutes == 0 { String::new() } else { super::list::minutes(record.toil_minutes.into()) },
    }
}
