//! What a case says, read once: the container, its end, the deletion, the disruption, the events that belong to it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Case;
use super::codes;
use super::container::Container;
use super::json::{NOTHING, list, number, quote, text, time, true_condition};
use super::quantity;
use super::seen::{Seen, around};

/// Clocks of the node and of the API server differ a little.
const CLOCKS_SECONDS: i64 = 5;

/// The kubelet's word about a pod may come so long after its containers have ended.
const KUBELET_SECONDS: i64 = 60;

/// What the API server assumes where a pod says nothing.
const GRACE_SECONDS_DEFAULT: i64 = 30;

/// That somebody asked for the pod to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deletion {
    /// When it was asked for, at the earliest.
    pub(super) requested: DateTime<Utc>,
    /// When the containers are killed at the latest.
    pub(super) due: DateTime<Utc>,
    /// Seconds between the two.
    pub(super) grace: i64,
}

/// The condition `DisruptionTarget`: who took the pod away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disruption<'a> {
    /// In one word: `EvictionByEvictionAPI`.
    pub(super) reason: &'a str,
    /// In a sentence.
    pub(super) message: &'a str,
    at: Option<DateTime<Utc>>,
}

/// What a case says.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// The pod.
    pub(super) pod: &'a Value,
    /// The node; null if it is not known.
    pub(super) node: &'a Value,
    /// The direct owner; null if it is not known.
    pub(super) owner: &'a Value,
    /// The deployment above it; null if it is not known.
    pub(super) deployment: &'a Value,
    /// The container; none for a pod that tells of none.
    pub(super) container: Option<Container<'a>>,
    /// Every container of the pod.
    pub(super) containers: Vec<Container<'a>>,
    /// When it ended, as near as is known.
    pub(super) ended: DateTime<Utc>,
    /// When the watch says it was killed.
    pub(super) killed_at: DateTime<Utc>,
    /// Working set before it died.
    pub(super) used_bytes: Option<u64>,
    deletion: Option<Deletion>,
    disruption: Option<Disruption<'a>>,
    pod_events: Vec<Seen<'a>>,
    node_events: Vec<Seen<'a>>,
}

impl<'a> Facts<'a> {
    /// Reads a case.
    pub(super) fn of(case: &Case<'a>) -> Self {
        let (deletion, disruption) = (deletion(case.pod), disruption(case.pod));
        let is_taken_away = deletion.is_some_and(|deletion| case.killed_at >= deletion.requested)
            || disruption.is_some()
            || text(case.pod, "/status/reason").is_some();
        let mut container = Container::find(case);
        if let Some(found) = container.as_mut().filter(|found| is_taken_away && found.has_come_back()) {
            // How it ended the time before does not tell why it is to end now.
            found.end = None;
        }
        let (of_pod, of_node): (Vec<_>, Vec<_>) = (case.pod_events.iter().map(|event| (event, "Pod")))
            .chain(case.node_events.iter().map(|event| (event, "Node")))
            .map(|(event, usual)| (Seen::of(event), usual))
            .partition(|(event, usual)| event.kind().unwrap_or(usual) != "Node");
        let node_name = text(case.pod, "/spec/nodeName");
        let is_of_node = |event: &Seen<'_>| event.name().is_none_or(|name| node_name.is_none_or(|node| node == name));
        Self {
            pod: case.pod,
            node: case.node.unwrap_or(NOTHING),
            owner: case.owner.unwrap_or(NOTHING),
            deployment: case.deployment.unwrap_or(NOTHING),
            container,
            containers: Container::all(case),
            ended: container.and_then(|found| found.end).and_then(|end| end.finished()).unwrap_or(case.killed_at),
            killed_at: case.killed_at,
            used_bytes: case.usage.map(|usage| usage.working_set_bytes),
            deletion,
            disruption,
            pod_events: of_pod.into_iter().map(|(event, _)| event).filter(|event| is_of_pod(case.pod, event)).collect(),
            node_events: of_node.into_iter().map(|(event, _)| event).filter(is_of_node).collect(),
        }
    }

    /// Events about the pod, or about this container of it.
    pub(super) fn events(&self, reason: &'static str) -> impl Iterator<Item = &Seen<'a>> {
        let name = self.container.map(|container| container.name);
        self.pod_events.iter().filter(move |event| event.reason == reason && event.concerns(name))
    }

    /// Events about the node.
    pub(super) fn node_events(&self, reason: &'static str) -> impl Iterator<Item = &Seen<'a>> {
        self.node_events.iter().filter(move |event| event.reason == reason)
    }

    /// Events about the pod and events about the node.
    pub(super) fn any_events(&self, reason: &'static str) -> impl Iterator<Item = &Seen<'a>> {
        self.events(reason).chain(self.node_events(reason))
    }

    /// An event about what owns the pod that names the pod.
    pub(super) fn any_owner_event(&self, reason: &'static str) -> Option<&Seen<'a>> {
        let name = text(self.pod, "/metadata/name")?;
        self.pod_events.iter().find(|event| event.reason == reason && event.message.contains(name))
    }

    /// Why the whole pod is over, in one word, with its message; none for the end of a run before that.
    pub(super) fn pod_reason(&self) -> Option<(&'a str, &'a str)> {
        let reason = text(self.pod, "/status/reason").filter(|_| !self.is_earlier_run())?;
        Some((reason, text(self.pod, "/status/message").unwrap_or_default()))
    }

    /// The deletion, if the container ended because of it and not before.
    pub(super) fn deletion(&self) -> Option<Deletion> {
        self.deletion.filter(|deletion| self.ended >= around(deletion.requested, CLOCKS_SECONDS, 0).0)
    }

    /// The disruption, if the container ended because of it and not before.
    pub(super) fn disruption(&self) -> Option<Disruption<'a>> {
        self.disruption.filter(|disruption| {
            // The kubelet writes the condition together with what became of the pod.
            let seconds = if disruption.reason == "TerminationByKubelet" { KUBELET_SECONDS } else { CLOCKS_SECONDS };
            let after = |at: DateTime<Utc>| self.ended >= around(at, seconds, 0).0;
            !self.is_earlier_run() && disruption.at.is_none_or(after)
        })
    }

    fn is_earlier_run(&self) -> bool {
        self.container.is_some_and(|container| container.is_earlier_run)
    }

    /// The reason with which it ended; empty if it did not, or gives none.
    pub(super) fn reason(&self) -> &'a str {
        self.container.and_then(|container| container.end).map_or("", |end| end.reason())
    }

    /// The exit code; none if it did not end.
    pub(super) fn exit_code(&self) -> Option<i64> {
        self.container.and_then(|container| container.end).and_then(|end| end.exit_code())
    }

    /// Whether it ended, or did not end, as one does that is asked to stop: 0, SIGTERM, SIGKILL, or the signal that it
    /// is to be stopped with.
    pub(super) fn ended_as_if_stopped(&self) -> bool {
        let Some(code) = self.exit_code() else { return true };
        if self.is_windows() {
            return matches!(code, 0 | 137 | 143) || codes::is_windows_stop(code);
        }
        let container = self.container.map_or(NOTHING, |container| container.spec);
        let stop = text(container, "/lifecycle/stopSignal").and_then(codes::signal_number);
        matches!(code, 0 | 137 | 143) || stop.is_some_and(|signal| code == 128 + signal)
    }

    /// Whether its exit codes are those of Windows.
    pub(super) fn is_windows(&self) -> bool {
        let labelled = |object: &Value, field: &str| {
            let values = object.pointer(field);
            ["kubernetes.io/os", "beta.kubernetes.io/os"]
                .iter()
                .any(|key| values.and_then(|values| values.get(key)).and_then(Value::as_str) == Some("windows"))
        };
        text(self.pod, "/spec/os/name") == Some("windows")
            || text(self.node, "/status/nodeInfo/operatingSystem") == Some("windows")
            || labelled(self.pod, "/spec/nodeSelector")
            || labelled(self.node, "/metadata/labels")
            || self.exit_code().is_some_and(|code| !(0..=255).contains(&code))
    }

    /// The memory limit in force and where it stands: the container's own, as resized in place, else the pod's.
    pub(super) fn memory_limit(&self) -> Option<(u64, &'static str)> {
        let read = |value: &Value, pointer: &str| quantity::parse(text(value, pointer)?).filter(|bytes| *bytes > 0);
        let container = self.container?;
        read(container.status, "/resources/limits/memory")
            .or_else(|| read(container.spec, "/resources/limits/memory"))
            .map(|bytes| (bytes, "limit memory"))
            .or_else(|| Some((read(self.pod, "/spec/resources/limits/memory")?, "limit memory of the pod")))
    }

    /// The true condition of the node of that type.
    pub(super) fn node_condition(&self, kind: &str) -> Option<&'a Value> {
        true_condition(self.node, kind)
    }

    /// The taint of the node with that key.
    pub(super) fn taint(&self, key: &str) -> Option<&'a Value> {
        list(self.node, "/spec/taints").iter().find(|taint| text(taint, "/key") == Some(key))
    }

    /// The seconds that it has to end by itself.
    pub(super) fn grace(&self) -> i64 {
        number(self.pod, "/spec/terminationGracePeriodSeconds").unwrap_or(GRACE_SECONDS_DEFAULT).max(0)
    }

    /// As a sentence names it, with a capital: `Container app`.
    pub(super) fn subject(&self) -> String {
        let words = self.container.map_or_else(|| format!("pod {}", self.pod_name()), |container| container.words());
        let mut letters = words.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// The node's name, or `the node`.
    pub(super) fn node_words(&self) -> String {
        text(self.pod, "/spec/nodeName").map_or_else(|| "the node".to_owned(), |name| format!("node {name}"))
    }

    /// The pod's name.
    pub(super) fn pod_name(&self) -> &'a str {
        text(self.pod, "/metadata/name").unwrap_or("POD")
    }

    /// A command for this pod: `kubectl -n shop describe pod checkout-1`.
    pub(super) fn kubectl(&self, command: &str) -> String {
        let namespace = text(self.pod, "/metadata/namespace").unwrap_or("default");
        format!("kubectl -n {namespace} {command} {}", self.pod_name())
    }

    /// The command that shows what the container wrote before it ended.
    pub(super) fn logs(&self) -> String {
        let container = self.container.map_or_else(String::new, |container| format!(" -c {}", container.name));
        let is_back = self.container.is_some_and(|found| found.end.is_some_and(|end| end.field == "lastState"));
        format!("{}{container}{}", self.kubectl("logs"), if is_back { " --previous" } else { "" })
    }

    /// What is told before any rule: how it ended, and its state on top of that.
    pub(super) fn evidence(&self) -> Vec<String> {
        let mut evidence = Vec::new();
        let end = self.container.and_then(|container| container.end);
        evidence.extend(end.map(|end| end.evidence()));
        evidence
            .extend(end.and_then(|end| end.complaint()).map(|said| format!("terminated.message = {}", quote(said))));
        if let Some(container) = self.container.filter(|found| found.waiting() == Some("CrashLoopBackOff")) {
            evidence.push(format!("state.waiting.reason = CrashLoopBackOff, restartCount = {}", container.restarts()));
        }
        if self.pod.pointer("/metadata/annotations").is_some_and(|all| all.get("kubernetes.io/config.mirror").is_some())
        {
            evidence.push("static pod: its manifest is a file on the node".to_owned());
        }
        evidence
    }
}

/// Names return when pods of a `StatefulSet` do: only the uid tells them apart. A static pod's events have the hash of
/// its manifest for a uid.
fn is_of_pod(pod: &Value, event: &Seen<'_>) -> bool {
    let annotations = pod.pointer("/metadata/annotations");
    let hash = annotations.and_then(|all| all.get("kubernetes.io/config.hash")).and_then(Value::as_str);
    let is_same = |uid: &str| text(pod, "/metadata/uid").is_none_or(|own| own == uid) || hash == Some(uid);
    event.kind().is_some_and(|kind| kind != "Pod") || event.uid().is_none_or(is_same)
}

/// The API server writes when the pod has to be gone, not when it was asked to go.
fn deletion(pod: &Value) -> Option<Deletion> {
    let due = time(pod, "/metadata/deletionTimestamp")?;
    let given = number(pod, "/metadata/deletionGracePeriodSeconds").map(|seconds| seconds.max(0));
    let grace = number(pod, "/spec/terminationGracePeriodSeconds").unwrap_or(GRACE_SECONDS_DEFAULT).max(0);
    Some(match given {
        Some(grace) => Deletion { requested: around(due, grace, 0).0, due, grace },
        // Without that number it may be either of the two times.
        None => Deletion { requested: around(due, grace, 0).0, due: around(due, 0, grace).1, grace },
    })
}

fn disruption(pod: &Value) -> Option<Disruption<'_>> {
    let condition = true_condition(pod, "DisruptionTarget")?;
    let at = time(condition, "/lastTransitionTime");
    let (reason, message) = (text(condition, "/reason"), text(condition, "/message"));
    Some(Disruption { reason: reason.unwrap_or_default(), message: message.unwrap_or_default(), at })
}
