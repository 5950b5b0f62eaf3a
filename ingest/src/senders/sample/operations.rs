//! Incidents and measurements of the invented organisation, as structured CloudEvents whose data is one of CDEvents.

use chrono::{DateTime, Utc};

use super::FORGE_HOST;
use super::json::{Json, Object, members, object};
use crate::demo::happening::{Coverage, Incident};

/// The source of incidents, and of their subjects.
pub(super) const MONITORING: &str = "/monitoring/eu-1";
/// The source of measurements.
pub(super) const COVERAGE: &str = "/ci/coverage";

/// The event that tells of an incident.
pub(super) fn incident(told: &Incident, uuid: &str) -> Json {
    let (predicate, at) = match told.resolved_at {
        None => ("detected", told.detected_at),
        Some(at) => ("resolved", at),
    };
    let mut content = members! {
        "description": told.description, "environment": object! {"id": "production", "source": "/clusters/eu-1"},
        "service": object! {"id": told.service, "source": "/clusters/eu-1"},
    };
    let mut custom = members! {"severity": told.severity, "repository": format!("{FORGE_HOST}/{}", told.repository)};
    if let Some(sha) = &told.sha {
        content.member("artifactId", &format!("pkg:oci/{}@{sha}", told.service));
        custom.member("deployment", sha);
    }
    let about = Event {
        kind: format!("dev.cdevents.incident.{predicate}.0.3.0"),
        subject: format!("incident-{}", told.id),
        source: MONITORING,
        at,
    };
    about.wrap(uuid, &content.end(), &custom.end())
}

/// The event that tells of a measurement of coverage.
pub(super) fn coverage(told: &Coverage, uuid: &str) -> Json {
    let measured = object! {
        "service": told.service, "repository": format!("{FORGE_HOST}/{}", told.repository), "sha": told.sha,
        "tool": "coverage", "ratio": told.ratio,
    };
    let about = Event {
        kind: "dev.cdeventsx.devhose-coverage.measured.0.1.0".to_owned(),
        subject: format!("{}@{}", told.service, told.sha),
        source: COVERAGE,
        at: told.at,
    };
    about.wrap(uuid, &Object::new().end(), &measured)
}

/// What stands both in the envelope and in the context.
struct Event {
    kind: String,
    subject: String,
    source: &'static str,
    at: DateTime<Utc>,
}

impl Event {
    fn wrap(&self, uuid: &str, content: &Json, custom: &Json) -> Json {
        let at = self.at;
        let data = object! {
            "context": object! {
                "specversion": "0.5.1", "id": uuid, "source": self.source, "type": self.kind, "timestamp": at,
            },
            "subject": object! {"id": self.subject, "source": self.source, "content": content},
            "customData": custom, "customDataContentType": "application/json",
        };
        object! {
            "specversion": "1.0", "id": uuid, "source": self.source, "type": self.kind, "subject": self.subject,
            "time": at, "datacontenttype": "application/json", "data": data,
        }
    }
}
