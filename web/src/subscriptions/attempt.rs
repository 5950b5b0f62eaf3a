//! `/subscriptions/{name}/attempts/{attempt}`: one request as it was sent, what was answered, and how long each part took.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use bus::subscriptions::{Attempt, AttemptId, Timings};
use http::{HeaderMap, StatusCode, Uri};

use super::one::AttemptLine;
use super::{address, known};
use crate::bots::Told;
use crate::error::PageError;
use crate::explorer::{Failed, html, layout};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::redact;
use crate::site::App;

/// Width of the bar of parts, in its own units.
const BAR_WIDTH: f64 = 600.0;

/// A part that took no time that can be seen is still drawn this wide.
const PART_WIDTH_MIN: f64 = 2.0;

#[derive(Debug, Template)]
#[template(path = "subscriptions/attempt.html")]
struct AttemptPage {
    layout: Layout,
    name: String,
    name_href: String,
    line: AttemptLine,
    webhook_id: String,
    parts: Vec<Part>,
    /// `resolve 3 ms, connect 12 ms, …`
    summary: String,
    request: Vec<(String, String)>,
    response: Option<Answered>,
    error: String,
}

/// A part of the time, as a stretch of the bar.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    /// Class of its colour.
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) millis: String,
}

/// What the endpoint answered.
#[derive(Debug)]
struct Answered {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    truncated: bool,
    masked: usize,
}

/// `GET /subscriptions/{name}/attempts/{attempt}`
pub(super) async fn page(
    State(app): State<App>,
    Path((name, attempt)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let one = known(&app, &name).await?;
    let unknown = || PageError::NotFound { kind: "attempt", name: attempt.clone(), meant: None };
    let id: AttemptId = attempt.parse().map_err(|_| unknown())?;
    let found = app.subscriptions.attempt(id).await?;
    let found = found.filter(|found| found.subscription == one.spec.name).ok_or_else(unknown)?;
    let title = format!("{name}: attempt {id}");
    html(StatusCode::OK, &of(layout(&app, &title, Tab::Subscriptions, &uri, &headers), &found, Told::of(&app)))
}

fn of(layout: Layout, attempt: &Attempt, told: Told) -> AttemptPage {
    let name = attempt.subscription.to_string();
    let name_href = address(&name);
    let response = attempt.seen.response.as_ref().map(|seen| {
        let (body, masked) = redact::text(&seen.body);
        let headers = seen.headers.iter().map(|(name, value)| (name.clone(), redact::text(value).0)).collect();
        Answered { status: seen.status, headers, body, truncated: seen.truncated, masked }
    });
    let parts = parts(&attempt.seen.timings);
    AttemptPage {
        layout,
        line: AttemptLine::of(attempt, &name_href, told),
        name,
        name_href,
        webhook_id: attempt.webhook_id.clone(),
        summary: parts.iter().map(|part| format!("{} {}", part.name, part.millis)).collect::<Vec<_>>().join(", "),
        parts,
        request: attempt.seen.request_headers.clone(),
        response,
        error: attempt.seen.error.as_deref().map(|error| redact::text(error).0).unwrap_or_default(),
    }
}

/// The parts that were reached, one after the other over the width of the bar.
pub(super) fn parts(timings: &Timings) -> Vec<Part> {
    let named = [
        ("resolve", "s0", timings.resolve),
        ("connect", "s1", timings.connect),
        ("wait", "s2", timings.wait),
        ("read", "s3", timings.read),
    ];
    let reached: Vec<_> = named.into_iter().filter_map(|(name, class, took)| Some((name, class, took?))).collect();
    let total: f64 = reached.iter().map(|(.., took)| f64::from(*took)).sum();
    let room = BAR_WIDTH - PART_WIDTH_MIN * reached.len() as f64;
    let mut x = 0.0;
    let mut parts = Vec::with_capacity(reached.len());
    for (name, class, took) in reached {
        let share = if total > 0.0 { f64::from(took) / total } else { 0.0 };
        let width = room.mul_add(share, PART_WIDTH_MIN);
        let millis = format!("{}\u{202f}ms", format::count(took.into()));
        parts.push(Part { name, class, x: format!("{x:.1}"), width: format!("{width:.1}"), millis });
        x += width;
    }
    parts
}
