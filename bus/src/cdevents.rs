//! CDEvents: what our events mean to others, and what others' events mean to us.
//!
//! An event whose CDEvents 0.5.1 schema can be satisfied with what is known is that event. One that cannot, or that
//! CDEvents has no name for, is the custom event `dev.cdeventsx.devhose-<subject>.<predicate>` of the same shape. An
//! event that nobody maps keeps its sender's type and body. No value is ever invented to satisfy a schema.
//!
//! All that we know goes along in `customData`, marked as ours by [`MARK`], so that what is printed here is read back
//! here exactly. Others' events of any version are read by their subject and predicate.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::cloudevents::{Attribute, CloudEvent, Payload, timestamp};
use crate::data::Data;
use crate::event::Recorded;
use crate::kind::Kind;

mod print;
mod read;

/// The version of CDEvents that is printed.
pub const SPECVERSION: &str = "0.5.1";

/// The member of `customData` that says its other members are [`Data`] as this program writes it; the value is
/// [`SHAPE`].
pub const MARK: &str = "devhose";

/// The version of that shape. A reader takes marked data of another version as it takes anybody's.
pub const SHAPE: u64 = 1;

/// What the types of our own events begin with.
const CUSTOM: &str = "dev.cdeventsx.devhose-";

/// What the types of CDEvents begin with.
const STANDARD: &str = "dev.cdevents.";

/// Why an event of a known type cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CDEventError {
    /// Its data is no JSON object.
    #[error("data of an event of type {0:?} must be a JSON object")]
    NotAnObject(String),
    /// Its data is JSON, but not a `CDEvent`.
    #[error("data of an event of type {event_type:?} must be a CDEvent: {member} is missing")]
    Missing {
        /// Type of the event.
        event_type: String,
        /// What is missing.
        member: &'static str,
    },
    /// Data that claims to be ours is not.
    #[error("customData is marked with {MARK:?}, but is not of the shape that goes with {0}")]
    NotOurs(Kind),
}

/// The event as everybody sees it. `body` is the body of its delivery, which is the data of events that nobody maps.
#[must_use]
pub fn to_cloudevent(recorded: &Recorded, body: Option<&[u8]>) -> CloudEvent {
    let event = &recorded.event;
    let (event_type, datacontenttype, payload) = if matches!(event.kind, Kind::Other(_)) {
        let (content_type, payload) = as_sent(&event.data, body);
        (event.kind.name().to_owned(), content_type, payload)
    } else {
        let (event_type, data) = cdevent(recorded);
        (event_type, Some("application/json"), Payload::Json(data))
    };
    let mut envelope = CloudEvent::new(event.id.to_string(), event.source.clone(), event_type);
    envelope.subject = Some(event.subject.clone());
    envelope.time = Some(event.time);
    envelope.datacontenttype = datacontenttype.map(str::to_owned);
    envelope.payload = payload;
    if !event.key.0.is_empty() {
        envelope.extensions.insert("partitionkey".to_owned(), Attribute::String(event.key.0.clone()));
    }
    envelope.extensions.insert("recordedtime".to_owned(), Attribute::Timestamp(recorded.recorded_at));
    envelope.extensions.insert("sequence".to_owned(), Attribute::String(sequence(recorded)));
    envelope
}

/// Zero-padded, because the attribute is ordered as text.
fn sequence(recorded: &Recorded) -> String {
    format!("{:020}", recorded.offset.0)
}

/// An attribute of [`to_cloudevent`] by its name, as text, without making the rest. An event that is its delivery's
/// body has no `datacontenttype` here, because that is known only with the body.
pub(crate) fn attribute<'r>(recorded: &'r Recorded, name: &str) -> Option<Cow<'r, str>> {
    let event = &recorded.event;
    Some(match name {
        "specversion" => crate::cloudevents::SPECVERSION.into(),
        "id" => event.id.to_string().into(),
        "source" => event.source.as_str().into(),
        "type" if matches!(event.kind, Kind::Other(_)) => event.kind.name().into(),
        "type" => wire_type(&event.kind, print::content(&event.kind, &event.data).1).into(),
        "subject" => event.subject.as_str().into(),
        "time" => timestamp(event.time).into(),
        "datacontenttype" if matches!((&event.kind, &event.data), (Kind::Other(_), Data::AsReceived)) => return None,
        "datacontenttype" => "application/json".into(),
        "partitionkey" if event.key.0.is_empty() => return None,
        "partitionkey" => event.key.0.as_str().into(),
        "recordedtime" => timestamp(recorded.recorded_at).into(),
        "sequence" => sequence(recorded).into(),
        _ => return None,
    })
}

/// What an event means to us. An event of a type that nobody maps is not an error: it is [`Kind::Other`] with its data.
///
/// The type may also be the bare name of a kind, such as `service.deployed`; its data are then the members that
/// `customData` would have.
///
/// # Errors
/// If the type is known and the data does not go with it.
pub fn from_cloudevent(event: &CloudEvent) -> Result<(Kind, Data), CDEventError> {
    match mapped(&event.event_type) {
        Some(kind) => {
            let data = read::data(&kind, event)?;
            Ok((kind, data))
        }
        None => Ok((Kind::from(event.event_type.as_str()), Data::Other(as_json(event)))),
    }
}

/// The kind of that type, whatever the version behind it; none if nobody maps it.
fn mapped(event_type: &str) -> Option<Kind> {
    let by_name = |name: &str| {
        let mut parts = name.splitn(3, '.');
        Some(Kind::from(format!("{}.{}", parts.next()?, parts.next()?)))
    };
    let kind = match (event_type.strip_prefix(CUSTOM), event_type.strip_prefix(STANDARD)) {
        (Some(name), _) => by_name(name)?,
        (None, Some(name)) => by_name(name).filter(|kind| kind.cdevents_version().is_some())?,
        (None, None) => Kind::from(event_type),
    };
    (!matches!(kind, Kind::Other(_))).then_some(kind)
}

/// Type and data of an event of a mapped kind.
fn cdevent(recorded: &Recorded) -> (String, Value) {
    let event = &recorded.event;
    let (content, complete) = print::content(&event.kind, &event.data);
    let event_type = wire_type(&event.kind, complete);
    let mut data = json!({
        "context": {
            "specversion": SPECVERSION,
            "id": event.id,
            "source": event.source,
            "type": event_type,
            "timestamp": timestamp(event.time),
        },
        "subject": {"id": event.subject, "content": content},
    });
    if let (Some(members), Some(custom)) = (data.as_object_mut(), custom_data(&event.data)) {
        members.insert("customData".to_owned(), Value::Object(custom));
        members.insert("customDataContentType".to_owned(), "application/json".into());
    }
    (event_type, data)
}

/// The type of an event of a mapped kind: that of CDEvents if its schema is satisfied.
fn wire_type(kind: &Kind, complete: bool) -> String {
    match kind.cdevents_version() {
        Some(version) if complete => format!("{STANDARD}{kind}.{version}"),
        Some(_) | None => format!("{CUSTOM}{kind}.0.1.0"),
    }
}

fn custom_data(data: &Data) -> Option<Map<String, Value>> {
    if matches!(data, Data::AsReceived | Data::Other(_)) {
        return None;
    }
    let Ok(Value::Object(mut custom)) = data.to_value() else { return None };
    custom.insert(MARK.to_owned(), SHAPE.into());
    Some(custom)
}

/// Data of a kind that nobody maps, and its media type.
fn as_sent(data: &Data, body: Option<&[u8]>) -> (Option<&'static str>, Payload) {
    const JSON: Option<&str> = Some("application/json");
    if let Data::Other(value) = data {
        return (JSON, Payload::Json(value.clone()));
    }
    let body = body.unwrap_or_default();
    if body.is_empty() {
        return (None, Payload::None);
    }
    if let Ok(value) = serde_json::from_slice(body) {
        return (JSON, Payload::Json(value));
    }
    match std::str::from_utf8(body) {
        Ok(text) => (Some("text/plain; charset=utf-8"), Payload::Text(text.to_owned())),
        Err(_) => (Some("application/octet-stream"), Payload::Binary(body.to_vec())),
    }
}

/// The data of an event as a JSON value: bytes that are no JSON become `{"data_base64": …}`, as in the JSON format.
fn as_json(event: &CloudEvent) -> Value {
    match (event.json().map(Cow::into_owned), &event.payload) {
        (Some(value), _) => value,
        (None, Payload::Text(text)) => Value::String(text.clone()),
        (None, Payload::Binary(bytes)) => json!({"data_base64": BASE64_STANDARD.encode(bytes)}),
        (None, Payload::None | Payload::Json(_)) => Value::Null,
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
