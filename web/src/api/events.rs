//! Events: a page of a search, and one of them.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bus::data::Data;
use bus::event::Recorded;
use bus::ids::{EventId, EventOffset};
use bus::query::Query;
use bus::streams::{SEARCH_EVENTS_MAX, Search, Streams};
use http::StatusCode;
use serde_json::{Value, json};

use super::{ApiError, answer, parameter};
use crate::redact;
use crate::site::App;

/// Events of a page if nothing else is asked for.
const EVENTS_DEFAULT: usize = 50;

/// `GET /api/v1/events?q=&limit=&before=`
pub(super) async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = query.as_deref();
    let search = Search {
        query: read_query(&app, &parameter(query, "q").unwrap_or_default())?,
        before: number(query, "before")?.map(EventOffset),
        limit: number(query, "limit")?.map_or(EVENTS_DEFAULT, |limit: usize| limit.clamp(1, SEARCH_EVENTS_MAX)),
    };
    let page = app.streams.search(search).await?;
    let mut events = Vec::with_capacity(page.events.len());
    for event in &page.events {
        events.push(document(&app.streams, event).await?);
    }
    Ok(answer(&json!({"events": events, "next": page.next})))
}

/// `GET /api/v1/events/{id}`
pub(super) async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let parsed: EventId = id.parse().map_err(|_| ApiError::not_found("event", &id))?;
    let event = app.streams.event(parsed).await?.ok_or_else(|| ApiError::not_found("event", &id))?;
    Ok(answer(&document(&app.streams, &event).await?))
}

/// An event as it goes over the wire, without people.
pub(crate) async fn document(streams: &Streams, event: &Recorded) -> Result<Value, ApiError> {
    let body = if event.event.data == Data::AsReceived {
        streams.delivery(event.origin.delivery).await?.map(|delivery| delivery.content.body)
    } else {
        None
    };
    let printed = bus::cdevents::to_cloudevent(event, body.as_deref());
    let value: Value = serde_json::from_slice(&printed.to_json()?)?;
    Ok(redact::json(&value).value)
}

/// A query as typed, with the catalog's knowledge of which repositories a service lives in.
pub(crate) fn read_query(app: &App, text: &str) -> Result<Query, ApiError> {
    let mut query = Query::parse(text, (app.site.clock)())?;
    let services = (app.site.ledger)().services();
    query.with_service_repositories(|name| {
        let of_service = services.iter().filter(|service| service.name == name && service.path.is_none());
        of_service.filter_map(|service| service.repository.clone()).collect()
    });
    Ok(query)
}

pub(super) fn number<T: std::str::FromStr>(query: Option<&str>, key: &'static str) -> Result<Option<T>, ApiError> {
    let wrong = |text: &str| ApiError::new(StatusCode::BAD_REQUEST, format!("{key}={text:?} is not a whole number"));
    parameter(query, key).map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
}
