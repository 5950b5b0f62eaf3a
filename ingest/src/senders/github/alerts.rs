//! Alerts about known vulnerabilities: in dependencies, in code, and secrets that leaked.
//!
//! An alert of code scanning is one only if its rule has a security severity; any other is a finding about quality,
//! and stays GitHub's own. An alert that somebody dismissed is gone as well: nobody is going to mend it.

use bus::data::Data;
use bus::data::runtime::Vulnerability;
use bus::kind::Kind;
use serde::Deserialize;

use super::payload::{At, Repository};
use super::request::{Place, Request};
use crate::sender::Draft;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Option<String>,
    alert: Option<Alert>,
    repository: Option<Repository>,
}

/// The fields of all three kinds of alert.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Alert {
    number: Option<u64>,
    html_url: Option<String>,
    security_advisory: Option<Advisory>,
    rule: Option<Rule>,
    secret_type: Option<String>,
    secret_type_display_name: Option<String>,
    created_at: At,
    updated_at: At,
    fixed_at: At,
    dismissed_at: At,
    auto_dismissed_at: At,
    resolved_at: At,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Advisory {
    summary: Option<String>,
    severity: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    description: Option<String>,
    security_severity_level: Option<String>,
}

/// What is known of an alert: in which list it stands, how bad it is and what it is.
struct Finding {
    list: &'static str,
    severity: Option<String>,
    summary: Option<String>,
}

/// A dependency has, or no longer has, a known vulnerability.
pub(super) fn dependabot_alert(request: &Request<'_>) -> Option<Vec<Draft>> {
    let (place, action, mut alert) = open(request)?;
    let kind = match action.as_str() {
        "created" | "reopened" | "reintroduced" | "auto_reopened" => Kind::VulnerabilityDetected,
        "fixed" | "dismissed" | "auto_dismissed" => Kind::VulnerabilityResolved,
        _ => return None,
    };
    let Advisory { summary, severity } = alert.security_advisory.take().unwrap_or_default();
    told(&place, kind, alert, Finding { list: "dependabot", severity, summary })
}

/// The repository's own code has, or no longer has, a vulnerability.
pub(super) fn code_scanning_alert(request: &Request<'_>) -> Option<Vec<Draft>> {
    let (place, action, mut alert) = open(request)?;
    let kind = match action.as_str() {
        "created" | "reopened" | "reopened_by_user" => Kind::VulnerabilityDetected,
        "fixed" | "closed_by_user" => Kind::VulnerabilityResolved,
        _ => return None,
    };
    let Rule { description, security_severity_level } = alert.rule.take()?;
    let severity = Some(security_severity_level?);
    told(&place, kind, alert, Finding { list: "code-scanning", severity, summary: description })
}

/// A secret leaked into the repository, or is dealt with. GitHub gives these no severity.
pub(super) fn secret_scanning_alert(request: &Request<'_>) -> Option<Vec<Draft>> {
    let (place, action, mut alert) = open(request)?;
    let kind = match action.as_str() {
        "created" | "reopened" => Kind::VulnerabilityDetected,
        "resolved" | "revoked" => Kind::VulnerabilityResolved,
        _ => return None,
    };
    let summary = alert.secret_type_display_name.take().or(alert.secret_type.take());
    told(&place, kind, alert, Finding { list: "secret-scanning", severity: None, summary })
}

fn open(request: &Request<'_>) -> Option<(Place, String, Alert)> {
    let event: Event = request.parse()?;
    Some((request.place(event.repository)?, event.action?, event.alert?))
}

fn told(place: &Place, kind: Kind, alert: Alert, finding: Finding) -> Option<Vec<Draft>> {
    let resolved = kind == Kind::VulnerabilityResolved;
    let end = alert.fixed_at.or(alert.dismissed_at).or(alert.auto_dismissed_at.or(alert.resolved_at));
    let end = end.or(alert.updated_at.0);
    let data = Vulnerability {
        id: format!("{}/{}/{}", place.name, finding.list, alert.number?),
        repository: Some(place.name.clone()),
        severity: finding.severity,
        summary: finding.summary,
        url: alert.html_url,
        detected_at: alert.created_at.0,
        resolved_at: end.filter(|_| resolved),
    };
    let time = if resolved { end } else { alert.updated_at.or(alert.created_at) };
    Some(vec![place.draft(kind, data.id.clone(), time, Data::Vulnerability(data))])
}
