//! Nodes that are lost, or were shut down or restarted, as their own conditions, taints and events tell.

use super::facts::Facts;
use super::json::{condition, quote, text, time};
use super::seen::{Seen, around};
use super::{Cause, Confidence, Verdict};

/// Taints of a node that does not answer or is on its way out.
pub(super) const LOST_TAINTS: [&str; 4] = [
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/out-of-service",
    "node.cloudprovider.kubernetes.io/shutdown",
];

/// A node is given up after some minutes of silence, and its pods minutes after that.
const LOST_SECONDS: i64 = 900;

/// A machine starts again within this time, and the kubelet then finds that its containers are gone.
const REBOOT_SECONDS: i64 = 900;

/// The node does not answer or is gone, and the pod with it.
pub(super) fn lost(facts: &Facts<'_>) -> Option<Verdict> {
    if let Some((reason, message)) = facts.pod_reason().filter(|(reason, _)| *reason == "NodeLost") {
        return Some(gone(facts, Confidence::High).because([format!("status.reason = {reason}: {}", quote(message))]));
    }
    let is_unknown = text(facts.pod, "/status/phase") == Some("Unknown");
    let is_over = facts.deletion().is_some() || is_unknown || facts.exit_code().is_none() || is_forgotten(facts);
    if !is_over || !(facts.ended_as_if_stopped() || is_forgotten(facts)) || is_waiting(facts) {
        return None;
    }
    let removal = ["RemovingNode", "DeletingNode"].into_iter().find_map(|reason| near(facts, reason));
    if let Some(event) = removal {
        return Some(gone(facts, Confidence::High).because([event.evidence()]));
    }
    let silent = silent(facts);
    let not_ready = facts.events("NodeNotReady").find(|event| event.is_near(facts.ended, LOST_SECONDS));
    let is_told = not_ready.is_some() || !silent.is_empty() || (is_unknown && !facts.node.is_null());
    if !is_told {
        return None;
    }
    let confidence = if silent.is_empty() { Confidence::Medium } else { Confidence::High };
    let phase = is_unknown.then(|| "status.phase = Unknown".to_owned());
    let event = not_ready.map(|event| event.evidence());
    Some(gone(facts, confidence).because(silent).because(phase).because(event))
}

/// A verdict for a pod whose node does not answer or is gone.
pub(super) fn gone(facts: &Facts<'_>, confidence: Confidence) -> Verdict {
    let sentence = format!(
        "{} is gone or stopped answering, so pod {} was given up.",
        facts.node_words().replacen('n', "N", 1),
        facts.pod_name()
    );
    let todo = format!(
        "See whether the node was taken back by the cloud (spot, autoscaler) or broke: kubectl get node {}",
        text(facts.pod, "/spec/nodeName").unwrap_or_default()
    );
    Verdict::new(Cause::NodeLost, confidence, sentence, todo.trim_end().to_owned())
}

/// The node was shut down or restarted.
pub(super) fn shut_down(facts: &Facts<'_>) -> Option<Verdict> {
    let stops = facts.ended_as_if_stopped() && !is_waiting(facts) && !facts.reason().is_empty();
    if !stops && !is_forgotten(facts) {
        return None;
    }
    let mut evidence = Vec::new();
    let ready = condition(facts.node, "Ready").filter(|ready| text(ready, "/status") != Some("True"));
    let message = ready.and_then(|ready| text(ready, "/message")).unwrap_or_default();
    if message.contains("shutting down") && began_before(facts, ready, "/lastTransitionTime") {
        evidence.push(format!("node condition Ready = False: {}", quote(message)));
    }
    evidence
        .extend(["Shutdown", "NodeShutdown"].into_iter().find_map(|reason| near(facts, reason)).map(Seen::evidence));
    // A restart ends containers without a word; the kubelet finds that out when it is back.
    let (from, to) = around(facts.ended, REBOOT_SECONDS, REBOOT_SECONDS);
    let reboot = facts.node_events("Rebooted").find(|event| event.is_between(from, to));
    evidence.extend(reboot.filter(|_| is_forgotten(facts) || facts.exit_code() != Some(0)).map(Seen::evidence));
    let is_told = !evidence.is_empty();
    if !is_told && !all_forgotten(facts) {
        return None;
    }
    if !is_told {
        evidence.push("every container of the pod ended unknown to the runtime, at once".to_owned());
    }
    let sentence = format!(
        "{} was shut down or restarted, and {} with it.",
        facts.node_words().replacen('n', "N", 1),
        facts.container.map_or_else(|| "the pod".to_owned(), |container| container.words())
    );
    let todo =
        "See in the node's events and in its uptime why it went down; the service itself did nothing wrong.".to_owned();
    let confidence = if is_told { Confidence::High } else { Confidence::Medium };
    Some(Verdict::new(Cause::NodeShutdown, confidence, sentence, todo).because(evidence))
}

/// The runtime does not know how the container ended: it, or the machine, was restarted.
pub(super) fn is_forgotten(facts: &Facts<'_>) -> bool {
    matches!((facts.reason(), facts.exit_code()), ("ContainerStatusUnknown", _) | ("Unknown", Some(255)))
}

fn all_forgotten(facts: &Facts<'_>) -> bool {
    let reasons = facts.containers.iter().filter_map(|container| container.end).map(|end| end.reason());
    let mut count = 0;
    let all = reasons.inspect(|_| count += 1).all(|reason| matches!(reason, "ContainerStatusUnknown" | "Unknown"));
    all && count > 1
}

/// It never ran, for a reason that the kubelet knows.
fn is_waiting(facts: &Facts<'_>) -> bool {
    facts.container.is_some_and(|container| container.end.is_none() && container.waiting().is_some())
}

/// What says that the node does not answer.
fn silent(facts: &Facts<'_>) -> Vec<String> {
    let mut evidence = Vec::new();
    evidence.extend(text(facts.node, "/metadata/deletionTimestamp").map(|_| "the node is being deleted".to_owned()));
    let ready = condition(facts.node, "Ready");
    if let Some(ready) = ready.filter(|ready| text(ready, "/status") == Some("Unknown"))
        && began_before(facts, Some(ready), "/lastTransitionTime")
    {
        evidence
            .push(format!("node condition Ready = Unknown: {}", quote(text(ready, "/message").unwrap_or_default())));
    }
    for key in LOST_TAINTS {
        let taint = facts.taint(key);
        if taint.is_some() && began_before(facts, taint, "/timeAdded") {
            evidence.push(format!("node taint {key}"));
        }
    }
    evidence
}

fn began_before(facts: &Facts<'_>, what: Option<&serde_json::Value>, pointer: &str) -> bool {
    let since = what.and_then(|what| time(what, pointer));
    since.is_none_or(|since| since <= around(facts.ended, 0, LOST_SECONDS).1)
}

fn near<'f, 'a>(facts: &'f Facts<'a>, reason: &'static str) -> Option<&'f Seen<'a>> {
    facts.node_events(reason).find(|event| event.is_near(facts.ended, LOST_SECONDS))
}
