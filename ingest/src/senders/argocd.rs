//! Argo CD: what its notifications tell through the templates under `deploy/argocd/`, as one CloudEvent each.
//!
//! The templates say how an application stands; what that means is decided here, so that it can be decided anew:
//!
//! * `on-sync-running`, `on-deployed`, `on-sync-failed`: a deployment begins, ends well, fails. It is the operation that
//!   is known by the instant at which it began. Deployed is what is synced and healthy. By Argo CD's own history it is
//!   the first ([`Kind::ServiceDeployed`]), a return to what was deployed before the previous
//!   ([`Kind::ServiceRolledBack`]), or else [`Kind::ServiceUpgraded`].
//! * What deploys nothing new is no deployment: a dry run, a sync of chosen resources as self-healing does, and a sync of
//!   what is deployed already, with the same sources and revisions.
//! * `on-health-degraded` begins an incident and `on-healthy` ends it. Argo CD does not say since when what is healthy
//!   was degraded, but it notes on the application what it has told of: from that note both get the same id.
//! * `on-deleted`: the service was removed.
//!
//! All else stays Argo CD's own, `com.argoproj.argo-cd.<trigger>`; what other templates send is
//! `com.argoproj.argo-cd.notification`.
//!
//! Attributes: `source` is the page of the application, `subject` the service, the attempt or the incident; `time` is
//! that of the operation or of the change of health.

mod application;
mod health;
#[cfg(test)]
mod tests;

use bus::data::runtime::{Deployment, Incident};
use bus::data::{Data, Manner, Outcome};
use bus::delivery::Delivery;
use bus::ids::DeliveryId;
use bus::kind::Kind;
use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::reading::{event, filled, identity_of, instant_of, is_plain, object, source_of, text, without_scheme};
use crate::sender::{Draft, Scheme, Sender, Unreadable, receipt};
use application::{Application, Step};

/// An application's images, its history of ten and what was notified of it fit into some 100 KiB.
const BODY_BYTES_MAX: usize = 4 << 20;

/// What the types of our templates begin with.
const TYPE: &str = "com.argoproj.argo-cd.";

/// Argo CD as a sender.
pub const ARGOCD: Sender = Sender {
    name: "argocd",
    title: "Argo CD",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::Bearer,
    headers: &["user-agent"],
    // A template of somebody's own may send anything.
    media_types: &["application/cloudevents+json", "application/json", "application/x-www-form-urlencoded", "text/*"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

/// The CloudEvent, as our templates write it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    id: Option<String>,
    source: Option<String>,
    subject: Option<String>,
    r#type: Option<String>,
    time: Option<String>,
    data: Option<Value>,
}

impl Envelope {
    /// The trigger, if one of our templates wrote this.
    fn trigger(&self) -> Option<&str> {
        self.r#type.as_deref()?.strip_prefix(TYPE).filter(|name| is_plain(name))
    }
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let text = text(&delivery.content.body)?;
    let envelope: Envelope = object(text).unwrap_or_default();
    Ok(vec![match envelope.trigger() {
        Some(trigger) => told(delivery, trigger, &envelope),
        None => {
            let source = source_of(delivery, None);
            let kind = Kind::from(format!("{TYPE}notification"));
            event(kind, &source, source.clone(), delivery.content.received_at, Data::AsReceived)
        }
    }])
}

fn told(delivery: &Delivery, trigger: &str, envelope: &Envelope) -> Draft {
    let source = source_of(delivery, envelope.source.as_deref());
    let data = envelope.data.clone().unwrap_or_default();
    let place = Place {
        name: without_scheme(&source).unwrap_or(&source).to_owned(),
        time: instant_of(envelope.time.as_ref()).unwrap_or(delivery.content.received_at),
        source,
    };
    let application = Application::deserialize(&data).ok().filter(|_| data.is_object());
    let draft = application.and_then(|application| match trigger {
        "on-sync-running" => started(&place, &application),
        "on-deployed" => deployed(&place, &application),
        "on-sync-failed" => failed(&place, &application),
        "on-health-degraded" => degraded(&place, &application),
        "on-healthy" => healthy(&place, &application),
        "on-deleted" => Some(removed(&place, &application)),
        _ => None,
    });
    draft.unwrap_or_else(|| {
        let subject = plain_text(envelope.subject.clone()).unwrap_or_else(|| place.name.clone());
        event(Kind::from(format!("{TYPE}{trigger}")), &place.source, subject, place.time, Data::Other(data))
    })
}

/// The application that the event is about, by its page.
struct Place {
    source: String,
    /// `host/applications/namespace/name`
    name: String,
    time: DateTime<Utc>,
}

impl Place {
    fn about(&self, application: &Application, kind: Kind, data: Deployment) -> Draft {
        // What is deployed is a service; an attempt is known by its own id.
        let attempt = matches!(kind, Kind::DeploymentStarted | Kind::DeploymentFailed);
        let subject = if attempt { Some(data.id.clone()) } else { application.service() };
        let subject = plain_text(subject).unwrap_or_else(|| self.name.clone());
        event(kind, &self.source, subject, self.time, Data::Deployment(Box::new(data)))
    }

    /// A deployment by its operation; none if that has not begun, or deploys nothing new.
    fn deployment(&self, application: &Application) -> Option<Deployment> {
        let operation = application.operation.as_ref()?;
        let started_at = instant_of(operation.started_at.as_ref())?;
        let began = started_at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let id = format!("{}/operations/{began}", self.name);
        Some(Deployment { id, started_at: Some(started_at), ..self.describe(application) })
    }

    /// What holds of a deployment of this application at any moment. The images are not among it: until it is deployed
    /// they are those of what it replaces.
    fn describe(&self, application: &Application) -> Deployment {
        let revision = application.revision();
        Deployment {
            repository: application.repository(),
            service: application.service(),
            environment: application.environment(),
            git_ref: revision.git_ref,
            sha: revision.sha,
            version: revision.chart,
            url: Some(self.source.clone()).filter(|source| source.contains("://")),
            ..Deployment::default()
        }
    }

    fn incident(&self, application: &Application, since: &str) -> Incident {
        let health = application.health.as_ref();
        let says = health.and_then(|health| filled(health.message.clone()));
        Incident {
            id: format!("{}/degraded/{since}", self.name),
            service: application.service(),
            repository: application.repository(),
            environment: application.environment(),
            description: says.or_else(|| Some(format!("{} is degraded", plain_text(application.name())?))),
            url: Some(self.source.clone()).filter(|source| source.contains("://")),
            artifact: application.image().map(|image| image.purl()),
            ..Incident::default()
        }
    }
}

fn started(place: &Place, application: &Application) -> Option<Draft> {
    let data = place.deployment(application).filter(|_| application.step() != Step::Nothing)?;
    Some(place.about(application, Kind::DeploymentStarted, data))
}

fn failed(place: &Place, application: &Application) -> Option<Draft> {
    let data = place.deployment(application).filter(|_| application.step() != Step::Nothing)?;
    let operation = application.operation.as_ref()?;
    // A person stopped it: nothing else tells.
    let stopped = operation.message.as_deref().is_some_and(|message| message.starts_with("Operation terminated"));
    let outcome = match operation.phase.as_deref() {
        _ if stopped => Outcome::Cancelled,
        Some("Error") => Outcome::Error,
        Some(_) | None => Outcome::Failure,
    };
    let finished_at = instant_of(operation.finished_at.as_ref()).unwrap_or(place.time);
    let data = Deployment { outcome: Some(outcome), finished_at: Some(finished_at), ..data };
    Some(place.about(application, Kind::DeploymentFailed, data))
}

fn deployed(place: &Place, application: &Application) -> Option<Draft> {
    let (kind, manner) = match application.step() {
        Step::Nothing => return None,
        Step::First => (Kind::ServiceDeployed, None),
        Step::Forward => (Kind::ServiceUpgraded, None),
        Step::Back => (Kind::ServiceRolledBack, Some(Manner::Rollback)),
    };
    let data = running(application, place.deployment(application)?);
    let synced = instant_of(application.operation.as_ref()?.finished_at.as_ref());
    let finished_at = application.healthy_since().filter(|at| Some(*at) > synced).or(synced).unwrap_or(place.time);
    let data = Deployment { outcome: Some(Outcome::Success), finished_at: Some(finished_at), manner, ..data };
    Some(Draft { time: finished_at, ..place.about(application, kind, data) })
}

/// The same with what runs: the version of the image is that of the service, a chart's only that of its packaging.
fn running(application: &Application, data: Deployment) -> Deployment {
    let image = application.image();
    let version = image.and_then(|image| image.version()).map(str::to_owned);
    Deployment { version: version.or(data.version), artifact: image.map(|image| image.purl()), ..data }
}

fn removed(place: &Place, application: &Application) -> Draft {
    let data = Deployment { id: format!("{}/removed", place.name), ..place.describe(application) };
    let data = running(application, data);
    place.about(application, Kind::ServiceRemoved, data)
}

fn degraded(place: &Place, application: &Application) -> Option<Draft> {
    let since = application.changed_at()?;
    let detected_at = instant_of(Some(&since)).unwrap_or(place.time);
    let data = Incident { detected_at: Some(detected_at), ..place.incident(application, &since) };
    Some(event(Kind::IncidentDetected, &place.source, data.id.clone(), place.time, Data::Incident(Box::new(data))))
}

fn healthy(place: &Place, application: &Application) -> Option<Draft> {
    let since = health::degraded_before(application)?;
    let data = Incident {
        description: None,
        detected_at: instant_of(Some(&since)),
        resolved_at: Some(place.time),
        ..place.incident(application, &since)
    };
    Some(event(Kind::IncidentResolved, &place.source, data.id.clone(), place.time, Data::Incident(Box::new(data))))
}

/// A text that can be the subject of an event.
fn plain_text(text: Option<String>) -> Option<String> {
    filled(text.map(|text| text.chars().filter(|c| !c.is_control()).collect()))
}

/// The id that our templates make of application, trigger and instant; another template's may be a CloudEvent too.
fn delivery_id(_headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    let envelope: Envelope = object(text(body).ok()?)?;
    let id = filled(envelope.id.clone())?;
    match envelope.trigger() {
        Some(_) => identity_of(&id),
        None => identity_of(&format!("{} {id}", envelope.source?)),
    }
}

/// The event stands in the body; its name only helps a person who sends one.
fn headers_for(_event: &str, _delivery_id: &str) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", bus::cloudevents::STRUCTURED.to_owned()),
        ("user-agent", "Go-http-client/1.1 (devhose)".to_owned()),
    ]
}
