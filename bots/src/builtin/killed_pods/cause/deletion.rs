//! Pods that were to go: replaced, scaled away, deleted, out of time; and those that did not go when they were told to.

use chrono::TimeDelta;
use serde_json::Value;

use super::container::Role;
use super::facts::{Deletion, Facts};
use super::json::{number, quote, text, true_condition};
use super::seen::around;
use super::{Cause, Confidence, Verdict};

/// The kubelet polls, and gives a `preStop` hook that used up the time two seconds more.
const KILL_DELAY_SECONDS: i64 = 15;

/// It was given so long and no longer, as a pod or as part of a job.
pub(super) fn deadline(facts: &Facts<'_>) -> Option<Verdict> {
    let of_pod = facts.pod_reason().filter(|(reason, _)| *reason == "DeadlineExceeded");
    let of_job = ["Failed", "FailureTarget"]
        .into_iter()
        .filter_map(|kind| true_condition(facts.owner, kind))
        .find(|condition| text(condition, "/reason") == Some("DeadlineExceeded"))
        .filter(|_| facts.ended_as_if_stopped() && facts.reason() != "OOMKilled");
    let event = facts.events("DeadlineExceeded").find(|_| facts.ended_as_if_stopped());
    let evidence = match (of_pod, of_job, event) {
        (Some((_, message)), _, _) => format!("status.reason = DeadlineExceeded: {}", quote(message)),
        (None, Some(job), _) => {
            format!("its job's condition: DeadlineExceeded: {}", quote(text(job, "/message").unwrap_or_default()))
        }
        (None, None, Some(event)) => event.evidence(),
        (None, None, None) => return None,
    };
    let seconds = number(facts.pod, "/spec/activeDeadlineSeconds")
        .or_else(|| number(facts.owner, "/spec/activeDeadlineSeconds"))
        .map_or_else(String::new, |seconds| format!(" of {seconds} s"));
    let sentence = format!("Pod {} ran longer than its deadline{seconds} and was stopped.", facts.pod_name());
    let todo = "See whether the work grew or hung (its log says how far it came), then raise \
        activeDeadlineSeconds or split the work.";
    Some(Verdict::new(Cause::Deadline, Confidence::High, sentence, todo.to_owned()).because([evidence]))
}

/// It was told to go and did not in time, so it was killed.
pub(super) fn grace_exceeded(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.exit_code() != Some(137) || facts.is_windows() {
        return None;
    }
    let event = facts.events("ExceededGracePeriod").find(|event| event.is_near(facts.ended, 120));
    let late = facts.deletion().filter(|deletion| is_late(facts, *deletion));
    if event.is_none() && late.is_none() {
        return None;
    }
    let grace = late.map_or_else(|| facts.grace(), |deletion| deletion.grace);
    let evidence = late.map(|deletion| {
        let (asked, _) = around(deletion.due, deletion.grace, 0);
        let took = facts.ended.signed_duration_since(asked).num_seconds();
        format!(
            "deletion asked for at {}, ended {took} s later, grace period = {} s",
            asked.format("%H:%M:%S"),
            deletion.grace
        )
    });
    let sentence = format!("{} was told to stop, did not within its {grace} s, and was killed.", facts.subject());
    let todo = "Let the program end on SIGTERM (a shell as process 1 does not pass it on), or give it more \
        terminationGracePeriodSeconds.";
    let verdict = Verdict::new(Cause::GraceExceeded, Confidence::High, sentence, todo.to_owned());
    Some(verdict.because(evidence).because(event.map(|event| event.evidence())))
}

/// Killed when the time was over. Not a deletion by force, which gives no time. Some write into the deletion when it
/// was asked for, and then the time is over one grace period later.
fn is_late(facts: &Facts<'_>, deletion: Deletion) -> bool {
    let early = (deletion.grace / 2).min(2);
    let is_between = |(from, to)| facts.ended >= from && facts.ended <= to;
    let (_, second) = around(deletion.due, 0, deletion.grace);
    let is_over = is_between(around(deletion.due, early, KILL_DELAY_SECONDS)) || is_between(around(second, early, 3));
    deletion.grace > 1 && is_over
}

/// Somebody or something wanted it to go, and it went: counted, not reported.
pub(super) fn wanted(facts: &Facts<'_>) -> Option<Verdict> {
    if !facts.ended_as_if_stopped() {
        return None;
    }
    let on_purpose = redefined(facts).or_else(|| sidecar_of_done_work(facts));
    on_purpose.or_else(|| facts.deletion().map(|deletion| deleted(facts, deletion))).or_else(|| stopped(facts))
}

fn deleted(facts: &Facts<'_>, deletion: Deletion) -> Verdict {
    let (cause, why, evidence) = why_deleted(facts);
    let asked = format!("metadata.deletionTimestamp is set, asked for at {}", deletion.requested.format("%H:%M:%S"));
    let sentence = format!("Pod {} was stopped because {why}.", facts.pod_name());
    let confidence = if facts.owner.is_null() { Confidence::Medium } else { Confidence::High };
    Verdict::new(cause, confidence, sentence, "Nothing.".to_owned())
        .because([asked, "no condition DisruptionTarget".to_owned()])
        .because(evidence)
}

/// The kubelet stops a container for no other reason than that its pod is to go; the object at hand may be older.
fn stopped(facts: &Facts<'_>) -> Option<Verdict> {
    let (from, to) = around(facts.ended, facts.grace().saturating_add(10), 5);
    let is_stop = |event: &&super::seen::Seen<'_>| event.message.starts_with("Stopping container");
    let event = facts.events("Killing").filter(is_stop).find(|event| event.is_between(from, to))?;
    // A new sandbox stops containers as well, and nobody wanted that.
    if facts.events("SandboxChanged").any(|event| event.is_between(from, to)) {
        return None;
    }
    let (cause, why, evidence) = why_deleted(facts);
    let sentence = format!("The kubelet stopped pod {}; most likely {why}.", facts.pod_name());
    let verdict = Verdict::new(cause, Confidence::Medium, sentence, "Nothing.".to_owned());
    Some(verdict.because([event.evidence()]).because(evidence))
}

/// Who changes a running pod's image or resources has the container restarted.
fn redefined(facts: &Facts<'_>) -> Option<Verdict> {
    let (from, to) = around(facts.ended, facts.grace().saturating_add(10), 5);
    let is_change = |text: &str| text.contains("definition changed") || text.contains("resize requires restart");
    let mut events = facts.events("Killing").filter(|event| event.is_between(from, to));
    let event = events.find(|event| is_change(event.message))?;
    let sentence = format!("{} was restarted because its definition in the running pod was changed.", facts.subject());
    Some(Verdict::new(Cause::Rollout, Confidence::High, sentence, "Nothing.".to_owned()).because([event.evidence()]))
}

fn sidecar_of_done_work(facts: &Facts<'_>) -> Option<Verdict> {
    facts.container.filter(|container| container.role == Role::Sidecar)?;
    let mut work = facts.containers.iter().filter(|container| container.role == Role::Main).peekable();
    work.peek()?;
    let is_done = work.all(|container| {
        let ended = container.status.pointer("/state/terminated").is_some();
        ended && container.end.and_then(|end| end.finished()).is_none_or(|time| time <= facts.ended)
    });
    let sentence = format!("{} was stopped because the work of its pod was over.", facts.subject());
    let verdict = Verdict::new(Cause::Completed, Confidence::High, sentence, "Nothing.".to_owned());
    is_done.then(|| verdict.because(["every container of the pod had ended before its sidecar".to_owned()]))
}

type Why = (Cause, String, Vec<String>);

fn why_deleted(facts: &Facts<'_>) -> Why {
    let name = |object: &Value| {
        let kind = text(object, "/kind").unwrap_or("owner").to_lowercase();
        format!("{kind} {}", text(object, "/metadata/name").unwrap_or("of the pod"))
    };
    if let Some(gone) = [facts.deployment, facts.owner].into_iter().find(|owner| is_being_deleted(owner)) {
        return (Cause::UserDelete, format!("its {} was deleted", name(gone)), Vec::new());
    }
    if let Some(evidence) = new_revision(facts) {
        let what = if facts.deployment.is_null() { facts.owner } else { facts.deployment };
        return (Cause::Rollout, format!("{} is being rolled out anew", name(what)), vec![evidence]);
    }
    if let Some(evidence) = fewer_replicas(facts) {
        let what = if facts.deployment.is_null() { facts.owner } else { facts.deployment };
        return (Cause::ScaleDown, format!("{} was scaled down", name(what)), vec![evidence]);
    }
    let why = if facts.owner.is_null() {
        "it was deleted; its owner is not known, so it may have been a rollout".to_owned()
    } else {
        "it was deleted by hand or by a controller".to_owned()
    };
    (Cause::UserDelete, why, Vec::new())
}

fn is_being_deleted(object: &Value) -> bool {
    text(object, "/metadata/deletionTimestamp").is_some()
}

/// The owner is of an older revision than what runs above it, or wants another one than the pod's.
fn new_revision(facts: &Facts<'_>) -> Option<String> {
    if let (Some(own), Some(newest)) = (revision(facts.owner), revision(facts.deployment))
        && own < newest
    {
        return Some(format!("owner revision = {own}, deployment revision = {newest}"));
    }
    let hash = facts.pod.pointer("/metadata/labels").and_then(|labels| labels.get("controller-revision-hash"));
    if let (Some(own), Some(newest)) = (hash.and_then(Value::as_str), text(facts.owner, "/status/updateRevision"))
        && own != newest
    {
        return Some(format!(
            "controller-revision-hash = {}, owner status.updateRevision = {}",
            quote(own),
            quote(newest)
        ));
    }
    let count = |pointer| number(facts.owner, pointer);
    if let (Some(updated), Some(desired)) =
        (count("/status/updatedNumberScheduled"), count("/status/desiredNumberScheduled"))
        && updated < desired
    {
        return Some(format!("owner updatedNumberScheduled = {updated}, desiredNumberScheduled = {desired}"));
    }
    // A set of the old revision shrinks although the deployment wants as many as before.
    let annotation = |key: &str| facts.owner.pointer("/metadata/annotations")?.get(key)?.as_str()?.parse::<i64>().ok();
    let wanted = annotation("deployment.kubernetes.io/desired-replicas");
    let wanted = number(facts.deployment, "/spec/replicas").or(wanted)?;
    let desired = count("/spec/replicas").filter(|_| text(facts.owner, "/kind") == Some("ReplicaSet"))?;
    let is_newest = revision(facts.owner).is_some() && revision(facts.owner) == revision(facts.deployment);
    (desired < wanted && !is_newest).then(|| format!("owner spec.replicas = {desired}, its deployment wants {wanted}"))
}

fn fewer_replicas(facts: &Facts<'_>) -> Option<String> {
    if facts.owner.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return Some("owner spec.suspend = true".to_owned());
    }
    if facts.owner.is_null() {
        return None;
    }
    let desired = number(facts.owner, "/spec/replicas")?;
    let current = number(facts.owner, "/status/replicas").unwrap_or(desired);
    let first = number(facts.owner, "/spec/ordinals/start").unwrap_or(0);
    let ordinal = facts.pod_name().rsplit_once('-').and_then(|(_, ordinal)| ordinal.parse::<i64>().ok());
    let is_above = text(facts.owner, "/kind") == Some("StatefulSet")
        && ordinal.is_some_and(|ordinal| ordinal >= desired.saturating_add(first));
    let deleted = facts.any_owner_event("SuccessfulDelete").is_some();
    if desired == 0 || desired < current || is_above || deleted {
        return Some(format!("owner spec.replicas = {desired}, status.replicas = {current}"));
    }
    None
}

/// `deployment.kubernetes.io/revision`, or what another controller of replica sets calls it.
fn revision(object: &Value) -> Option<u64> {
    let annotations = object.pointer("/metadata/annotations")?.as_object()?;
    annotations.iter().find(|(key, _)| key.ends_with("/revision"))?.1.as_str()?.parse().ok()
}

/// How long a pod lived, in words that fit a sentence.
pub(super) fn span(delta: TimeDelta) -> String {
    match delta.num_seconds().max(0) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_in_the_unit_that_fits() {
        let spans = [0, 119, 120, 7200, 172_800].map(|seconds| span(TimeDelta::seconds(seconds)));
        assert_eq!(spans, ["0 s", "119 s", "2 min", "2 h", "2 days"]);
    }
}
