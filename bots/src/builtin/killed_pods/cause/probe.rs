//! Probes that failed until the kubelet killed the container.

use super::facts::Facts;
use super::json::{number, quote, text};
use super::seen::{Seen, around};
use super::{Cause, Confidence, Verdict};

/// What the API server assumes where a probe says nothing.
const FAILURES_DEFAULT: i64 = 3;

/// Killing takes as long as the grace period, and some time to be told.
const KILLING_SECONDS: i64 = 60;

/// The kubelet killed it because its liveness or startup probe failed.
pub(super) fn failed_probe(facts: &Facts<'_>) -> Option<Verdict> {
    facts.container?.end?;
    let (from, to) = around(facts.ended, facts.grace().saturating_add(KILLING_SECONDS), KILLING_SECONDS / 2);
    let to = facts.deletion().map_or(to, |deletion| to.min(deletion.requested));
    let said = facts.events("Killing").chain(facts.events("Unhealthy"));
    let killing =
        said.filter(|event| event.recurs_between(from, to)).find_map(|event| Some((event, killed_by(event)?)));
    if let Some((event, probe)) = killing {
        let told =
            facts.events("Unhealthy").filter(|event| failed(event) == Some(probe)).max_by_key(|event| event.last);
        let confidence =
            if facts.ended_as_if_stopped() || facts.is_windows() { Confidence::High } else { Confidence::Medium };
        return Some(verdict(facts, probe, confidence, told).because([event.evidence()]));
    }
    // Events are kept for an hour and are dropped when there are many: the failures alone still tell.
    if !matches!(facts.exit_code(), Some(137 | 143)) || facts.deletion().is_some() {
        return None;
    }
    let told = |probe| {
        let unhealthy = facts.events("Unhealthy").filter(move |event| failed(event) == Some(probe));
        unhealthy.filter(|event| event.recurs_between(from, to))
    };
    // One event that counts, or one for each failure.
    let failures = |probe| told(probe).map(|event| event.count).fold(0, i64::saturating_add);
    let probe =
        [Probe::Liveness, Probe::Startup].into_iter().find(|probe| failures(*probe) >= threshold(facts, *probe))?;
    let told = told(probe).max_by_key(|event| event.last)?;
    Some(verdict(facts, probe, Confidence::Medium, Some(told)))
}

/// A probe whose failure kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Liveness,
    Startup,
}

impl Probe {
    const fn words(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Startup => "startup",
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Liveness => "/livenessProbe",
            Self::Startup => "/startupProbe",
        }
    }
}

/// The probe for which a container is killed. Kubelets before 1.14 say it in other words.
fn killed_by(event: &Seen<'_>) -> Option<Probe> {
    let message = event.message.to_lowercase();
    if event.reason != "Killing" {
        return None;
    }
    if message.contains("failed startup probe") {
        return Some(Probe::Startup);
    }
    (message.contains("failed liveness probe") || message.contains("is unhealthy, it will be killed"))
        .then_some(Probe::Liveness)
}

/// The probe that an event says has failed. Readiness only takes a pod out of its service.
fn failed(event: &Seen<'_>) -> Option<Probe> {
    let message = event.message.to_lowercase();
    let found = [Probe::Liveness, Probe::Startup];
    found.into_iter().find(|probe| message.starts_with(&format!("{} probe", probe.words())))
}

fn threshold(facts: &Facts<'_>, probe: Probe) -> i64 {
    let spec = facts.container.and_then(|container| container.spec.pointer(probe.field()));
    spec.and_then(|spec| number(spec, "/failureThreshold")).unwrap_or(FAILURES_DEFAULT)
}

fn verdict(facts: &Facts<'_>, probe: Probe, confidence: Confidence, told: Option<&Seen<'_>>) -> Verdict {
    let said = told.and_then(|event| event.message.split_once(": ")).map(|(_, said)| quote(said));
    let said = said.filter(|said| !said.is_empty()).map_or_else(String::new, |said| format!(" ({said})"));
    let (cause, meaning, todo) = match probe {
        Probe::Liveness => (
            Cause::ProbeLiveness,
            "stopped answering its liveness probe",
            "See what it hung on before the kill; a probe must not wait for databases or other services, and \
             must give enough time under load",
        ),
        Probe::Startup => (
            Cause::ProbeStartup,
            "did not start in the time that its startup probe gives",
            "See how far it came in starting; if it only needs longer, raise failureThreshold or periodSeconds \
             of the startup probe",
        ),
    };
    let sentence = format!("{} {meaning}{said}, so the kubelet killed it.", facts.subject());
    let spec = facts.container.and_then(|container| container.spec.pointer(probe.field()));
    let settings = spec.map(|spec| {
        let of = |field: &str, default: i64| number(spec, field).unwrap_or(default);
        let path = text(spec, "/httpGet/path").map_or_else(String::new, |path| format!(", path {}", quote(path)));
        format!(
            "{}Probe: failureThreshold = {}, periodSeconds = {}, timeoutSeconds = {}{path}",
            probe.words(),
            of("/failureThreshold", FAILURES_DEFAULT),
            of("/periodSeconds", 10),
            of("/timeoutSeconds", 1)
        )
    });
    let evidence = told.map(Seen::evidence).into_iter().chain(settings);
    Verdict::new(cause, confidence, sentence, format!("{todo}: {}", facts.logs())).because(evidence)
}
