//! What the cluster is asked about a kill: the log first, because only the last run's is kept, then what tells why.
//!
//! What could not be had is kept with its reason: a report says what it does not know.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::cause::{Case, Usage, Verdict, classify};
use super::json::{entries, entry, text};
use super::subject::Subject;
use crate::lookups::Lookups;
use ask::Ask;

mod ask;

/// The log of the run that died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Log {
    /// It says.
    Text(String),
    /// It is gone; this is the log of the run after it.
    Next(String),
    /// The cluster has none any more, or never had.
    Gone,
    /// It could not be had.
    Unavailable(String),
}

/// What a container used, and when that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    /// Working set in bytes.
    pub(super) working_set_bytes: u64,
    /// When.
    pub(super) at: Option<DateTime<Utc>>,
}

/// What the cluster told.
#[derive(Debug, Clone)]
pub(super) struct Collected {
    /// The log of the run that died.
    pub(super) log: Log,
    /// Events about the pod.
    pub(super) pod_events: Vec<Value>,
    /// The node it ran on.
    pub(super) node: Option<Value>,
    /// Events about the node.
    pub(super) node_events: Vec<Value>,
    /// What owns the pod directly.
    pub(super) owner: Option<Value>,
    /// What owns that.
    pub(super) deployment: Option<Value>,
    /// What the container used, where the cluster measures it.
    pub(super) usage: Result<Measured, String>,
    /// Replica sets of the deployment.
    pub(super) replica_sets: Vec<Value>,
    /// What scales the workload.
    pub(super) autoscaler: Option<Value>,
    /// What limits how many may be down at once.
    pub(super) budget: Option<Value>,
    /// What could not be had, and why.
    pub(super) gaps: Vec<String>,
}

impl Collected {
    /// Why it died, by all this.
    pub(super) fn verdict(&self, subject: &Subject) -> Verdict {
        // A measurement from after the death is of another run.
        let before = |usage: &&Measured| usage.at.is_some_and(|at| at <= subject.at);
        let usage = self.usage.as_ref().ok().filter(before);
        classify(&Case {
            pod: &subject.object,
            container: subject.container.as_deref(),
            killed_at: subject.at,
            pod_events: &self.pod_events,
            node: self.node.as_ref(),
            node_events: &self.node_events,
            owner: self.owner.as_ref(),
            deployment: self.deployment.as_ref(),
            usage: usage.map(|usage| Usage { working_set_bytes: usage.working_set_bytes }),
        })
    }

    /// What says how many replicas there are to be.
    pub(super) fn workload(&self) -> Option<&Value> {
        self.deployment.as_ref().or(self.owner.as_ref())
    }
}

/// Why it died, as far as the pod alone tells.
pub(super) fn verdict_of_pod(subject: &Subject) -> Verdict {
    classify(&Case {
        pod: &subject.object,
        container: subject.container.as_deref(),
        killed_at: subject.at,
        pod_events: &[],
        node: None,
        node_events: &[],
        owner: None,
        deployment: None,
        usage: None,
    })
}

/// Asks for what tells why.
pub(super) fn for_verdict(subject: &Subject, lookups: &Lookups<'_>) -> Collected {
    let mut ask = Ask { subject, lookups, gaps: Vec::new() };
    let log = ask.log();
    // By name, because the kubelet knows a static pod by another uid than the API server.
    let about_pod = format!("involvedObject.kind=Pod,involvedObject.name={}", subject.pod);
    let mut pod_events = ask.events("events of the pod", &subject.namespace, &about_pod);
    pod_events.retain(|event| is_about(event, subject));
    let owner = ask.owner_of(&subject.object);
    let deployment = owner.as_ref().and_then(|owner| ask.owner_of(owner));
    let node = subject.node.as_deref().and_then(|node| ask.object("the node", ("v1", "nodes"), None, node).ok()?);
    // Events about nodes are kept in the namespace `default`, since a node is in none.
    let about_node = |node: &str| format!("involvedObject.kind=Node,involvedObject.name={node}");
    let node_events =
        subject.node.as_deref().map(|node| ask.events("events of the node", "default", &about_node(node)));
    let usage = ask.usage();
    Collected {
        log,
        pod_events,
        node,
        node_events: node_events.unwrap_or_default(),
        owner,
        deployment,
        usage,
        replica_sets: Vec::new(),
        autoscaler: None,
        budget: None,
        gaps: ask.gaps,
    }
}

/// Asks for what else a report says.
pub(super) fn for_report(subject: &Subject, lookups: &Lookups<'_>, collected: &mut Collected) {
    let mut ask = Ask { subject, lookups, gaps: std::mem::take(&mut collected.gaps) };
    let namespace = subject.namespace.as_str();
    if let Some(deployment) = &collected.deployment {
        let labels: Vec<_> =
            entries(deployment, "/spec/selector/matchLabels").map(|(key, value)| format!("{key}={value}")).collect();
        if !labels.is_empty() && text(deployment, "/metadata/name").is_some() {
            let found = ask.list("replica sets", ("apps/v1", "replicasets"), namespace, Some(labels.join(",")));
            collected.replica_sets = found;
        }
    }
    let autoscalers = ask.list("autoscalers", ("autoscaling/v2", "horizontalpodautoscalers"), namespace, None);
    let name = subject.workload_name();
    collected.autoscaler =
        autoscalers.into_iter().find(|scaler| text(scaler, "/spec/scaleTargetRef/name") == Some(name));
    let budgets = ask.list("disruption budgets", ("policy/v1", "poddisruptionbudgets"), namespace, None);
    collected.budget = budgets.into_iter().find(|budget| selects(budget, &subject.object));
    collected.gaps = ask.gaps;
}

/// The log of the run that died, once more: for a kill that repeats.
pub(super) fn log_only(subject: &Subject, lookups: &Lookups<'_>) -> Log {
    Ask { subject, lookups, gaps: Vec::new() }.log()
}

/// Whether an event is about this pod, and not about an earlier one of its name.
fn is_about(event: &Value, subject: &Subject) -> bool {
    let uid = ["/involvedObject/uid", "/regarding/uid"].into_iter().find_map(|place| text(event, place));
    let of_file = entry(&subject.object, "/metadata/annotations", "kubernetes.io/config.hash");
    uid.is_none_or(|uid| uid == subject.uid || Some(uid) == of_file)
}

/// Whether the label selector of an object selects a pod. Selectors by expressions are not read.
fn selects(object: &Value, pod: &Value) -> bool {
    let mut labels = entries(object, "/spec/selector/matchLabels").peekable();
    labels.peek().is_some() && labels.all(|(key, value)| entry(pod, "/metadata/labels", key) == Some(value))
}
