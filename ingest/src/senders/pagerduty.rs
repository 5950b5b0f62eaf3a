//! PagerDuty: webhooks of version 3, and of versions 1 and 2 where somebody still has them.
//!
//! `incident.triggered`, `acknowledged` and `resolved` are the field's own words. `incident.reopened` is
//! [`Kind::IncidentDetected`] of the same incident: it was detected when it was first, and is over when it is resolved
//! last. Every other event stays PagerDuty's own: `com.pagerduty.<event_type>`.
//!
//! An incident names its service; PagerDuty has no environments. Who was paged or took it on is not read: no fact needs
//! it. Versions 1 and 2 are not signed, so a source for them must be `insecure`.
//!
//! Attributes: `source` is the page of the incident's service, `subject` the incident, or the id of what the event is
//! about; `time` is when it occurred.

mod older;
#[cfg(test)]
mod tests;

use bus::data::Data;
use bus::data::runtime::Incident;
use bus::delivery::Delivery;
use bus::ids::DeliveryId;
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Deserialize;

use super::reading::{event, filled, instant_of, is_plain, object, source_of, text, without_scheme};
use crate::sender::{Draft, Scheme, Sender, Signed, Unreadable, receipt};

/// A webhook holds one incident without its alerts; what people write into it is cut at some 64 KiB a field.
const BODY_BYTES_MAX: usize = 4 << 20;

/// PagerDuty as a sender.
pub const PAGERDUTY: Sender = Sender {
    name: "pagerduty",
    title: "PagerDuty",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::HmacSha256Hex {
        header: "x-pagerduty-signature",
        prefix: "v1=",
        signed: Signed::Body,
        several: true,
    },
    headers: &["x-webhook-id", "x-webhook-subscription", "user-agent"],
    media_types: &["application/json"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

/// The events that mean something in the field's terms.
const KINDS: &[(&str, Kind)] = &[
    ("incident.triggered", Kind::IncidentDetected),
    ("incident.reopened", Kind::IncidentDetected),
    ("incident.acknowledged", Kind::IncidentAcknowledged),
    ("incident.resolved", Kind::IncidentResolved),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    event: Option<Event>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    id: Option<String>,
    event_type: Option<String>,
    occurred_at: Option<String>,
    data: Option<Resource>,
}

/// What an event is about. Only an incident has all of this.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    id: Option<String>,
    html_url: Option<String>,
    title: Option<String>,
    created_at: Option<String>,
    service: Option<Reference>,
    priority: Option<Reference>,
    urgency: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    html_url: Option<String>,
    summary: Option<String>,
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let text = text(&delivery.content.body)?;
    let drafts = object::<Envelope>(text).and_then(|envelope| read(delivery, envelope.event?));
    if let Some(drafts) = drafts.or_else(|| older::read(delivery, text)) {
        return Ok(drafts);
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| Unreadable(format!("the body is not JSON: {error}")))?;
    let source = source_of(delivery, None);
    let unknown = Kind::from("com.pagerduty.webhook");
    Ok(vec![event(unknown, &source, source.clone(), delivery.content.received_at, Data::AsReceived)])
}

/// An event of version 3; none if it does not say what happened.
fn read(delivery: &Delivery, told: Event) -> Option<Vec<Draft>> {
    let event_type = told.event_type.filter(|name| is_plain(name))?;
    let time = instant_of(told.occurred_at.as_ref()).unwrap_or(delivery.content.received_at);
    let resource = told.data.unwrap_or_default();
    let kind = KINDS.iter().find(|(name, _)| *name == event_type).map(|(_, kind)| kind.clone());
    let incident = kind.and_then(|kind| Told::of(&resource_of(&resource), delivery, kind, time));
    Some(vec![match incident {
        Some(told) => told.draft(),
        None => {
            let source = source_of(delivery, resource.html_url.as_deref());
            let subject = [resource.id, told.id].into_iter().find_map(filled).unwrap_or_else(|| event_type.clone());
            let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
            event(Kind::from(format!("com.pagerduty.{event_type}")), &source, subject, time, Data::AsReceived)
        }
    }])
}

/// An incident as any version tells of it.
#[derive(Debug, Default)]
struct Known<'a> {
    id: Option<&'a str>,
    page: Option<&'a str>,
    title: Option<&'a str>,
    service: Option<&'a str>,
    service_page: Option<&'a str>,
    severity: Option<&'a str>,
    created_at: Option<DateTime<Utc>>,
}

fn resource_of(resource: &Resource) -> Known<'_> {
    let service = resource.service.as_ref();
    let priority = resource.priority.as_ref().and_then(|priority| priority.summary.as_deref());
    Known {
        id: resource.id.as_deref(),
        page: resource.html_url.as_deref(),
        title: resource.title.as_deref(),
        service: service.and_then(|service| service.summary.as_deref()),
        service_page: service.and_then(|service| service.html_url.as_deref()),
        severity: priority.or(resource.urgency.as_deref()),
        created_at: instant_of(resource.created_at.as_ref()),
    }
}

/// What happened to an incident.
#[derive(Debug)]
struct Told {
    kind: Kind,
    source: String,
    time: DateTime<Utc>,
    data: Incident,
}

impl Told {
    /// None if the incident has no id.
    fn of(known: &Known<'_>, delivery: &Delivery, kind: Kind, time: DateTime<Utc>) -> Option<Self> {
        let number = known.id.filter(|id| is_plain(id))?;
        let place = known.page.and_then(without_scheme).map(str::to_owned);
        let at = |wanted: Kind| (kind == wanted).then_some(time);
        let text = |text: Option<&str>| filled(text.map(str::to_owned));
        let data = Incident {
            id: place.unwrap_or_else(|| format!("{}/incidents/{number}", delivery.content.source)),
            service: text(known.service),
            severity: text(known.severity),
            description: text(known.title),
            url: text(known.page),
            detected_at: known.created_at.or(at(Kind::IncidentDetected)),
            acknowledged_at: at(Kind::IncidentAcknowledged),
            resolved_at: at(Kind::IncidentResolved),
            ..Incident::default()
        };
        Some(Self { source: source_of(delivery, known.service_page), kind, time, data })
    }

    fn draft(self) -> Draft {
        let subject: String = self.data.id.chars().filter(|c| !c.is_control()).collect();
        let data = Data::Incident(Box::new(Incident { id: subject.clone(), ..self.data }));
        event(self.kind, &self.source, subject, self.time, data)
    }
}

fn delivery_id(_headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    let text = text(body).ok()?;
    let event = object::<Envelope>(text).and_then(|envelope| envelope.event?.id);
    filled(event).or_else(|| older::delivery_id(text))?.parse().ok()
}

fn headers_for(_event: &str, _delivery_id: &str) -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".into()), ("user-agent", "PagerDuty-Webhook/V3.0".into())]
}
