//! What happened to one service lately, in lanes: deployments, incidents, killed pods; each mark leads to its events.

use askama::Template;
use bus::data::Data;
use bus::data::runtime::Incident;
use bus::event::Recorded;
use bus::query::{Condition, Moment, Pattern, Query, Term};
use chrono::{DateTime, Duration, Utc};

use super::slots::{self, Slots};
use crate::charts::lanes::{self, Form, Lane, Slot};
use crate::charts::{Drawing, Inline, Size};
use crate::error::PageError;
use crate::explorer::row;
use crate::format;
use crate::request::Request;
use crate::state::BadValue;
use crate::table::{Cell, Column, Shown, Table, Value};

/// Events of each kind that a timeline is made of; a service with more is told so.
const EVENTS_MAX: usize = 1_000;

/// The spans one may choose from: as in the address, in words, in hours, and the hours of a slot on a wide and on a
/// narrow screen.
const SPANS: [Span; 3] = [
    Span { key: "1d", words: "24 hours", hours: 24, wide: 1, narrow: 2 },
    Span { key: "7d", words: "7 days", hours: 168, wide: 6, narrow: 12 },
    Span { key: "28d", words: "28 days", hours: 672, wide: 24, narrow: 48 },
];

const DEPLOYMENTS: [&str; 4] = ["service.deployed", "service.upgraded", "service.rolledback", "deployment.failed"];
const INCIDENTS: [&str; 2] = ["incident.detected", "incident.resolved"];
/// A crash loop is what kills lead to: it is told beside them, and not counted twice.
const KILLS: [&str; 2] = ["pod.killed", "pod.evicted"];
const PODS: [&str; 3] = ["pod.killed", "pod.evicted", "pod.crashlooping"];

#[derive(Debug, Clone, Copy)]
struct Span {
    key: &'static str,
    words: &'static str,
    hours: i64,
    wide: i64,
    narrow: i64,
}

impl Span {
    /// Hours of a slot.
    fn slot(self, size: Size) -> i64 {
        match size {
            Size::Wide => self.wide,
            Size::Narrow => self.narrow,
        }
    }
}

/// Which lanes somebody would have told about: without, a lane is not empty but unknown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) deployments: bool,
    pub(super) incidents: bool,
}

/// The timeline as part of the page.
#[derive(Debug, Template)]
#[template(path = "pages/timeline.html")]
pub(super) struct Timeline {
    wide: Drawing,
    narrow: Drawing,
    subtitle: String,
    summary: String,
    choices: Vec<(&'static str, String, bool)>,
    notes: Vec<String>,
    pub(super) table: Table,
    /// Killed, evicted and crash-looping pods, newest first.
    pub(super) pods: Vec<Recorded>,
    /// The span in words.
    pub(super) span: &'static str,
    /// Whether anybody watches for killed pods.
    pub(super) watched: bool,
    /// The query that finds them.
    pub(super) pods_query: String,
}

impl Timeline {
    fn inline<'a>(&'a self, drawing: &'a Drawing) -> Inline<'a> {
        Inline { figure: "timeline", drawing }
    }

    fn shown(&self) -> Shown<'_> {
        Shown { table: &self.table, caption: "Timeline" }
    }
}

/// The timeline of a service.
pub(super) fn of(request: &Request, service: &str, told: Told) -> Result<Timeline, PageError> {
    let span = chosen(request)?;
    let zone = request.asked.ask.window.calendar.zone;
    let to = request.now;
    let from = to - Duration::hours(span.hours);
    let search = Questions { request, service, from };
    let (changes, kills) = (search.find(&[&DEPLOYMENTS[..], &INCIDENTS[..]].concat())?, search.find(&PODS)?);
    let watched = request.happenings().clusters_watched() || !kills.events.is_empty();
    let of_kinds = |kinds: &[&str]| -> Vec<&Recorded> {
        changes.events.iter().filter(|recorded| kinds.contains(&recorded.event.kind.name())).collect()
    };
    let (deployments, incidents) = (of_kinds(&DEPLOYMENTS), of_kinds(&INCIDENTS));
    let detected: Vec<&Recorded> = of_kinds(&INCIDENTS[..1]);
    let content = [
        Content {
            name: ("deployments", "deployment", "deployments"),
            form: Form::Marks,
            told: told.deployments || !deployments.is_empty(),
            kinds: &DEPLOYMENTS,
            events: deployments,
            spans: Vec::new(),
        },
        Content {
            name: ("incidents", "incident", "incidents"),
            form: Form::Marks,
            told: told.incidents || !incidents.is_empty(),
            kinds: &INCIDENTS[..1],
            events: detected,
            spans: spans(&incidents, from, to),
        },
        Content {
            name: ("killed pods", "killed pod", "killed pods"),
            form: Form::Bars,
            told: watched,
            kinds: &KILLS,
            events: kills.events.iter().filter(|recorded| is_kill(recorded)).collect(),
            spans: Vec::new(),
        },
    ];
    let draw = |size: Size| {
        let slots = Slots { from, to, hours: span.slot(size), zone };
        let lanes: Vec<Lane> = content.iter().map(|content| content.lane(slots, &search)).collect();
        lanes::draw(&lanes, &slots.days(), size)
    };
    let wide = Slots { from, to, hours: span.wide, zone };
    Ok(Timeline {
        subtitle: format!("All environments · the last {} · {} · {}", span.words, zone.name(), request.data_through()),
        summary: summary(&content, span.words),
        choices: choices(request, span),
        notes: notes(&content, changes.cut || kills.cut),
        table: table(&content, wide, &search),
        wide: draw(Size::Wide),
        narrow: draw(Size::Narrow),
        span: span.words,
        watched,
        pods_query: search.text(&PODS, from, None),
        pods: kills.events,
    })
}

fn chosen(request: &Request) -> Result<Span, PageError> {
    let asked = request.asked.get("timeline").unwrap_or("7d");
    SPANS.into_iter().find(|span| span.key == asked).ok_or_else(|| {
        PageError::BadValue(BadValue {
            key: "timeline",
            value: asked.chars().take(80).collect(),
            expected: "1d, 7d or 28d".to_owned(),
            fix: request.asked.with(&[("timeline", "")]),
        })
    })
}

fn choices(request: &Request, chosen: Span) -> Vec<(&'static str, String, bool)> {
    let choice = |span: &Span| {
        let key = if span.key == "7d" { "" } else { span.key };
        (span.words, format!("{}#timeline", request.asked.with(&[("timeline", key)])), span.key == chosen.key)
    };
    SPANS.iter().map(choice).collect()
}

/// What is asked of the bus.
struct Questions<'a> {
    request: &'a Request,
    service: &'a str,
    from: DateTime<Utc>,
}

impl Questions<'_> {
    fn find(&self, kinds: &[&str]) -> Result<crate::happenings::Found, PageError> {
        let mut query = self.query(kinds, self.from, None);
        let services = self.request.view().services();
        query.with_service_repositories(|name| {
            let whole = services.iter().filter(|service| service.name == name && service.path.is_none());
            whole.filter_map(|service| service.repository.clone()).collect()
        });
        self.request.happenings().find(&query, EVENTS_MAX)
    }

    fn query(&self, kinds: &[&str], from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> Query {
        let is = |text: &str| Pattern::Is(text.to_owned());
        let types = kinds.iter().map(|kind| Condition::Type(is(kind)));
        let service = Condition::Service { pattern: is(self.service), repositories: Vec::new() };
        let times =
            [Some(Condition::Since(Moment::at_time(from))), to.map(|to| Condition::Before(Moment::at_time(to)))];
        let conditions = types.chain([service]).chain(times.into_iter().flatten());
        conditions.fold(Query::default(), |query, condition| query.and(Term { negated: false, condition }))
    }

    fn text(&self, kinds: &[&str], from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> String {
        self.query(kinds, from, to).to_string()
    }
}

/// What a lane is made of.
struct Content<'a> {
    /// Of the lane, of one, and of many.
    name: (&'static str, &'static str, &'static str),
    form: Form,
    told: bool,
    kinds: &'a [&'a str],
    /// Newest first.
    events: Vec<&'a Recorded>,
    spans: Vec<(f64, f64)>,
}

impl Content<'_> {
    /// `12 deployments`; `no data` where nobody would have told.
    fn words(&self) -> String {
        if self.told {
            format::plural(self.events.len() as u64, self.name.1, self.name.2)
        } else {
            format!("{}: no data", self.name.0)
        }
    }

    fn lane(&self, slots: Slots, search: &Questions<'_>) -> Lane {
        let slot = |(from, to): (DateTime<Utc>, DateTime<Utc>)| {
            let (events, failed) = self.within(from, to);
            let href = match events.as_slice() {
                [only] => format!("/events/{}", only.event.id),
                _ => row::address(&search.text(self.kinds, from, Some(to))),
            };
            let label = format!("{}: {}", slots.words(from, to), self.sentence(&events, failed));
            Slot { count: events.len() as u64, failed, href, label }
        };
        Lane {
            title: capitalized(&self.words()),
            form: self.form,
            slots: self.told.then(|| slots.all().into_iter().map(slot).collect()),
            spans: self.spans.clone(),
        }
    }

    /// The events of a slot, and how many of them failed.
    fn within(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> (Vec<&Recorded>, u64) {
        let within = |recorded: &&&Recorded| recorded.event.time >= from && recorded.event.time < to;
        let events: Vec<&Recorded> = self.events.iter().filter(within).copied().collect();
        let failed = events.iter().filter(|recorded| recorded.event.kind.name() == "deployment.failed").count();
        (events, failed as u64)
    }

    fn sentence(&self, events: &[&Recorded], failed: u64) -> String {
        if let [only] = events {
            return crate::sentence::of(&only.event);
        }
        let words = format::plural(events.len() as u64, self.name.1, self.name.2);
        let reasons = slots::tally(events.iter().filter_map(|recorded| reason(recorded)));
        match (failed, reasons.as_slice()) {
            (0, []) => words,
            (0, reasons) => format!("{words}: {}", slots::listed(reasons)),
            (failed, _) => format!("{words}, {failed} failed"),
        }
    }
}

/// Whether a pod was killed, by whomever; not that it keeps being killed.
pub(super) fn is_kill(recorded: &Recorded) -> bool {
    KILLS.contains(&recorded.event.kind.name())
}

/// Why a pod died, in the cluster's word.
pub(super) fn reason(recorded: &Recorded) -> Option<String> {
    let Data::Pod(pod) = &recorded.event.data else { return None };
    Some(pod.reason.clone().unwrap_or_else(|| "no reason given".to_owned()))
}

/// An incident, from its events.
struct Trouble<'a> {
    id: &'a str,
    began: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
}

/// From when to when incidents lasted, as shares of the axis; one that is not over lasts until now.
fn spans(events: &[&Recorded], from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<(f64, f64)> {
    let share = |at: DateTime<Utc>| (at - from).num_seconds() as f64 / ((to - from).num_seconds() as f64).max(1.0);
    let mut known: Vec<Trouble<'_>> = Vec::new();
    for recorded in events.iter().rev() {
        let Data::Incident(incident) = &recorded.event.data else { continue };
        let Incident { id, detected_at, .. } = incident.as_ref();
        let resolved = recorded.event.kind.name() == "incident.resolved";
        let began = detected_at.unwrap_or(if resolved { from } else { recorded.event.time });
        let ended = resolved.then_some(recorded.event.time);
        match known.iter_mut().find(|known| known.id == id) {
            Some(known) => known.ended = ended.or(known.ended),
            None => known.push(Trouble { id, began, ended }),
        }
    }
    known.into_iter().map(|trouble| (share(trouble.began), share(trouble.ended.unwrap_or(to)))).collect()
}

fn summary(content: &[Content<'_>], span: &str) -> String {
    let parts: Vec<String> = content.iter().map(Content::words).collect();
    format!("In the last {span}: {}.", parts.join(", "))
}

fn notes(content: &[Content<'_>], cut: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let failed: u64 =
        content.iter().map(|content| content.within(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC).1).sum();
    if failed > 0 {
        notes.push("A cross is a slot with a failed deployment.".to_owned());
    }
    if content.iter().any(|content| !content.spans.is_empty()) {
        notes.push("A bar along the incidents is the time until one was resolved, or now.".to_owned());
    }
    if cut {
        notes.push(format!("Only the newest {EVENTS_MAX} events of a lane are shown."));
    }
    notes
}

/// The slots of the wide drawing as rows, newest first.
fn table(content: &[Content<'_>], slots: Slots, search: &Questions<'_>) -> Table {
    let row = |(from, to): (DateTime<Utc>, DateTime<Utc>)| {
        let named = Value::Named { name: Value::Instant(from).raw(), words: slots.words(from, to) };
        let cells = content.iter().map(|content| {
            if !content.told {
                return Cell::new(Value::Missing("no data"));
            }
            let (events, _) = content.within(from, to);
            let count = Value::Count(events.len() as u64);
            if events.is_empty() {
                return Cell::new(count);
            }
            Cell::linked(count, row::address(&search.text(content.kinds, from, Some(to))))
        });
        std::iter::once(Cell::new(named)).chain(cells).collect()
    };
    let columns =
        content.iter().map(|content| Column::new(content.name.0.replace(' ', "_"), capitalized(content.name.0)));
    Table {
        name: "timeline".to_owned(),
        definition_version: None,
        columns: std::iter::once(Column::new("from", "From")).chain(columns).collect(),
        rows: slots.all().into_iter().rev().map(row).collect(),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
