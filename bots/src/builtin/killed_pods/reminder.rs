//! What the bot asked to be reminded of: to tell what had to settle, to see whether an incident is over, to forget it.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;

use super::cause::Cause;
use super::collect::verdict_of_pod;
use super::facts::replicas;
use super::incident::{CaseFile, Stage};
use super::json::{items, number, text};
use super::message::post;
use super::storm;
use super::subject::Subject;
use super::words::span;
use crate::action::Action;
use crate::contract::Decision;
use crate::lookups::{Lookups, ObjectName};

/// Of an event that leads the incident of a node.
const STORM: &str = "storm";
/// Without a kill for so many minutes it may be over, unless `resolve_minutes` says otherwise: the cluster waits at
/// most five minutes before it starts a container again, and it runs for a while before it dies.
const QUIET_MINUTES: u32 = 10;
/// So long an incident is remembered after it is over, so that it is known when it comes back.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longer an incident lasts, the more rarely it is looked at, but at least so often: the runtime reminds of one
/// event a thousand times.
const WATCHED_EVERY_MAX: TimeDelta = TimeDelta::hours(6);
/// An incident that is quiet for so long without ever being ready is not looked after any more.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(7);

/// What to do when reminded of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// It had to settle.
    Settle(u64),
    /// Is it over?
    Watch(u64),
    /// It was over long ago.
    Forget(u64),
    /// How far has the node's trouble gone?
    Storm,
}

impl Note {
    /// Asks to be reminded.
    pub(super) fn after(self, after: Duration) -> Action {
        let note = match self {
            Self::Settle(number) => format!("settle {number}"),
            Self::Watch(number) => format!("watch {number}"),
            Self::Forget(number) => format!("forget {number}"),
            Self::Storm => STORM.to_owned(),
        };
        Action::Remind { after, note }
    }

    /// Reads a note.
    pub(super) fn read(note: &str) -> Option<Self> {
        if note == STORM {
            return Some(Self::Storm);
        }
        let (word, number) = note.split_once(' ')?;
        let number = number.parse().ok()?;
        match word {
            "settle" => Some(Self::Settle(number)),
            "watch" => Some(Self::Watch(number)),
            "forget" => Some(Self::Forget(number)),
            _ => None,
        }
    }
}

/// Without a kill for so long it may be over.
pub(super) fn quiet_needed(lookups: &Lookups<'_>) -> TimeDelta {
    TimeDelta::minutes(i64::from(lookups.setting::<u32>("resolve_minutes").unwrap_or(QUIET_MINUTES)))
}

/// When an incident is looked at first to see whether it is over.
pub(super) fn watch_after(lookups: &Lookups<'_>) -> Duration {
    quiet_needed(lookups).to_std().unwrap_or_default()
}

/// Tells what had to settle, unless it turned out to be its node's incident.
pub(super) fn settle(number: u64, subject: &Subject, lookups: &Lookups<'_>) -> Decision {
    let mut file = CaseFile::of(subject, lookups);
    let waiting = file.numbered(number).filter(|incident| incident.stage == Stage::Settling);
    let Some(cause) = waiting.and_then(|incident| Cause::named(&incident.cause)) else {
        return Decision::nothing("it was told already");
    };
    if let Some(of_node) = storm::absorbing(subject, lookups) {
        file.remove(number);
        return Decision::act(vec![file.save()], of_node);
    }
    let company = storm::company(subject, lookups);
    if company.is_storm(cause, subject) {
        file.remove(number);
        let mut actions = vec![file.save()];
        actions.extend(storm::begin(subject, &verdict_of_pod(subject), &company, lookups));
        return Decision::act(actions, "many owners lost pods on its node: that is the node's incident");
    }
    super::opening::tell(file, number, Vec::new(), lookups)
}

/// Ends an incident that is quiet and whose workload is ready; looks again later if not.
pub(super) fn watch(number: u64, subject: &Subject, lookups: &Lookups<'_>) -> Decision {
    let now = lookups.now();
    let mut file = CaseFile::of(subject, lookups);
    let Some(incident) = file.numbered(number).filter(|incident| incident.is_open()) else {
        return Decision::nothing("the incident is over");
    };
    let (needed, quiet) = (quiet_needed(lookups), incident.quiet(now));
    let patience = ((now - incident.first) / 10).min(WATCHED_EVERY_MAX);
    if quiet < needed {
        let again = Note::Watch(number).after(patience.max(needed - quiet).to_std().unwrap_or_default());
        return Decision::act(vec![again], format!("the last kill was {} ago", span(quiet)));
    }
    let because = match readiness(subject, lookups) {
        Ok(because) => because,
        Err(not_ready) if quiet < GIVEN_UP_AFTER => {
            let again = Note::Watch(number).after(patience.max(needed).to_std().unwrap_or_default());
            return Decision::act(vec![again], not_ready);
        }
        Err(not_ready) => format!("nothing happened for {}, {not_ready}", span(quiet)),
    };
    let was_posted = incident.stage == Stage::Posted;
    incident.stage = Stage::Resolved { at: now, because: format!("no kill for {}, {because}", span(quiet)) };
    let ended = incident.clone();
    // What the message said is not needed any more; what it was about is.
    incident.below.clear();
    incident.detail = None;
    let mut actions = Vec::new();
    if was_posted {
        actions.push(post(&file, &ended, now));
    }
    actions.extend([file.save(), Note::Forget(number).after(REMEMBERED)]);
    Decision::act(actions, because)
}

/// Forgets an incident that was over long ago.
pub(super) fn forget(number: u64, subject: &Subject, lookups: &Lookups<'_>) -> Decision {
    let mut file = CaseFile::of(subject, lookups);
    file.remove(number);
    Decision::act(vec![file.save()], "it was over long ago")
}

/// In words, that the workload is ready, or that it cannot be known; as an error, that it is not.
fn readiness(subject: &Subject, lookups: &Lookups<'_>) -> Result<String, String> {
    let (kind, name) = subject.workload.split_once('/').unwrap_or(("Pod", subject.pod.as_str()));
    let of_workload = match kind {
        "Deployment" => Some("deployments"),
        "StatefulSet" => Some("statefulsets"),
        "DaemonSet" => Some("daemonsets"),
        "ReplicaSet" => Some("replicasets"),
        _ => None,
    };
    let (api, resource, name) = match of_workload {
        Some(resource) => ("apps/v1", resource, name),
        None => ("v1", "pods", subject.pod.as_str()),
    };
    let found = lookups.object(ObjectName {
        cluster: subject.cluster.clone(),
        api: api.to_owned(),
        resource: resource.to_owned(),
        namespace: Some(subject.namespace.clone()),
        name: name.to_owned(),
    });
    match found {
        Err(unavailable) => Ok(format!("whether it is ready is not known ({unavailable})")),
        Ok(None) => Ok("it is gone from the cluster".to_owned()),
        Ok(Some(object)) if of_workload.is_some() => workload_ready(&object),
        Ok(Some(pod)) => pod_ready(&pod),
    }
}

fn workload_ready(workload: &Value) -> Result<String, String> {
    let Some((ready, wanted)) = replicas(workload) else { return Ok("it tells no replicas".to_owned()) };
    let words = format!("{ready} of {wanted} replicas ready");
    let behind = number(workload, "/status/observedGeneration") < number(workload, "/metadata/generation");
    if ready >= wanted && !behind { Ok(words) } else { Err(words) }
}

fn pod_ready(pod: &Value) -> Result<String, String> {
    let phase = text(pod, "/status/phase").unwrap_or_default();
    let ready = items(pod, "/status/conditions")
        .any(|condition| text(condition, "/type") == Some("Ready") && text(condition, "/status") == Some("True"));
    match phase {
        "Succeeded" | "Failed" => Ok(format!("the pod has {}", phase.to_lowercase())),
        _ if ready => Ok("the pod is ready".to_owned()),
        _ => Err("the pod is not ready".to_owned()),
    }
}
