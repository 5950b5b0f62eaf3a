//! `/events/{id}`: one event, what was received, what it means, and which metrics counted it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use bus::data::Data;
use bus::delivery::Delivery;
use bus::ids::EventId;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;

use super::row::Row;
use super::{Failed, html, layout};
use crate::api::document;
use crate::bots::RunLine;
use crate::error::PageError;
use crate::layout::{Layout, Tab};
use crate::redact;
use crate::sentence;
use crate::site::App;

/// A payload is shown up to here; the rest is said to be there.
const SHOWN_BYTES_MAX: usize = 256 << 10;

#[derive(Debug, Template)]
#[template(path = "explorer/event.html")]
struct EventPage {
    layout: Layout,
    row: Row,
    title: String,
    command: String,
    recorded_at: String,
    key: String,
    offset: String,
    revision: u32,
    received: Received,
    normalized: String,
    siblings: Vec<Row>,
    counted_in: Vec<Counted>,
    /// Which bots ran on it.
    runs: Vec<RunLine>,
}

/// The delivery as it is shown.
#[derive(Debug)]
struct Received {
    at: String,
    delivery_id: String,
    offset: String,
    verification: &'static str,
    content_type: String,
    bytes: usize,
    headers: Vec<(String, String)>,
    body: String,
    cut: bool,
    masked: usize,
}

/// A metric that used the event.
#[derive(Debug)]
struct Counted {
    title: &'static str,
    address: String,
    at: String,
    service: String,
    left_out: Option<String>,
}

/// `GET /events/{id}`
pub(super) async fn page(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let unknown = || PageError::NotFound { kind: "event", name: id.clone(), meant: None };
    let parsed: EventId = id.parse().map_err(|_| unknown())?;
    let recorded = app.streams.event(parsed).await?.ok_or_else(unknown)?;
    let view = (app.site.ledger)();
    if view.is_loading() {
        return Err(PageError::Loading.into());
    }
    let zone = view.calendar().zone;
    let delivery = app.streams.delivery(recorded.origin.delivery).await?.ok_or_else(unknown)?;
    let siblings = app.streams.events_of(recorded.origin.delivery).await?;
    let siblings = siblings.iter().filter(|event| event.event.id != parsed).map(|event| Row::of(event, zone)).collect();
    let minute =
        |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&zone).format("%-d %b %Y %H:%M:%S%.3f").to_string();
    let counted_in = view.counted_in(parsed).into_iter().map(|counted| Counted {
        title: counted.title,
        address: match &counted.service {
            Some(service) => format!("/metrics/{}?service={}", counted.metric, crate::state::segment(service)),
            None => format!("/metrics/{}", counted.metric),
        },
        at: minute(counted.at),
        service: counted.service.unwrap_or_default(),
        left_out: counted.left_out,
    });
    let title = sentence::of(&recorded.event);
    let page = EventPage {
        layout: layout(&app, &title, Tab::Events, &uri, &headers),
        row: Row::of(&recorded, zone),
        recorded_at: minute(recorded.recorded_at),
        key: recorded.event.key.to_string(),
        offset: recorded.offset.to_string(),
        revision: recorded.revision,
        received: received(&delivery, minute(delivery.content.received_at)),
        normalized: if recorded.event.data == Data::AsReceived {
            String::new()
        } else {
            pretty(&document(&app.streams, &recorded).await?)
        },
        siblings,
        counted_in: counted_in.collect(),
        runs: RunLine::all(&app, &app.bots.runs_of_event(parsed).await?).await?,
        command: format!("devhose events get {id}"),
        title,
    };
    html(StatusCode::OK, &page)
}

fn received(delivery: &Delivery, at: String) -> Received {
    let content = &delivery.content;
    let text = String::from_utf8_lossy(&content.body);
    let form =
        content.content_type.as_deref().is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let text = if form { std::borrow::Cow::Owned(form_as_json(&content.body)) } else { text };
    let (body, masked) = match serde_json::from_str::<Value>(&text) {
        Ok(value) => {
            let redacted = redact::json(&value);
            (pretty(&redacted.value), redacted.count)
        }
        Err(_) => redact::text(&text),
    };
    let end = (0..=SHOWN_BYTES_MAX.min(body.len())).rev().find(|end| body.is_char_boundary(*end)).unwrap_or(0);
    Received {
        at,
        delivery_id: redact::text(content.delivery_id.as_str()).0,
        offset: delivery.offset.to_string(),
        verification: content.verification.name(),
        content_type: content.content_type.clone().unwrap_or_default(),
        bytes: content.body.len(),
        headers: content.headers.iter().map(|(name, value)| (name.clone(), redact::text(value).0)).collect(),
        cut: end < body.len(),
        body: body.get(..end).unwrap_or_default().to_owned(),
        masked,
    }
}

/// A form as a person would read it: its fields as JSON, or what its one field `payload` holds.
fn form_as_json(body: &[u8]) -> String {
    let mut fields: serde_json::Map<String, Value> =
        form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), Value::from(value))).collect();
    match fields.remove("payload") {
        Some(Value::String(payload)) => payload,
        Some(_) | None => Value::Object(fields).to_string(),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
