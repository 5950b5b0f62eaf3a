//! CloudEvents 1.0.2 over HTTP: structured, batched and binary, in and out.
//!
//! Reading is strict by default: what the specification forbids is an error that names the attribute. This file
//! knows the envelope only; what the data of an event means is the business of [`crate::cdevents`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

mod check;
mod http;
mod json;

pub use check::{is_uri, is_uri_reference};

/// The one version of the specification that this program speaks.
pub const SPECVERSION: &str = "1.0";

/// The media type of one event in the JSON format.
pub const STRUCTURED: &str = "application/cloudevents+json";

/// The media type of a batch in the JSON format.
pub const BATCH: &str = "application/cloudevents-batch+json";

/// An event in its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// `id`: with `source` it identifies the event.
    pub id: String,
    /// `source`: where it happened, a URI reference.
    pub source: String,
    /// `type`: what kind of thing happened.
    pub event_type: String,
    /// `subject`: what it happened to, within the source.
    pub subject: Option<String>,
    /// `time`: when it happened.
    pub time: Option<DateTime<Utc>>,
    /// `datacontenttype`: the media type of the data.
    pub datacontenttype: Option<String>,
    /// `dataschema`: a URI of what the data adheres to.
    pub dataschema: Option<String>,
    /// Every other attribute by its name.
    pub extensions: BTreeMap<String, Attribute>,
    /// What the event carries.
    pub payload: Payload,
}

/// The value of an extension attribute. Formats that know only text give back [`Attribute::String`] for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `true` or `false`.
    Boolean(bool),
    /// A signed 32-bit integer.
    Integer(i32),
    /// Text without control characters.
    String(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// An absolute URI.
    Uri(String),
    /// A URI reference.
    UriReference(String),
    /// A point in time.
    Timestamp(DateTime<Utc>),
}

impl Attribute {
    /// The canonical text of the value.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Boolean(value) => value.to_string().into(),
            Self::Integer(value) => value.to_string().into(),
            Self::String(value) | Self::Uri(value) | Self::UriReference(value) => value.into(),
            Self::Binary(bytes) => json::base64(bytes).into(),
            Self::Timestamp(time) => timestamp(*time).into(),
        }
    }
}

/// What an event carries.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Payload {
    /// Nothing; not the same as a JSON `null`.
    #[default]
    None,
    /// A JSON value.
    Json(Value),
    /// Text of the type that `datacontenttype` says.
    Text(String),
    /// Bytes of the type that `datacontenttype` says.
    Binary(Vec<u8>),
}

/// An event in binary mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpMessage {
    /// Names in lower case, values encoded.
    pub headers: Vec<(String, String)>,
    /// The data.
    pub body: Vec<u8>,
}

/// How much of the specification a sender must keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rules {
    /// All of it.
    #[default]
    Strict,
    /// Some senders do not encode header values, or send empty attributes: a header value that cannot be decoded is
    /// kept as sent, an empty optional attribute is absent, and names and URIs are taken as they are.
    Lenient,
}

/// How an event travels in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Attributes in headers, the body is the data.
    Binary,
    /// The body is one event.
    Structured,
    /// The body is an array of events.
    Batch,
}

/// Why something is not a `CloudEvent`.
#[derive(Debug, thiserror::Error)]
pub enum CloudEventError {
    /// A required attribute is absent.
    #[error("attribute {0:?} is missing")]
    Missing(&'static str),
    /// An attribute is not as it must be.
    #[error("attribute {name:?} {why}")]
    Attribute {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The data is not as it must be.
    #[error("data {0}")]
    Data(&'static str),
    /// The body is no JSON at all.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The body is JSON of another shape.
    #[error("the body must be a JSON {0}")]
    Shape(&'static str),
    /// The event is in a format other than JSON.
    #[error("event format {0:?} is not supported: send {STRUCTURED}, {BATCH} or binary mode")]
    Format(String),
    /// One event of a batch is not as it must be.
    #[error("event {index} of the batch: {error}")]
    InBatch {
        /// Its number, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<CloudEventError>,
    },
}

impl CloudEvent {
    /// An event with the required attributes and nothing else.
    #[must_use]
    pub fn new(id: String, source: String, event_type: String) -> Self {
        Self {
            id,
            source,
            event_type,
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: BTreeMap::new(),
            payload: Payload::None,
        }
    }

    /// Reads the events of a request, in whichever mode it comes. Header names may be in any case.
    ///
    /// # Errors
    /// See [`CloudEventError`].
    pub fn read<'a>(
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
        rules: Rules,
    ) -> Result<Vec<Self>, CloudEventError> {
        match mode(content_type) {
            Mode::Binary => Ok(vec![Self::from_http(content_type, headers, body, rules)?]),
            Mode::Structured => {
                supported(content_type)?;
                Ok(vec![Self::from_json(body, rules)?])
            }
            Mode::Batch => {
                supported(content_type)?;
                Self::batch_from_json(body, rules)
            }
        }
    }

    /// The data as JSON, where it is declared to be JSON; bytes that turn out to be none give `None`.
    #[must_use]
    pub fn json(&self) -> Option<Cow<'_, Value>> {
        let declared = || self.datacontenttype.as_deref().is_some_and(is_json);
        match &self.payload {
            Payload::Json(value) => Some(Cow::Borrowed(value)),
            Payload::Text(text) if declared() => serde_json::from_str(text).ok().map(Cow::Owned),
            Payload::Binary(bytes) if declared() => serde_json::from_slice(bytes).ok().map(Cow::Owned),
            Payload::None | Payload::Text(_) | Payload::Binary(_) => None,
        }
    }
}

/// How a request with that `content-type` carries events.
#[must_use]
pub fn mode(content_type: Option<&str>) -> Mode {
    let starts_with = |prefix: &str| {
        content_type
            .and_then(|text| text.trim_start().get(..prefix.len()))
            .is_some_and(|t| t.eq_ignore_ascii_case(prefix))
    };
    // The batch's type begins with the single event's, so it is asked for first.
    if starts_with("application/cloudevents-batch") {
        Mode::Batch
    } else if starts_with("application/cloudevents") {
        Mode::Structured
    } else {
        Mode::Binary
    }
}

/// The answer's headers to a request by `OPTIONS` that asks whether events may be sent here; none if it does not ask.
///
/// The rate is granted as asked for: a sender that is too fast hears of it by 429 or 503.
#[must_use]
pub fn handshake<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Vec<(&'static str, String)>> {
    let (mut origin, mut rate) = (None, None);
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("webhook-request-origin") {
            origin = Some(value.trim());
        } else if name.eq_ignore_ascii_case("webhook-request-rate") {
            rate = value.trim().parse::<u32>().ok().filter(|rate| *rate > 0);
        }
    }
    let origin = origin.filter(|o| !o.is_empty() && !o.chars().any(char::is_control))?;
    Some(vec![
        ("webhook-allowed-origin", origin.to_owned()),
        ("webhook-allowed-rate", rate.map_or_else(|| "*".to_owned(), |rate| rate.to_string())),
        ("allow", "POST, OPTIONS".to_owned()),
    ])
}

/// A time as the wire has it: RFC 3339 in UTC with as many digits as it needs.
pub(crate) fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// `type/subtype` in lower case, without parameters.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a media type says that the data is JSON.
fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

/// Whether the event format of a structured or batched request is JSON.
fn supported(content_type: Option<&str>) -> Result<(), CloudEventError> {
    let essence = essence(content_type.unwrap_or_default());
    let format = essence.trim_start_matches("application/cloudevents").trim_start_matches("-batch");
    if matches!(format, "" | "+json") { Ok(()) } else { Err(CloudEventError::Format(essence)) }
}

#[cfg(test)]
mod tests;
