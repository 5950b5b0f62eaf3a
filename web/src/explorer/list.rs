//! `/events`: the explorer, and the evidence behind a figure.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bus::ids::{EventId, EventOffset};
use bus::query::{Query, QueryError};
use bus::streams::Search;
use http::{HeaderMap, StatusCode, Uri};
use ledger::report::Evidence;

use super::histogram::{self, Histogram};
use super::row::{self, Row};
use super::{Failed, html, layout};
use crate::api::{parameter, read_query};
use crate::error::PageError;
use crate::format;
use crate::layout::{Layout, Tab};
use crate::site::App;
use crate::state::Asked;

/// Rows of a page.
const ROWS: usize = 100;

/// Rows of the evidence behind a figure; more are reached by narrowing the range.
const EVIDENCE_ROWS_MAX: usize = 1_000;

/// Questions that people ask first.
const EXAMPLES: [(&str, &str); 5] = [
    ("Deployments", "type:service.*"),
    ("Failures of the last day", "outcome:failed since:1d"),
    ("Merged changes", "type:change.merged"),
    ("Pipeline runs", "type:pipelinerun.finished"),
    ("Incidents", "type:incident.*"),
];

#[derive(Debug, Template)]
#[template(path = "explorer/list.html")]
struct List {
    layout: Layout,
    query: String,
    mistake: Option<Mistake>,
    evidence: Option<Behind>,
    histogram: Option<Histogram>,
    rows: Vec<Row>,
    older: Option<String>,
    newest: Option<String>,
    live: String,
    examples: Vec<(&'static str, String)>,
    nothing: Option<Nothing>,
}

/// A query that cannot be read, with the place.
#[derive(Debug)]
struct Mistake {
    before: String,
    token: String,
    after: String,
    remedy: String,
}

/// Which figure the rows are behind.
#[derive(Debug)]
struct Behind {
    title: String,
    about: String,
    back: String,
    counted: String,
    left_out: Vec<(String, usize)>,
    cut: bool,
}

/// What else there is when nothing matches.
#[derive(Debug)]
struct Nothing {
    /// A query without one of the terms: which, and where it leads.
    without: Vec<(String, String)>,
    any: bool,
}

/// `GET /events?q=&before=` or `?metric=&bucket=&…`
pub(super) async fn page(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let layout = layout(&app, "Events", Tab::Events, &uri, &headers);
    match parameter(query.as_deref(), "metric") {
        Some(metric) => evidence(&app, layout, &uri, &metric).await,
        None => search(&app, layout, query.as_deref()).await,
    }
}

async fn search(app: &App, layout: Layout, query: Option<&str>) -> Result<Response, Failed> {
    let text = parameter(query, "q").unwrap_or_default();
    let before = parameter(query, "before").and_then(|offset| offset.parse().ok()).map(EventOffset);
    let mut page = List::empty(layout, text.clone());
    let now = (app.site.clock)();
    if let Err(error) = Query::parse(&text, now) {
        page.mistake = Some(Mistake::at(&text, &error));
        return html(StatusCode::BAD_REQUEST, &page);
    }
    let wanted = read_query(app, &text)?;
    let zone = (app.site.ledger)().calendar().zone;
    let found = app.streams.search(Search { query: wanted.clone(), before, limit: ROWS }).await?;
    page.rows = found.events.iter().map(|event| Row::of(event, zone)).collect();
    page.older = found.next.map(|next| format!("{}&before={next}", row::address(&text)));
    page.newest = before.map(|_| row::address(&text));
    if before.is_none() {
        page.histogram = histogram::of(&app.streams, &wanted, now, zone).await?;
    }
    if page.rows.is_empty() {
        page.nothing = Some(nothing(app, &wanted).await?);
    }
    html(StatusCode::OK, &page)
}

/// Which term stands in the way.
async fn nothing(app: &App, query: &Query) -> Result<Nothing, Failed> {
    let mut without = Vec::new();
    if query.terms().len() > 1 {
        for (index, term) in query.terms().iter().enumerate() {
            let rest = query.without(index);
            let found = app.streams.search(Search { query: rest.clone(), before: None, limit: 1 }).await?;
            if !found.events.is_empty() {
                without.push((term.to_string(), row::address(&rest.to_string())));
            }
        }
    }
    Ok(Nothing { without, any: app.streams.event_head().borrow().0 > 0 })
}

/// The events behind a figure: exactly one row for each that it counts.
async fn evidence(app: &App, layout: Layout, uri: &Uri, metric: &str) -> Result<Response, Failed> {
    let view = (app.site.ledger)();
    let asked =
        Asked::parse("/events", uri.query(), view.calendar(), (app.site.clock)()).map_err(PageError::BadValue)?;
    let (bucket, group) = (parameter(uri.query(), "bucket"), parameter(uri.query(), "group"));
    let all = view.evidence(metric, &asked.ask, bucket.as_deref(), group.as_deref()).map_err(PageError::Ask)?;
    let definition = view.definitions().into_iter().find(|definition| definition.name == metric);
    let unit = definition.map(|definition| definition.unit);
    let (left_out, counted): (Vec<_>, Vec<_>) = all.into_iter().partition(|evidence| evidence.left_out.is_some());
    let zone = view.calendar().zone;
    let shown: Vec<&Evidence> = counted.iter().rev().take(EVIDENCE_ROWS_MAX).collect();
    let ids: Vec<EventId> = shown.iter().map(|evidence| evidence.event).collect();
    let events = app.streams.events_by_id(ids).await?;
    let mut page = List::empty(layout, String::new());
    for evidence in &shown {
        // One event may count several times, once for each service that it concerns.
        let Some(event) = events.iter().find(|event| event.event.id == evidence.event) else { continue };
        let value = evidence.value.zip(unit).map(|(value, unit)| format::value(value, unit));
        let also = evidence.also.iter().map(ToString::to_string).map(|id| (id.chars().take(8).collect(), id));
        page.rows.push(Row { value, also: also.collect(), ..Row::of(event, zone) });
    }
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for reason in left_out.iter().filter_map(|evidence| evidence.left_out.clone()) {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    let part = bucket.or(group).map(|label| format!(" · {label}")).unwrap_or_default();
    page.evidence = Some(Behind {
        title: definition.map_or(metric, |definition| definition.title).to_owned(),
        about: format!("{}{part}", asked.subtitle()),
        back: asked.to(&format!("/metrics/{metric}")),
        counted: format::plural(counted.len() as u64, "event is counted", "events are counted"),
        left_out: reasons,
        cut: counted.len() > EVIDENCE_ROWS_MAX,
    });
    html(StatusCode::OK, &page)
}

impl List {
    fn empty(layout: Layout, query: String) -> Self {
        let live = form_urlencoded::Serializer::new(String::new()).append_pair("q", &query).finish();
        Self {
            layout,
            mistake: None,
            evidence: None,
            histogram: None,
            rows: Vec::new(),
            older: None,
            newest: None,
            live: format!("/api/v1/events/stream?{live}"),
            examples: EXAMPLES.iter().map(|(label, query)| (*label, row::address(query))).collect(),
            nothing: None,
            query,
        }
    }
}

impl Mistake {
    fn at(text: &str, error: &QueryError) -> Self {
        let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
        Self {
            before: part(0..error.range.start),
            token: part(error.range.clone()),
            after: part(error.range.end..text.len()),
            remedy: error.remedy.clone(),
        }
    }
}
