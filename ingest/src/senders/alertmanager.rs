//! Alertmanager: webhooks of format 4, of Prometheus and of what writes the same form, such as Grafana.
//!
//! A notification tells of a group of alerts, and tells of it again and again. Each alert in it is one event for each
//! of its two states: `firing` is [`Kind::IncidentDetected`], `resolved` is [`Kind::IncidentResolved`]. The incident is
//! known by the alert's fingerprint and the instant at which it began to fire, which stay the same until it is over.
//!
//! An alert without severity (`severity: none`), such as the watchdog that always fires, is no incident: it stays
//! `com.prometheus.alert.firing` or `.resolved`. A body of another form, which a receiver's own template may write, is
//! `com.prometheus.notification`. If the receiver's `max_alerts` left alerts out, that is an event of its own.
//!
//! Attributes: `source` is the address of the Alertmanager, `subject` the incident; `time` is when the alert began to
//! fire, or was resolved.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bus::data::Data;
use bus::data::runtime::Incident;
use bus::delivery::Delivery;
use bus::ids::DeliveryId;
use bus::kind::Kind;
use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::reading::{event, filled, instant_of, known_as, object, source_of, text, without_scheme};
use crate::sender::{Draft, Scheme, Sender, Unreadable, receipt};

/// Groups have no limit of their own: at some 2 KiB an alert this is thousands of them.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Alertmanager as a sender.
pub const ALERTMANAGER: Sender = Sender {
    name: "alertmanager",
    title: "Alertmanager",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::Bearer,
    headers: &["user-agent"],
    media_types: &["application/json"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

/// Labels that name what suffers, the best first. `job` and `service` may name who measured instead: see [`EXPORTERS`].
const SERVICE_LABELS: &[&str] = &[
    "service",
    "service_name",
    "app_kubernetes_io_name",
    "app",
    "application",
    "component",
    "deployment",
    "statefulset",
    "daemonset",
    "job",
];

/// What measures others, wherever it stands in a name.
const EXPORTERS: &[&str] = &["exporter", "kube-state-metrics", "cadvisor", "kubelet", "blackbox"];

/// Labels that say where, the best first.
const ENVIRONMENT_LABELS: &[&str] = &["environment", "env", "deployment_environment", "stage", "cluster"];

/// Labels that say which version was running: that is the deployment to blame.
const VERSION_LABELS: &[&str] = &["deployment_id", "version", "app_kubernetes_io_version", "revision", "commit", "sha"];

/// Alerts that say that alerting works.
const WATCHDOGS: &[&str] = &["Watchdog", "DeadMansSwitch", "InfoInhibitor"];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Notification {
    group_key: Option<String>,
    receiver: Option<String>,
    truncated_alerts: Option<u64>,
    #[serde(rename = "externalURL")]
    external_url: Option<String>,
    alerts: Option<Vec<Alert>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Alert {
    status: Option<String>,
    labels: Words,
    annotations: Words,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
    fingerprint: Option<String>,
}

/// Labels or annotations. Templates of others put numbers here; those say nothing to us, but are no reason to fail.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
struct Words(BTreeMap<String, Value>);

impl Words {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let text = text(&delivery.content.body)?;
    let body: Value =
        serde_json::from_str(text).map_err(|error| Unreadable(format!("the body is not JSON: {error}")))?;
    let notification: Notification = object(text).unwrap_or_default();
    let place = Place::of(delivery, notification.external_url.as_deref());
    let (alerts, truncated) = (notification.alerts.unwrap_or_default(), notification.truncated_alerts.unwrap_or(0));
    let mut drafts: Vec<Draft> = Vec::with_capacity(alerts.len());
    for alert in &alerts {
        let Some(draft) = read(&place, alert) else { continue };
        // Two of one fingerprint are one alert.
        if !drafts.iter().any(|other| other.alone == draft.alone) {
            drafts.push(draft);
        }
    }
    if truncated > 0 {
        let told = json!({"groupKey": notification.group_key, "receiver": notification.receiver, "truncatedAlerts": truncated});
        let subject = filled(notification.group_key).unwrap_or_else(|| place.name.clone());
        drafts.push(place.own("com.prometheus.notification.truncated", &subject, None, Data::Other(told)));
    }
    if drafts.is_empty() {
        let data = if body.is_object() { Data::AsReceived } else { Data::Other(body) };
        drafts.push(place.own("com.prometheus.notification", &place.name, None, data));
    }
    Ok(drafts)
}

/// Where alerts come from.
struct Place {
    /// Address of the Alertmanager.
    source: String,
    /// `host/path` of it, or the name of the configured source.
    name: String,
    received_at: DateTime<Utc>,
}

impl Place {
    fn of(delivery: &Delivery, external_url: Option<&str>) -> Self {
        let source = source_of(delivery, external_url);
        let name = without_scheme(&source).unwrap_or(&source).to_owned();
        Self { source, name, received_at: delivery.content.received_at }
    }

    fn own(&self, kind: &str, subject: &str, time: Option<DateTime<Utc>>, data: Data) -> Draft {
        let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
        let subject = if subject.is_empty() { self.name.clone() } else { subject };
        event(Kind::from(kind), &self.source, subject, time.unwrap_or(self.received_at), data)
    }
}

/// An alert as an event; none if it says neither that it fires nor that it is over.
fn read(place: &Place, alert: &Alert) -> Option<Draft> {
    let firing = match alert.status.as_deref()?.to_ascii_lowercase().as_str() {
        "firing" => true,
        "resolved" => false,
        _ => return None,
    };
    let (started, ended) = (instant_of(alert.starts_at.as_ref()), instant_of(alert.ends_at.as_ref()));
    let time = if firing { started } else { ended.or(started) };
    let fingerprint = filled(alert.fingerprint.clone()).unwrap_or_else(|| fingerprint(&alert.labels));
    let since = started.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default();
    let id = format!("{}/alerts/{fingerprint}/{since}", place.name);
    let id: String = id.chars().filter(|c| !c.is_control()).collect();
    let state = if firing { "firing" } else { "resolved" };
    let draft = if is_incident(alert) {
        let kind = if firing { Kind::IncidentDetected } else { Kind::IncidentResolved };
        let mut data = incident(alert);
        data.id.clone_from(&id);
        data.detected_at = started;
        data.resolved_at = ended.filter(|_| !firing);
        let data = Data::Incident(Box::new(data));
        event(kind, &place.source, id, time.unwrap_or(place.received_at), data)
    } else {
        let told = serde_json::to_value(alert).unwrap_or_default();
        place.own(&format!("com.prometheus.alert.{state}"), &id, time, Data::Other(told))
    };
    Some(known_as(draft, &format!("{fingerprint}/{since}/{state}")))
}

fn is_incident(alert: &Alert) -> bool {
    let named = alert.labels.get("alertname").is_some_and(|name| WATCHDOGS.contains(&name));
    let severity = alert.labels.get("severity").is_some_and(|severity| severity.eq_ignore_ascii_case("none"));
    !named && !severity
}

/// What an alert says in the field's terms, without its id and instants.
fn incident(alert: &Alert) -> Incident {
    let word = |names: &[&str]| alert.labels.first(names).map(str::to_owned);
    let service = SERVICE_LABELS.iter().filter_map(|name| alert.labels.get(name));
    let measures = |name: &&str| EXPORTERS.iter().any(|exporter| name.contains(exporter));
    let described = alert.annotations.first(&["summary", "description", "message", "title"]);
    Incident {
        service: service.into_iter().find(|name| !measures(name)).map(str::to_owned),
        environment: word(ENVIRONMENT_LABELS),
        severity: word(&["severity", "priority", "level"]),
        description: described.or(alert.labels.get("alertname")).map(str::to_owned),
        url: filled(alert.generator_url.clone()),
        deployment: word(VERSION_LABELS),
        ..Incident::default()
    }
}

/// What Prometheus calls a set of labels (`model.LabelSet.Fingerprint`), for senders that leave it out: FNV-1a over
/// names and values in order of names, each followed by a byte that stands in no text.
fn fingerprint(labels: &Words) -> String {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    let pairs = labels.0.iter().filter_map(|(name, value)| Some([name.as_str(), value.as_str()?]));
    let bytes = pairs.flatten().flat_map(|text| text.bytes().chain([0xff]));
    let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

/// A notification has no name of its own: it is known by the group and the states of the alerts that it tells, so that a
/// reminder that tells nothing new is the same delivery again.
fn delivery_id(_headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    let notification: Notification = object(text(body).ok()?)?;
    let alerts = notification.alerts.filter(|alerts| !alerts.is_empty())?;
    let mut states: Vec<String> = alerts
        .iter()
        .map(|alert| {
            let fingerprint = filled(alert.fingerprint.clone()).unwrap_or_else(|| fingerprint(&alert.labels));
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{fingerprint}\0{}\0{}", part(&alert.status), part(&alert.starts_at))
        })
        .collect();
    states.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    hasher.update(notification.group_key.unwrap_or_default().as_bytes());
    states.iter().for_each(|state| {
        hasher.update(b"\0").update(state.as_bytes());
    });
    format!("group/{}", hasher.finalize()).parse().ok()
}

fn headers_for(_event: &str, _delivery_id: &str) -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".into()), ("user-agent", "Alertmanager/devhose".into())]
}
