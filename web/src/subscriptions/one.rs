//! `/subscriptions/{name}`: how a subscription stands, what its filter lets through, its attempts and its dead letters.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bus::subscriptions::{Attempt, AttemptId, DeadLetter, DeadLetterId, State as Stands, Subscription, Transport};
use http::{HeaderMap, StatusCode, Uri};

use super::list::Card;
use super::preview::Preview;
use super::{known, words};
use crate::api::subscriptions::about_seconds;
use crate::api::{ApiError, parameter};
use crate::bots::Told;
use crate::error::PageError;
use crate::explorer::{Failed, html, layout};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::redact;
use crate::site::App;
use crate::state::BadValue;

/// Attempts of one page.
const ATTEMPTS: usize = 20;

/// Dead letters that are listed; the redrive takes all.
const DEAD_LETTERS: usize = 50;

#[derive(Debug, Template)]
#[template(path = "subscriptions/one.html")]
struct SubscriptionPage {
    layout: Layout,
    one: Card,
    ordering: &'static str,
    retry: String,
    position: String,
    public_key: String,
    is_webhook: bool,
    is_stopped: bool,
    /// How its events are had; empty for a webhook.
    listen: String,
    preview: Preview,
    attempts: Vec<AttemptLine>,
    /// Where earlier attempts are, if there are any.
    older: Option<String>,
    /// Where the newest are, if these are not.
    newest: Option<String>,
    dead: Vec<DeadLine>,
    plan: String,
}

/// An attempt in a line.
#[derive(Debug)]
pub(super) struct AttemptLine {
    pub(super) id: AttemptId,
    pub(super) href: String,
    pub(super) event_href: String,
    pub(super) event: String,
    pub(super) at: String,
    pub(super) instant: String,
    pub(super) number: String,
    pub(super) outcome: String,
    pub(super) took: String,
    /// A class and words.
    pub(super) verdict: (&'static str, &'static str),
    pub(super) next: String,
    pub(super) replay: bool,
}

/// A dead letter in a line.
#[derive(Debug)]
struct DeadLine {
    id: DeadLetterId,
    event_href: String,
    event: String,
    because: String,
    attempts: u32,
    at: String,
    replay: bool,
}

/// `GET /subscriptions/{name}?before=ATTEMPT&filter=JSON`
pub(super) async fn page(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let found = known(&app, &name).await?;
    let told = Told::of(&app);
    let query = query.as_deref();
    let one = Card::of(&found, told);
    let before = before(query, &one.href)?;
    let mut attempts = app.subscriptions.attempts(&found.spec.name, before, ATTEMPTS + 1).await?;
    let more = attempts.len() > ATTEMPTS;
    attempts.truncate(ATTEMPTS);
    let older = attempts.last().filter(|_| more).map(|last| format!("{}?before={}#attempts", one.href, last.id));
    let dead = app.subscriptions.dead_letters(&found.spec.name, DEAD_LETTERS).await?;
    let page = SubscriptionPage {
        layout: layout(&app, &one.name, Tab::Subscriptions, &uri, &headers),
        ordering: words::ordering(found.spec.ordering),
        retry: words::retry(&found.spec.retry),
        position: found.position.map(|position| position.to_string()).unwrap_or_default(),
        public_key: found.public_key.clone().unwrap_or_default(),
        is_webhook: matches!(found.spec.transport, Transport::Webhook(_)),
        is_stopped: found.state != Stands::Active,
        listen: listen(&found),
        preview: Preview::of(&app, &found.spec.filter, parameter(query, "filter")).await?,
        attempts: attempts.iter().map(|attempt| AttemptLine::of(attempt, &one.href, told)).collect(),
        older,
        newest: before.map(|_| format!("{}#attempts", one.href)),
        dead: dead.iter().map(|letter| dead_line(letter, told)).collect(),
        plan: plan(&app, &found).await?,
        one,
    };
    html(StatusCode::OK, &page)
}

impl AttemptLine {
    pub(super) fn of(attempt: &Attempt, href: &str, told: Told) -> Self {
        Self {
            id: attempt.id,
            href: format!("{href}/attempts/{}", attempt.id),
            event_href: format!("/events/{}", attempt.event_id),
            event: attempt.event.to_string(),
            at: told.moment(attempt.seen.at),
            instant: attempt.seen.at.to_rfc3339(),
            number: attempt.number.to_string(),
            outcome: words::outcome(attempt),
            took: format!("{}\u{202f}ms", format::count(attempt.seen.timings.total.into())),
            verdict: words::verdict(attempt.verdict),
            next: attempt.next_at.map(|at| told.second(at)).unwrap_or_default(),
            replay: attempt.replay,
        }
    }
}

fn dead_line(letter: &DeadLetter, told: Told) -> DeadLine {
    DeadLine {
        id: letter.id,
        event_href: format!("/events/{}", letter.event_id),
        event: letter.event.to_string(),
        because: redact::text(&letter.because).0,
        attempts: letter.attempts,
        at: told.moment(letter.at),
        replay: letter.replay,
    }
}

fn before(query: Option<&str>, href: &str) -> Result<Option<AttemptId>, PageError> {
    let Some(text) = parameter(query, "before") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        PageError::BadValue(BadValue {
            key: "before",
            value: text.chars().take(80).collect(),
            expected: "the number of an attempt".to_owned(),
            fix: href.to_owned(),
        })
    })
}

/// The line that gets its events.
fn listen(one: &Subscription) -> String {
    let name = &one.spec.name;
    match one.spec.transport {
        Transport::Sse => format!("GET /api/v1/events/stream?subscription={name}"),
        Transport::Websocket => format!("GET /api/v1/events/ws?subscription={name}"),
        Transport::Pull { .. } => format!("POST /api/v1/subscriptions/{name}/pull"),
        Transport::Webhook(_) => String::new(),
    }
}

/// What redriving everything means: `214 events, about 3 min`.
async fn plan(app: &App, one: &Subscription) -> Result<String, ApiError> {
    let events = format::plural(one.dead, "event", "events");
    let about = about_seconds(app, one, one.dead).await?;
    let long = about.map(|seconds| i64::try_from(seconds.max(1)).map_or_else(|_| "long".to_owned(), format::span));
    Ok(long.map_or_else(|| events.clone(), |long| format!("{events}, about {long}")))
}
