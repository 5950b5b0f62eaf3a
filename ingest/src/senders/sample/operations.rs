//! Incidents and measurements of the invented organisation, as structured CloudEvents whose data is one of CDEvents.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::FORGE_HOST;
use crate::demo::happening::{Coverage, Happening, Incident};

/// The event that tells of a happening; a bare one for what is not told in this form.
pub(crate) fn event(happening: &Happening, uuid: &str) -> Value {
    match happening {
        Happening::Incident(told) => incident(told, uuid),
        Happening::Coverage(told) => coverage(told, uuid),
        Happening::Change(..)
        | Happening::Push(_)
        | Happening::Run(..)
        | Happening::Deployment(_)
        | Happening::Release(_)
        | Happening::Ticket(_) => {
            json!({"specversion": "1.0", "id": uuid, "source": "/demo", "type": "com.example.none"})
        }
    }
}

fn incident(told: &Incident, uuid: &str) -> Value {
    let (predicate, at) = match told.resolved_at {
        None => ("detected", told.detected_at),
        Some(at) => ("resolved", at),
    };
    let mut content = json!({
        "description": told.description, "environment": {"id": "production", "source": "/clusters/eu-1"},
        "service": {"id": told.service, "source": "/clusters/eu-1"},
    });
    if let (Some(sha), Value::Object(fields)) = (&told.sha, &mut content) {
        fields.insert("artifactId".into(), format!("pkg:oci/{}@{sha}", told.service).into());
    }
    let mut custom = json!({"severity": told.severity, "repository": format!("{FORGE_HOST}/{}", told.repository)});
    if let (Some(sha), Value::Object(fields)) = (&told.sha, &mut custom) {
        fields.insert("deployment".into(), sha.as_str().into());
    }
    let about = Event {
        kind: format!("dev.cdevents.incident.{predicate}.0.3.0"),
        subject: format!("incident-{}", told.id),
        source: "/monitoring/eu-1",
        at,
    };
    about.wrap(uuid, &content, &custom)
}

fn coverage(told: &Coverage, uuid: &str) -> Value {
    let measured = json!({
        "service": told.service, "repository": format!("{FORGE_HOST}/{}", told.repository), "sha": told.sha,
        "tool": "coverage", "ratio": told.ratio,
    });
    let about = Event {
        kind: "dev.cdeventsx.devhose-coverage.measured.0.1.0".to_owned(),
        subject: format!("{}@{}", told.service, told.sha),
        source: "/ci/coverage",
        at: told.at,
    };
    about.wrap(uuid, &json!({}), &measured)
}

/// What stands both in the envelope and in the context.
struct Event {
    kind: String,
    subject: String,
    source: &'static str,
    at: DateTime<Utc>,
}

impl Event {
    fn wrap(&self, uuid: &str, content: &Value, custom: &Value) -> Value {
        let at = instant(self.at);
        let data = json!({
            "context": {
                "specversion": "0.5.1", "id": uuid, "source": self.source, "type": self.kind, "timestamp": at,
            },
            "subject": {"id": self.subject, "source": self.source, "content": content},
            "customData": custom, "customDataContentType": "application/json",
        });
        json!({
            "specversion": "1.0", "id": uuid, "source": self.source, "type": self.kind, "subject": self.subject,
            "time": at, "datacontenttype": "application/json", "data": data,
        })
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
