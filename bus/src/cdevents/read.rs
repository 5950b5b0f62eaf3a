//! What others' CDEvents mean to us: every version since 0.3, by what stands in it rather than by its number.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{CDEventError, MARK, SHAPE};
use crate::cloudevents::CloudEvent;
use crate::data::Data;
use crate::kind::{Family, Kind};

mod derive;

/// The parts of a `CDEvent` that data is read from.
struct Parts<'a> {
    kind: &'a Kind,
    /// `context.source`, or the envelope's.
    source: &'a str,
    /// `context.id`, or the envelope's.
    id: &'a str,
    /// `context.timestamp`, or the envelope's time.
    time: Option<DateTime<Utc>>,
    /// `subject.id`, or the envelope's subject; empty only where bare data come without one.
    subject: &'a str,
    /// `subject.source`, or the event's source.
    subject_source: &'a str,
    content: Option<&'a Map<String, Value>>,
    custom: Custom<'a>,
}

/// What stands in `customData`.
enum Custom<'a> {
    /// Nothing that can be read.
    None,
    /// Our own data: it is all there is to say.
    Ours(&'a Map<String, Value>),
    /// Somebody else's: members that we know by name and type count, and go before what is derived.
    Theirs(&'a Map<String, Value>),
}

/// The data of an event of a mapped kind.
pub(super) fn data(kind: &Kind, event: &CloudEvent) -> Result<Data, CDEventError> {
    let json = event.json().unwrap_or(Cow::Owned(Value::Null));
    let Some(root) = json.as_object() else {
        return Err(CDEventError::NotAnObject(event.event_type.clone()));
    };
    let parts = parts(kind, event, root)?;
    let p = &parts;
    Ok(match kind.family() {
        Family::Action => Data::Action(p.read(derive::action)?),
        Family::Analysis => Data::Analysis(p.read(derive::analysis)?),
        Family::Artifact => Data::Artifact(p.read(derive::artifact)?),
        Family::Branch => Data::Branch(p.read(derive::branch)?),
        Family::Build => Data::Build(p.read(derive::build)?),
        Family::Change => Data::Change(Box::new(p.read(derive::change)?)),
        Family::Comment => Data::Comment(Box::new(p.read(derive::comment)?)),
        Family::Coverage => Data::Coverage(p.read(derive::coverage)?),
        Family::Deployment => Data::Deployment(Box::new(p.read(derive::deployment)?)),
        Family::Environment => Data::Environment(p.read(derive::environment)?),
        Family::Incident => Data::Incident(Box::new(p.read(derive::incident)?)),
        Family::Message => Data::Message(p.read(|_| crate::data::work::Message::default())?),
        Family::Node => Data::Node(p.read(derive::node)?),
        Family::PipelineRun => Data::PipelineRun(Box::new(p.read(derive::pipeline_run)?)),
        Family::Pod => Data::Pod(Box::new(p.read(derive::pod)?)),
        Family::Push => Data::Push(Box::new(p.read(derive::push)?)),
        Family::Release => Data::Release(p.read(derive::release)?),
        Family::Repository => Data::Repository(p.read(derive::repository)?),
        Family::Review => Data::Review(Box::new(p.read(derive::review)?)),
        Family::TaskRun => Data::TaskRun(Box::new(p.read(derive::task_run)?)),
        Family::Test => Data::Test(Box::new(p.read(derive::test)?)),
        Family::Ticket => Data::Ticket(Box::new(p.read(derive::ticket)?)),
        Family::Vulnerability => Data::Vulnerability(p.read(derive::vulnerability)?),
        Family::Other => Data::Other(json.into_owned()),
    })
}

fn parts<'a>(kind: &'a Kind, event: &'a CloudEvent, root: &'a Map<String, Value>) -> Result<Parts<'a>, CDEventError> {
    let missing = |member| CDEventError::Missing { event_type: event.event_type.clone(), member };
    let subject = root.get("subject").and_then(Value::as_object);
    let bare = event.event_type == kind.name() && subject.is_none();
    if subject.is_none() && !bare {
        return Err(missing("subject"));
    }
    let context = root.get("context").and_then(Value::as_object);
    let source = text(context, "source").unwrap_or(&event.source);
    let time = text(context, "timestamp").and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    // The bare name of a kind comes with the bare data.
    let custom = if bare { Some(root) } else { root.get("customData").and_then(Value::as_object) };
    let fallback = if bare { Some("") } else { None };
    Ok(Parts {
        kind,
        source,
        id: text(context, "id").unwrap_or(&event.id),
        time: time.map(|time| time.to_utc()).or(event.time),
        subject: text(subject, "id").or(event.subject.as_deref()).or(fallback).ok_or_else(|| missing("subject.id"))?,
        subject_source: text(subject, "source").unwrap_or(source),
        content: subject.and_then(|subject| subject.get("content")).and_then(Value::as_object),
        custom: match custom {
            Some(custom) if custom.get(MARK).and_then(Value::as_u64) == Some(SHAPE) => Custom::Ours(custom),
            Some(custom) => Custom::Theirs(custom),
            None => Custom::None,
        },
    })
}

impl Parts<'_> {
    fn read<T: Default + Serialize + DeserializeOwned>(
        &self,
        derive: impl FnOnce(&Parts<'_>) -> T,
    ) -> Result<T, CDEventError> {
        let not_ours = |_| CDEventError::NotOurs(self.kind.clone());
        match &self.custom {
            Custom::None => Ok(derive(self)),
            Custom::Ours(custom) => T::deserialize(Value::Object((*custom).clone())).map_err(not_ours),
            Custom::Theirs(custom) => {
                let Ok(Value::Object(mut members)) = serde_json::to_value(derive(self)) else {
                    return Ok(T::default());
                };
                for (name, value) in *custom {
                    // Every field may be absent, so one member alone shows whether it fits.
                    let alone = Map::from_iter([(name.clone(), value.clone())]);
                    if T::deserialize(Value::Object(alone)).is_ok() {
                        members.insert(name.clone(), value.clone());
                    }
                }
                T::deserialize(Value::Object(members)).map_err(not_ours)
            }
        }
    }

    /// The time of the event, for events of this kind only.
    fn time_if(&self, kind: &Kind) -> Option<DateTime<Utc>> {
        self.time.filter(|_| self.kind == kind)
    }

    /// A text of the content.
    fn text(&self, name: &str) -> Option<String> {
        text(self.content, name).map(str::to_owned)
    }

    /// A link; before 0.5 it was called `url`.
    fn link(&self) -> Option<String> {
        self.text("uri").or_else(|| self.text("url"))
    }

    /// The texts of a list in the content.
    fn texts(&self, name: &str) -> impl Iterator<Item = String> {
        let list = self.content.and_then(|content| content.get(name)).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
    }

    /// An object of the content.
    fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.content.and_then(|content| content.get(name)).and_then(Value::as_object)
    }

    /// The id of a thing that the content refers to.
    fn thing(&self, name: &str) -> Option<String> {
        text(self.object(name), "id").map(str::to_owned)
    }

    /// The same, unique among all tools.
    fn unique_thing(&self, name: &str) -> Option<String> {
        let thing = self.object(name);
        Some(unique(text(thing, "source").unwrap_or(self.source), text(thing, "id")?))
    }

    /// The subject's id, unique among all tools; the event's, if it has no subject.
    fn unique_subject(&self) -> String {
        if self.subject.is_empty() { unique(self.source, self.id) } else { unique(self.subject_source, self.subject) }
    }
}

/// A text that is there and not empty.
fn text<'a>(object: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a str> {
    object?.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// An id that is unique within its source becomes unique among all: `host/path/id`.
fn unique(source: &str, id: &str) -> String {
    format!("{}/{id}", without_scheme(source).trim_end_matches('/'))
}

fn without_scheme(url: &str) -> &str {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url)
}
