//! Pods that somebody took away for another reason than that they are not wanted: drains, preemption, shutdowns.

use super::facts::{Disruption, Facts};
use super::json::{list, quote, text};
use super::{Cause, Confidence, Verdict};

/// The scheduler tells of a preemption when it begins; the pod then has its grace period, often half a minute.
const PREEMPTION_SECONDS: i64 = 180;

/// The kubelet took the pod away and says so in its status.
pub(super) fn stopped_by_kubelet(facts: &Facts<'_>) -> Option<Verdict> {
    let disrupted = facts.disruption().filter(|found| found.reason == "TerminationByKubelet");
    let (reason, message) = facts.pod_reason().unwrap_or_default();
    let told = format!("{message} {}", disrupted.map_or("", |found| found.message)).to_lowercase();
    let is_shutdown = told.contains("shutdown") || told.contains("shutting");
    let verdict = match reason {
        "Preempting" => preempted_by_kubelet(facts),
        "NodeShutdown" | "Shutdown" => shut_down(facts),
        "Terminated" if is_shutdown || told.trim().is_empty() => shut_down(facts),
        _ if disrupted.is_some() && is_shutdown => shut_down(facts),
        _ if disrupted.is_some() && (told.contains("preempt") || told.contains("critical")) => {
            preempted_by_kubelet(facts)
        }
        _ => preempting_event(facts)?,
    };
    let status = (!reason.is_empty()).then(|| format!("status.reason = {}: {}", quote(reason), quote(message)));
    Some(verdict.because(status).because(disrupted.as_ref().map(evidence)))
}

fn preempting_event(facts: &Facts<'_>) -> Option<Verdict> {
    let event = facts.events("Preempting").find(|event| event.is_near(facts.ended, PREEMPTION_SECONDS))?;
    Some(preempted_by_kubelet(facts).because([event.evidence()]))
}

fn preempted_by_kubelet(facts: &Facts<'_>) -> Verdict {
    Verdict::new(
        Cause::PreemptedKubelet,
        Confidence::High,
        format!(
            "The kubelet stopped pod {} to make room on {} for a critical pod.",
            facts.pod_name(),
            facts.node_words()
        ),
        "See which critical pod was started on the node, and whether its requests are right; the pod's owner \
         starts it elsewhere."
            .to_owned(),
    )
}

fn shut_down(facts: &Facts<'_>) -> Verdict {
    Verdict::new(
        Cause::NodeShutdown,
        Confidence::High,
        format!("{} was shut down, and its kubelet stopped the pods first.", facts.node_words().replacen('n', "N", 1)),
        "Nothing for the service if its replicas run elsewhere; ask who or what shut the node down.".to_owned(),
    )
}

/// The condition `DisruptionTarget` says who took the pod away, or an event does.
pub(super) fn disrupted(facts: &Facts<'_>) -> Option<Verdict> {
    let Some(found) = facts.disruption() else { return disrupted_by_event(facts) };
    let verdict = match found.reason {
        "EvictionByEvictionAPI" => drained(facts, Confidence::High),
        "PreemptionByScheduler" | "PreemptionByKubeScheduler" => preempted_by_scheduler(facts, found.message),
        "DeletionByTaintManager" => tainted(facts),
        "DeletionByPodGC" => lost(facts),
        "DeletionByDeviceTaintManager" => device_lost(facts),
        // The kubelet's reasons are told apart before; what is left of them is an eviction without a message.
        "TerminationByKubelet" => Verdict::new(
            Cause::EvictedNodePressure,
            Confidence::Medium,
            format!(
                "The kubelet took pod {} away from {} and does not say why; mostly the node ran low.",
                facts.pod_name(),
                facts.node_words()
            ),
            facts.kubectl("describe pod"),
        ),
        other if other.starts_with("PreemptionBy") => preempted_by_scheduler(facts, found.message),
        _ => drained(facts, Confidence::Medium),
    };
    Some(verdict.because([evidence(&found)]))
}

fn disrupted_by_event(facts: &Facts<'_>) -> Option<Verdict> {
    let is_near = |event: &&super::seen::Seen<'_>| event.is_near(facts.ended, PREEMPTION_SECONDS);
    if !facts.ended_as_if_stopped() {
        return None;
    }
    if let Some(event) = facts.events("Preempted").find(is_near) {
        return Some(preempted_by_scheduler(facts, event.message).because([event.evidence()]));
    }
    facts.deletion()?;
    let tainted_event = facts.events("TaintManagerEviction").filter(|event| !event.message.starts_with("Cancel"));
    if let Some(event) = tainted_event.into_iter().find(is_near) {
        return Some(tainted(facts).because([event.evidence()]));
    }
    // Whoever drains a node tells so in an event of its own; the kubelet's are recognised before.
    let event = facts.events("Evicted").chain(facts.events("EvictedByVPA")).find(is_near)?;
    Some(drained(facts, Confidence::Medium).because([event.evidence()]))
}

fn drained(facts: &Facts<'_>, confidence: Confidence) -> Verdict {
    let is_cordoned = facts.node.pointer("/spec/unschedulable").and_then(serde_json::Value::as_bool) == Some(true);
    let why = if is_cordoned { ": the node is cordoned, so it is being drained" } else { "" };
    Verdict::new(
        Cause::EvictedApi,
        confidence,
        format!("Pod {} was moved away from {} through the eviction API{why}.", facts.pod_name(), facts.node_words()),
        "Nothing if its replacement is ready; if users noticed, give the service more than one replica and a \
         PodDisruptionBudget."
            .to_owned(),
    )
    .because(is_cordoned.then(|| "node spec.unschedulable = true".to_owned()))
}

fn preempted_by_scheduler(facts: &Facts<'_>, message: &str) -> Verdict {
    let priority = text(facts.pod, "/spec/priorityClassName");
    let class = priority.map_or_else(String::new, |class| format!(" (its own class is {class})"));
    Verdict::new(
        Cause::PreemptedScheduler,
        Confidence::High,
        format!(
            "The scheduler stopped pod {} to make room for a pod of higher priority{class}: {}.",
            facts.pod_name(),
            quote(message).trim_end_matches('.')
        ),
        "See whether the cluster has room for both, and whether the priority class of the service is right.".to_owned(),
    )
}

/// Taints of a node that does not answer, or is on its way out, make it lost; any other taint somebody put there.
fn tainted(facts: &Facts<'_>) -> Verdict {
    let keys = list(facts.node, "/spec/taints").iter().filter(|taint| text(taint, "/effect") == Some("NoExecute"));
    let keys: Vec<_> = keys.filter_map(|taint| text(taint, "/key")).collect();
    let is_lost = keys.is_empty() || keys.iter().any(|key| super::node::LOST_TAINTS.contains(key));
    let taints = keys.iter().map(|key| format!("node taint {}: NoExecute", quote(key)));
    if is_lost {
        return lost(facts).because(taints);
    }
    let key = keys.first().copied().unwrap_or_default();
    Verdict::new(
        Cause::NodeLost,
        Confidence::Medium,
        format!(
            "{} got the taint {}, which pod {} does not tolerate, so it was taken away.",
            facts.node_words().replacen('n', "N", 1),
            quote(key),
            facts.pod_name()
        ),
        "See who put the taint on the node, and whether the service should tolerate it.".to_owned(),
    )
    .because(taints)
}

fn lost(facts: &Facts<'_>) -> Verdict {
    super::node::gone(facts, Confidence::High)
}

fn device_lost(facts: &Facts<'_>) -> Verdict {
    Verdict::new(
        Cause::NodeLost,
        Confidence::Medium,
        format!(
            "A device on {} that pod {} uses was marked as unusable, so the pod was taken away.",
            facts.node_words(),
            facts.pod_name()
        ),
        "See the device's taints (kubectl get resourceslices) and the health of the node.".to_owned(),
    )
}

fn evidence(found: &Disruption<'_>) -> String {
    format!("DisruptionTarget.reason = {}: {}", quote(found.reason), quote(found.message))
}
