//! Webhooks of versions 1 and 2: several messages in a body, each with a whole incident. PagerDuty has stopped both;
//! recorded histories still have them.

use bus::data::Data;
use bus::delivery::Delivery;
use bus::kind::Kind;
use serde::Deserialize;

use super::{Known, Told};
use crate::sender::Draft;
use crate::senders::reading::{event, filled, instant_of, is_plain, known_as, object, source_of};

/// What the events of the older versions are called.
const KINDS: &[(&str, Kind)] = &[
    ("incident.trigger", Kind::IncidentDetected),
    ("incident.acknowledge", Kind::IncidentAcknowledged),
    ("incident.resolve", Kind::IncidentResolved),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    messages: Vec<Message>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    id: Option<String>,
    /// Version 1 calls it a type, version 2 an event.
    #[serde(alias = "event")]
    r#type: Option<String>,
    created_on: Option<String>,
    data: Option<Holder>,
    incident: Option<Incident>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Holder {
    incident: Option<Incident>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Incident {
    id: Option<String>,
    html_url: Option<String>,
    title: Option<String>,
    #[serde(alias = "created_on")]
    created_at: Option<String>,
    service: Option<Service>,
    urgency: Option<String>,
    trigger_summary_data: Option<Summary>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    name: Option<String>,
    html_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Summary {
    subject: Option<String>,
    description: Option<String>,
}

/// One event a message; none if the body holds no messages.
pub(super) fn read(delivery: &Delivery, text: &str) -> Option<Vec<Draft>> {
    let messages = object::<Body>(text)?.messages;
    let drafts: Vec<Draft> = messages.into_iter().filter_map(|message| read_message(delivery, message)).collect();
    (!drafts.is_empty()).then_some(drafts)
}

fn read_message(delivery: &Delivery, message: Message) -> Option<Draft> {
    let event_type = message.r#type.filter(|name| is_plain(name))?;
    let incident = message.incident.or_else(|| message.data?.incident).unwrap_or_default();
    let time = instant_of(message.created_on.as_ref()).unwrap_or(delivery.content.received_at);
    let kind = KINDS.iter().find(|(name, _)| *name == event_type).map(|(_, kind)| kind.clone());
    let draft = match kind.and_then(|kind| Told::of(&known(&incident), delivery, kind, time)) {
        Some(told) => told.draft(),
        None => {
            let subject = incident.id.filter(|id| is_plain(id)).unwrap_or_else(|| event_type.clone());
            let source = source_of(delivery, incident.html_url.as_deref());
            event(Kind::from(format!("com.pagerduty.{event_type}")), &source, subject, time, Data::AsReceived)
        }
    };
    Some(match filled(message.id) {
        Some(id) => known_as(draft, &id),
        None => draft,
    })
}

fn known(incident: &Incident) -> Known<'_> {
    let service = incident.service.as_ref();
    let summary = incident.trigger_summary_data.as_ref();
    let summary = summary.and_then(|summary| summary.subject.as_deref().or(summary.description.as_deref()));
    Known {
        id: incident.id.as_deref(),
        page: incident.html_url.as_deref(),
        title: incident.title.as_deref().or(summary),
        service: service.and_then(|service| service.name.as_deref()),
        service_page: service.and_then(|service| service.html_url.as_deref()),
        severity: incident.urgency.as_deref(),
        created_at: instant_of(incident.created_at.as_ref()),
    }
}

/// The id of the only message; several have no name together.
pub(super) fn delivery_id(text: &str) -> Option<String> {
    let mut messages = object::<Body>(text)?.messages;
    let only = messages.pop().filter(|_| messages.is_empty())?;
    filled(only.id)
}
