//! A file with an event and what a bot may ask about it: what it holds, in whichever of the shapes it comes.

use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use bots::given::Answers;
use bus::cdevents;
use bus::cloudevents::{CloudEvent, Rules};
use bus::delivery::{Delivery, NewDelivery, Verification};
use bus::event::{Event, Origin, Recorded};
use bus::ids::{DeliveryId, DeliveryOffset, EventId, EventOffset, OrderKey, SourceName};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};

/// What the source of objects out of a file is called, where the file names none.
const CLUSTER: &str = "kubernetes/file";

/// What a file may be, for whoever wrote another one.
const SHAPES: &str = "a Kubernetes object or list, a watch event, a CloudEvent, or {\"delivery\": {\"source\", \"headers\", \"body\"}, \"answers\": {…}}; see devhose bots test --help";

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Each event with the body of the delivery that it was read from, if there was one.
    pub(super) events: Vec<(Recorded, Option<Value>)>,
    /// What else it knows.
    pub(super) answers: Answers,
}

/// Our own shape.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// As a sender sends it.
    delivery: Option<Sent>,
    /// Any of the other shapes.
    event: Option<Value>,
    #[serde(default)]
    answers: Answers,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    source: SourceName,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    body: Value,
}

/// The text of the file; none if that is no file but an event's id.
pub(super) fn read(name: &str) -> Result<Option<String>, Failure> {
    if name == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(Some(text));
    }
    if !Path::new(name).exists() && name.parse::<EventId>().is_ok() {
        return Ok(None);
    }
    std::fs::read_to_string(name).map(Some).map_err(|error| {
        Failure::new(Exit::NotFound, format!("{name} cannot be read: {error}"))
            .remedy("--event takes a file, - for standard input, or the id of an event")
    })
}

/// What a text holds. `now` is when it counts as received.
pub(super) fn held(text: &str, now: DateTime<Utc>) -> Result<Held, Failure> {
    of_value(parse(text)?, now)
}

/// JSON, or YAML of one or many documents.
fn parse(text: &str) -> Result<Value, Failure> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let documents: Result<Vec<Value>, _> = serde_norway::Deserializer::from_str(text).map(Value::deserialize).collect();
    let documents = documents.map_err(|error| refused(format!("the file is neither JSON nor YAML: {error}")))?;
    let mut documents: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
    match documents.len() {
        0 | 1 => Ok(documents.pop().unwrap_or_default()),
        _ => Ok(json!({"kind": "List", "items": documents})),
    }
}

fn of_value(value: Value, now: DateTime<Utc>) -> Result<Held, Failure> {
    let has = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
    if has("answers") || has("delivery") {
        return of_document(value, now);
    }
    if let Some(items) = value.get("items").and_then(Value::as_array) {
        return of_objects(items, now);
    }
    let events = value.get("events").unwrap_or(&value);
    if let Some(events) = events.as_array().filter(|events| events.iter().any(|one| one.get("specversion").is_some())) {
        let events: Result<Vec<_>, _> = events.iter().map(of_cloudevent).collect();
        return Ok(Held { events: events?, answers: Answers::default() });
    }
    if has("specversion") {
        return Ok(Held { events: vec![of_cloudevent(&value)?], answers: Answers::default() });
    }
    if has("type") && has("object") {
        return of_change(&value, now);
    }
    if has("kind") && has("metadata") {
        return of_objects(std::slice::from_ref(&value), now);
    }
    Err(refused("the file holds nothing that could be an event"))
}

fn of_document(value: Value, now: DateTime<Utc>) -> Result<Held, Failure> {
    let document: Document = serde_json::from_value(value).map_err(|error| refused(format!("the file: {error}")))?;
    let mut held = match (document.delivery, document.event) {
        (Some(sent), None) => of_sent(sent, now)?,
        (None, Some(event)) => of_value(event, now)?,
        (Some(_), Some(_)) => return Err(refused("the file holds both a delivery and an event")),
        (None, None) => return Err(refused("the file holds answers and no event")),
    };
    let around = std::mem::replace(&mut held.answers, document.answers);
    held.answers.objects.extend(around.objects);
    Ok(held)
}

fn of_sent(sent: Sent, now: DateTime<Utc>) -> Result<Held, Failure> {
    let headers = sent.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let events = interpreted(&sent.source, headers, &sent.body, now)?;
    Ok(Held { events, answers: Answers::default() })
}

/// A list of objects: each is an event if its change means something, and all of them are there to be asked for.
fn of_objects(items: &[Value], now: DateTime<Utc>) -> Result<Held, Failure> {
    let mut events = Vec::new();
    for object in items {
        let Some(resource) = resource(object) else { continue };
        let change = json!({"type": "MODIFIED", "object": object});
        events.extend(interpreted(&source()?, headers(resource), &change, now)?);
    }
    Ok(Held { events, answers: Answers { objects: items.to_vec(), ..Answers::default() } })
}

fn of_change(change: &Value, now: DateTime<Utc>) -> Result<Held, Failure> {
    let object = change.get("object").cloned().unwrap_or_default();
    let resource = resource(&object).ok_or_else(|| refused("the object of the watch event is none that is watched"))?;
    let events = interpreted(&source()?, headers(resource), change, now)?;
    Ok(Held { events, answers: Answers { objects: vec![object], ..Answers::default() } })
}

/// The resource that an object is of, if it is watched.
fn resource(object: &Value) -> Option<&'static str> {
    match object.get("kind").and_then(Value::as_str)? {
        "Pod" => Some("pods"),
        "Event" => Some("events"),
        "Node" => Some("nodes"),
        "Deployment" => Some("deployments"),
        "ReplicaSet" => Some("replicasets"),
        _ => None,
    }
}

fn headers(resource: &str) -> Vec<(String, String)> {
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![of("devhose-resource", resource), of("devhose-cluster", "file")]
}

fn source() -> Result<SourceName, Failure> {
    Ok(CLUSTER.parse::<SourceName>()?)
}

/// The events of a delivery, by the same function that reads deliveries of the log.
fn interpreted(
    source: &SourceName,
    headers: Vec<(String, String)>,
    body: &Value,
    now: DateTime<Utc>,
) -> Result<Vec<(Recorded, Option<Value>)>, Failure> {
    let (bytes, shown) = match body {
        Value::String(text) => (text.clone().into_bytes(), serde_json::from_str(text).ok()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            (body.to_string().into_bytes(), Some(body.clone()))
        }
    };
    let hash = blake3::hash(&bytes);
    let content_type = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.clone());
    let delivery = Delivery {
        offset: DeliveryOffset(0),
        content: NewDelivery {
            source: source.clone(),
            delivery_id: hash.to_hex().as_str().parse::<DeliveryId>()?,
            received_at: now,
            headers,
            content_type: content_type.or_else(|| Some("application/json".to_owned())),
            body: bytes,
            verification: Verification::None,
        },
        body_hash: hash.into(),
        chain_hash: [0; 32],
    };
    let events = ingest::normalizer::normalize(&delivery)
        .map_err(|error| refused(format!("a delivery of {source} cannot be read: {error}")))?;
    let recorded = |(index, event): (u32, Event)| {
        let origin = Origin { source: source.clone(), delivery: DeliveryOffset(0), index };
        (recorded(event, origin), shown.clone())
    };
    Ok((0..).zip(events).map(recorded).collect())
}

fn of_cloudevent(value: &Value) -> Result<(Recorded, Option<Value>), Failure> {
    let text = value.to_string();
    let content_type = Some("application/cloudevents+json");
    let mut read = CloudEvent::read(content_type, [], text.as_bytes(), Rules::Lenient)
        .map_err(|error| refused(format!("the file is no CloudEvent: {error}")))?;
    let envelope = read.pop().ok_or_else(|| refused("the file holds no CloudEvent"))?;
    let (kind, data) = cdevents::from_cloudevent(&envelope)
        .map_err(|error| refused(format!("the CloudEvent cannot be read: {error}")))?;
    let origin = Origin { source: "cloudevents/file".parse::<SourceName>()?, delivery: DeliveryOffset(0), index: 0 };
    let named = envelope.id.parse::<EventId>();
    let id = match named {
        Ok(id) => id,
        Err(_) => EventId::derive(&origin.source, &blake3::hash(text.as_bytes()).to_hex().as_str().parse()?, 0),
    };
    let key = data.order_key().unwrap_or_else(|| envelope.source.clone());
    let time = envelope.time.unwrap_or_default();
    let subject = envelope.subject.clone().unwrap_or_else(|| envelope.source.clone());
    let event = Event { id, kind, source: envelope.source, subject, time, key: OrderKey(key), data };
    Ok((recorded(event, origin), None))
}

fn recorded(event: Event, origin: Origin) -> Recorded {
    Recorded { offset: EventOffset(0), recorded_at: event.time, revision: 0, origin, event }
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, error).remedy(SHAPES)
}
