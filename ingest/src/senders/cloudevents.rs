//! CloudEvents: anything that speaks the standard over HTTP, in structured, batched or binary mode. CDEvents come this
//! way, and so does what a team sends of its own.
//!
//! An event is identified by its `source` and `id`, alone or in a batch: the same one sent twice is one event. CDEvents
//! and our own kinds are read into typed data; an event of any other type is kept under its type.
//!
//! Attributes: `source` and `subject` are the envelope's; an event without a subject goes by its id. `time` is the
//! envelope's, or the time of receipt where it has none.

#[cfg(test)]
mod tests;

use bus::cdevents;
use bus::cloudevents::{BATCH, CloudEvent, CloudEventError, Mode, Rules, STRUCTURED, is_uri_reference, mode};
use bus::data::Data;
use bus::delivery::Delivery;
use bus::ids::{DeliveryId, OrderKey};
use bus::kind::Family;
use http::HeaderMap;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::sender::{Draft, Scheme, Sender, Unreadable, receipt};

/// Intermediaries must take events of 64 KiB; the largest batches of the event grids of clouds are 1 MB. Four of those
/// leave room for data in base64.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The stored header that a source's setting `lenient` adds; no sender can set it.
const LENIENT: &str = "devhose-lenient";

/// CloudEvents as a sender.
pub const CLOUDEVENTS: Sender = Sender {
    name: "cloudevents",
    title: "CloudEvents",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::Bearer,
    headers: &["ce-*"],
    // In binary mode the media type is that of the data, whatever it is.
    media_types: &["*"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

/// A batch has no name of its own: the hash of its body serves.
fn delivery_id(headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let content_type = headers.get(http::header::CONTENT_TYPE).map(text);
    if mode(content_type.as_deref()) == Mode::Batch {
        return None;
    }
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
    // What identifies an event must not depend on how strict its source is set to be later.
    let events = CloudEvent::read(content_type.as_deref(), headers, body, Rules::Lenient).ok()?;
    identity(events.first()?)
}

/// `source id`, readable where it fits: a URI reference holds no space, so two different pairs never give the same text.
fn identity(event: &CloudEvent) -> Option<DeliveryId> {
    let readable = || format!("{} {}", event.source, event.id).parse().ok();
    let hash = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update(event.source.as_bytes()).update(b"\0").update(event.id.as_bytes());
        format!("blake3/{}", hasher.finalize()).parse().ok()
    };
    if event.source.contains(' ') { hash() } else { readable().or_else(hash) }
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let lenient = delivery.header(LENIENT) == Some("true");
    let events = read(delivery, if lenient { Rules::Lenient } else { Rules::Strict }).map_err(|error| {
        let would_do = !lenient && read(delivery, Rules::Lenient).is_ok();
        let hint = if would_do { ": set `lenient = true` for the source to take it as it is" } else { "" };
        Unreadable(format!("{error}{hint}"))
    })?;
    let mode = mode(delivery.content.content_type.as_deref());
    events.into_iter().map(|event| draft(delivery, mode, event)).collect()
}

fn read(delivery: &Delivery, rules: Rules) -> Result<Vec<CloudEvent>, CloudEventError> {
    let content = &delivery.content;
    let headers = content.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    CloudEvent::read(content.content_type.as_deref(), headers, &content.body, rules)
}

fn draft(delivery: &Delivery, mode: Mode, event: CloudEvent) -> Result<Draft, Unreadable> {
    let (kind, mut data) = cdevents::from_cloudevent(&event).map_err(|error| Unreadable(error.to_string()))?;
    if kind.family() == Family::Other && mode == Mode::Binary {
        // The body is the data: it need not be stored twice.
        data = Data::AsReceived;
    }
    let partition = || event.extensions.get("partitionkey").map(|key| key.text().into_owned());
    let key = data.order_key().or_else(|| partition().filter(|key| !key.is_empty()));
    Ok(Draft {
        alone: identity(&event),
        kind,
        key: OrderKey(key.unwrap_or_else(|| event.source.clone())),
        subject: event.subject.unwrap_or(event.id),
        source: uri_reference(event.source),
        time: event.time.unwrap_or(delivery.content.received_at),
        data,
    })
}

/// A source that only the lenient take is encoded, so that nobody who reads the event from us has to be lenient.
fn uri_reference(source: String) -> String {
    const NOT_IN_A_URI: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    if is_uri_reference(&source) {
        return source;
    }
    let encoded = utf8_percent_encode(&source, NOT_IN_A_URI).to_string();
    if is_uri_reference(&encoded) { encoded } else { utf8_percent_encode(&source, NON_ALPHANUMERIC).to_string() }
}

/// `structured` and `batch` say how the body travels; any other word is the type of an event in binary mode.
fn headers_for(event: &str, delivery_id: &str) -> Vec<(&'static str, String)> {
    let content_type = |text: &str| ("content-type", text.to_owned());
    let event_type = match event {
        "structured" => return vec![content_type(STRUCTURED)],
        "batch" => return vec![content_type(BATCH)],
        "binary" => "com.example.sample",
        _ => event,
    };
    vec![
        content_type("application/json"),
        ("ce-specversion", bus::cloudevents::SPECVERSION.to_owned()),
        ("ce-id", delivery_id.to_owned()),
        ("ce-source", "/devhose/send".to_owned()),
        ("ce-type", event_type.to_owned()),
    ]
}
