//! One delivery of GitHub, opened as far as its envelope: which event, and where its JSON stands.

use std::borrow::Cow;

use bus::data::Data;
use bus::delivery::Delivery;
use bus::ids::OrderKey;
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::EVENT;
use super::payload::Repository;
use crate::sender::{Draft, Unreadable};

/// Longest name of an event: GitHub's longest has 38 characters, and the name becomes part of a type.
const EVENT_NAME_BYTES_MAX: usize = 100;

/// A delivery whose event is known and whose body may be JSON.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Value of the header `x-github-event`: letters, digits, `_`, `-`, `.`.
    pub(super) event: &'a str,
    /// The body, taken out of its form if it came in one; begins with `{`.
    pub(super) json: Cow<'a, str>,
    /// It came in a form.
    pub(super) form: bool,
    /// The whole delivery.
    pub(super) delivery: &'a Delivery,
}

impl<'a> Request<'a> {
    /// Opens a delivery.
    ///
    /// # Errors
    /// If no header names the event, or the body is no JSON object.
    pub(super) fn of(delivery: &'a Delivery) -> Result<Self, Unreadable> {
        let event = delivery
            .header(EVENT)
            .ok_or_else(|| Unreadable(format!("the header {EVENT} is missing, and nothing else tells the event")))?;
        if !is_plain(event) {
            return Err(Unreadable(format!("the header {EVENT} holds no name of an event")));
        }
        let content_type = delivery.content.content_type.as_deref().unwrap_or_default();
        let form = content_type.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded");
        let json = if form { payload_of_form(&delivery.content.body)? } else { text(&delivery.content.body)? };
        // A struct would also be read from an array, by position.
        if !json.trim_ascii_start().starts_with('{') {
            return Err(Unreadable("the body is not a JSON object".into()));
        }
        Ok(Self { event, json, form, delivery })
    }

    /// Reads the body as `T`; none if it has another shape.
    pub(super) fn parse<'b, T: Deserialize<'b>>(&'b self) -> Option<T> {
        serde_json::from_str(&self.json).ok()
    }

    /// Where events of this repository happen; none if the payload does not tell its name.
    pub(super) fn place(&self, repository: Option<Repository>) -> Option<Place> {
        let repository = repository?;
        let name = repository.host_and_name()?;
        let source = repository.url.clone().filter(|url| !url.is_empty()).unwrap_or_else(|| format!("https://{name}"));
        Some(Place { name, source, repository, received_at: self.delivery.content.received_at })
    }
}

/// True for a name that can be part of a type.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=EVENT_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// The field `payload` of a form.
fn payload_of_form(body: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let payload = form_urlencoded::parse(body).find(|(name, _)| name == "payload").map(|(_, value)| value);
    payload.ok_or_else(|| Unreadable("the body is a form without the field payload".into()))
}

/// A body as text. Some tools that replay recorded bodies put a byte order mark before them, which JSON does not know.
fn text(body: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    // Once for the whole body: whatever is read of it later need not be checked again.
    let text = std::str::from_utf8(body).map_err(|error| Unreadable(format!("the body is not text: {error}")))?;
    Ok(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)))
}

/// Where an event happens.
#[derive(Debug)]
pub(super) struct Place {
    /// `host/owner/name`; also the order key.
    pub(super) name: String,
    /// Address of the repository, as the payload gives it.
    pub(super) source: String,
    /// What else the payload says of the repository.
    pub(super) repository: Repository,
    received_at: DateTime<Utc>,
}

impl Place {
    /// An event here. Without a time of its own it happened when it was received.
    pub(super) fn draft(&self, kind: Kind, subject: String, time: Option<DateTime<Utc>>, data: Data) -> Draft {
        Draft {
            kind,
            source: self.source.clone(),
            subject,
            time: time.unwrap_or(self.received_at),
            key: OrderKey(self.name.clone()),
            data,
            alone: None,
        }
    }
}
