//! One row of a list of events.

use bus::event::Recorded;
use chrono_tz::Tz;

use crate::sentence;

/// An event as a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) short_id: String,
    /// On the organisation's clock, to the second.
    pub(crate) time: String,
    /// RFC 3339, to the millisecond.
    pub(crate) instant: String,
    pub(crate) kind: String,
    pub(crate) kind_address: String,
    pub(crate) sentence: String,
    pub(crate) place: String,
    pub(crate) environment: String,
    pub(crate) outcome: &'static str,
    pub(crate) source: String,
    /// What it contributes to a figure, where the list is the evidence of one.
    pub(crate) value: Option<String>,
    /// Further events that the value rests on: short id and id.
    pub(crate) also: Vec<(String, String)>,
}

impl Row {
    pub(crate) fn of(recorded: &Recorded, zone: Tz) -> Self {
        let event = &recorded.event;
        let id = event.id.to_string();
        let kind = event.kind.name().to_owned();
        Self {
            short_id: id.chars().take(8).collect(),
            time: event.time.with_timezone(&zone).format("%-d %b %Y %H:%M:%S").to_string(),
            instant: event.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            kind_address: address(&format!("type:{kind}")),
            sentence: sentence::of(event),
            place: event.data.service().or_else(|| event.data.repository()).unwrap_or_default().to_owned(),
            environment: event.data.environment().unwrap_or_default().to_owned(),
            outcome: event.data.outcome().map_or("", bus::data::Outcome::name),
            source: recorded.origin.source.to_string(),
            value: None,
            also: Vec::new(),
            id,
            kind,
        }
    }
}

/// The explorer with a query.
pub(crate) fn address(query: &str) -> String {
    let pairs = form_urlencoded::Serializer::new(String::new()).append_pair("q", query).finish();
    format!("/events?{pairs}")
}
