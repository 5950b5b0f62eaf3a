//! `/bots`: how every bot stands, those that need attention first.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bots::contract::Mode;
use bots::runtime::record::{BotStatus, State as Stands};
use http::{HeaderMap, StatusCode, Uri};

use super::line::named;
use super::{Told, address, events_of, words};
use crate::explorer::{Failed, html, layout, row};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::redact::People;
use crate::site::App;

#[derive(Debug, Template)]
#[template(path = "bots/list.html")]
pub(super) struct ListPage {
    layout: Layout,
    sentence: String,
    bots: Vec<Card>,
}

/// A bot as it is told of on every page.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) name: &'static str,
    pub(super) href: String,
    pub(super) description: &'static str,
    pub(super) subscription: &'static str,
    pub(super) subscription_href: String,
    pub(super) class: &'static str,
    pub(super) icon: &'static str,
    pub(super) state: &'static str,
    /// Why it is paused, and since when.
    pub(super) paused: String,
    pub(super) mode: &'static str,
    pub(super) lag: String,
    pub(super) day: String,
    /// When and why it failed last.
    pub(super) failure: String,
    pub(super) dead_letters: u64,
    pub(super) open_actions: u64,
    pub(super) toil: String,
    pub(super) toil_href: String,
    pub(super) never: bool,
    pub(super) dry: bool,
    pub(super) command: String,
}

/// `GET /bots`
pub(super) async fn page(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Failed> {
    let told = Told::of(&app);
    let all = app.bots.list().await?;
    let mut cards = Vec::with_capacity(all.len());
    for status in &all {
        cards.push(Card::of(status, &people_of(&app, status).await?, told));
    }
    let page =
        ListPage { layout: layout(&app, "Bots", Tab::Bots, &uri, &headers), sentence: sentence(&all), bots: cards };
    html(StatusCode::OK, &page)
}

/// Who is named in the last runs of a bot: its last failure may speak of them.
pub(super) async fn people_of(app: &App, status: &BotStatus) -> Result<People, crate::api::ApiError> {
    let failing = status
        .last_runs
        .iter()
        .find(|run| status.last_failure.as_ref().is_some_and(|failure| run.because.contains(&failure.reason)));
    let Some(run) = failing.or_else(|| status.last_runs.first()) else { return Ok(People::default()) };
    let events = events_of(app, [run]).await?;
    let record = app.bots.run_record(run.id).await?;
    Ok(named(record.as_ref(), events.get(&run.event)))
}

impl Card {
    pub(super) fn of(status: &BotStatus, people: &People, told: Told) -> Self {
        let manifest = status.manifest;
        let (class, icon, state) = words::state(status);
        let paused = status
            .paused
            .as_ref()
            .map(|paused| format!("{}, {}", people.text(&paused.because), format::ago(paused.since, told.now)));
        let failure = status
            .last_failure
            .as_ref()
            .map(|failure| format!("{}: {}", format::ago(failure.at, told.now), people.text(&failure.reason)));
        Self {
            name: manifest.name,
            href: address(manifest.name),
            description: manifest.description,
            subscription: manifest.subscription,
            subscription_href: row::address(manifest.subscription),
            class,
            icon,
            state,
            paused: paused.unwrap_or_default(),
            mode: words::mode(status.mode),
            lag: lag(status, told),
            day: day(status),
            failure: failure.unwrap_or_default(),
            dead_letters: status.dead_letters,
            open_actions: status.open_actions,
            toil: toil(status),
            toil_href: row::address(&format!("type:action.performed text:\"{}\" since:7d", manifest.name)),
            never: status.state == Stands::NeverCalled,
            dry: status.mode == Mode::DryRun,
            command: format!("devhose bots test {} --event FILE", manifest.name),
        }
    }
}

/// How far behind: `up to date`, `3 events, the oldest 4 min old`.
fn lag(status: &BotStatus, told: Told) -> String {
    let lag = &status.lag;
    if lag.events == 0 && !lag.at_least {
        return "up to date".to_owned();
    }
    let least = if lag.at_least { "at least " } else { "" };
    let oldest =
        lag.oldest.map(|oldest| format!(", the oldest {} old", format::span((told.now - oldest).num_seconds())));
    format!("{least}{}{}", format::plural(lag.events, "event", "events"), oldest.unwrap_or_default())
}

/// How the runs of a day ended, as k of n.
fn day(status: &BotStatus) -> String {
    let all = status.day.ok + status.day.failed;
    if all == 0 {
        return "no run ended".to_owned();
    }
    format!("{} of {} went well", format::count(status.day.ok), format::plural(all, "run", "runs"))
}

fn toil(status: &BotStatus) -> String {
    let toil = &status.toil;
    if toil.all_actions == 0 {
        return "none yet".to_owned();
    }
    format!(
        "{} in 7 days, by {}; {} in all",
        minutes(toil.week_minutes),
        format::plural(toil.week_actions, "action", "actions"),
        minutes(toil.all_minutes)
    )
}

/// Minutes as a person says them.
pub(super) fn minutes(minutes: u64) -> String {
    if minutes == 0 { "0\u{202f}min".to_owned() } else { format::duration(minutes as f64 * 60.0) }
}

/// How all of them stand in one sentence, what needs a look first.
pub(super) fn sentence(all: &[BotStatus]) -> String {
    if all.is_empty() {
        return "There is no bot in this program.".to_owned();
    }
    let of = |count: usize, word: &str| {
        let verb = if count == 1 { "is" } else { "are" };
        (count > 0).then(|| format!("{count} of {} {verb} {word}", format::plural(all.len() as u64, "bot", "bots")))
    };
    let count = |wanted: fn(&BotStatus) -> bool| all.iter().filter(|status| wanted(status)).count();
    let dead: u64 = all.iter().map(|status| status.dead_letters).sum();
    let mut parts: Vec<String> = [
        of(count(|status| status.state == Stands::Failing), "failing"),
        of(count(|status| status.paused.is_some()), "paused"),
        (dead > 0).then(|| format!("{} to look at", format::plural(dead, "dead letter", "dead letters"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        parts.push(format!("Nothing needs a look: {} in order", format::plural(all.len() as u64, "bot", "bots")));
    }
    if all.iter().all(|status| status.mode == Mode::DryRun) {
        parts.push("all of them only record what they would do".to_owned());
    }
    format!("{}.", parts.join("; "))
}
