//! `/subscriptions`: how every subscription stands, those that need attention first.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bus::subscriptions::Subscription;
use http::{HeaderMap, StatusCode, Uri};

use super::{address, words};
use crate::bots::Told;
use crate::explorer::{Failed, html, layout};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::redact;
use crate::site::App;

#[derive(Debug, Template)]
#[template(path = "subscriptions/list.html")]
struct ListPage {
    layout: Layout,
    sentence: String,
    subscriptions: Vec<Card>,
    command: &'static str,
}

/// A subscription as it is told of on every page.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) class: &'static str,
    pub(super) icon: &'static str,
    pub(super) state: &'static str,
    /// Why it stands so; empty if that is plain.
    pub(super) because: String,
    pub(super) transport: String,
    pub(super) filter: String,
    pub(super) lag: String,
    pub(super) waiting: String,
    pub(super) dead: u64,
    pub(super) created: String,
}

/// `GET /subscriptions`
pub(super) async fn page(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, Failed> {
    let told = Told::of(&app);
    let mut all = app.subscriptions.list().await?;
    all.sort_by(|a, b| (words::rank(a), &a.spec.name).cmp(&(words::rank(b), &b.spec.name)));
    let page = ListPage {
        layout: layout(&app, "Subscriptions", Tab::Subscriptions, &uri, &headers),
        sentence: sentence(&all),
        subscriptions: all.iter().map(|one| Card::of(one, told)).collect(),
        command: "devhose subscriptions create deploys --webhook URL --kind 'service.*'",
    };
    html(StatusCode::OK, &page)
}

impl Card {
    pub(super) fn of(one: &Subscription, told: Told) -> Self {
        let (class, icon, state) = words::state(one);
        let held = one.circuit_open_until.map(|until| {
            let until = told.second(until);
            format!("The endpoint fails: nothing is sent before {until}, and no attempt is used up.")
        });
        let because = one.because.as_ref().map(|because| format!("{}.", redact::text(because).0)).or(held);
        Self {
            name: one.spec.name.to_string(),
            href: address(one.spec.name.as_str()),
            class,
            icon,
            state,
            because: because.unwrap_or_default(),
            transport: words::transport(&one.spec.transport),
            filter: words::filter(&one.spec.filter),
            lag: lag(one),
            waiting: waiting(one),
            dead: one.dead,
            created: told.moment(one.created_at),
        }
    }
}

/// How far behind: `up to date`, `3 events`.
fn lag(one: &Subscription) -> String {
    match (one.position, one.behind) {
        (None, _) => "clients keep their own place".to_owned(),
        (Some(_), 0) => "up to date".to_owned(),
        (Some(_), behind) => format::plural(behind, "event", "events"),
    }
}

/// `12 events, 2 keys behind a failed delivery`
fn waiting(one: &Subscription) -> String {
    let events = format::plural(one.waiting, "event", "events");
    match one.parked_keys {
        0 if one.waiting == 0 => "nothing".to_owned(),
        0 => events,
        keys => format!("{events}; {} behind a failed delivery", format::plural(keys, "key", "keys")),
    }
}

/// How all of them stand in one sentence, what needs a look first.
pub(super) fn sentence(all: &[Subscription]) -> String {
    if all.is_empty() {
        return "Nobody has subscribed yet.".to_owned();
    }
    let total = format::plural(all.len() as u64, "subscription", "subscriptions");
    let of = |word: &str| {
        let count = all.iter().filter(|one| words::state(one).2 == word).count();
        let verb = if count == 1 { "is" } else { "are" };
        (count > 0).then(|| format!("{count} of {total} {verb} {word}"))
    };
    let dead: u64 = all.iter().map(|one| one.dead).sum();
    let dead = (dead > 0).then(|| format!("{} to look at", format::plural(dead, "dead letter", "dead letters")));
    let parts = [of("disabled"), of("held back"), of("failing"), of("paused"), dead];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return format!("Nothing needs a look: {total} in order.");
    }
    format!("{}.", parts.join("; "))
}
