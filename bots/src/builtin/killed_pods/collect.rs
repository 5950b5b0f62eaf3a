//! What the cluster is asked about a kill: the log first, because only the last run's is kept, then what tells why.
//!
//! At most [`CALLS_MAX`] requests and [`MILLIS_MAX`] in all. What could not be had is kept with its reason: a report
//! says what it does not know.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::cause::{Case, Usage, Verdict, classify};
use super::json::{entries, items, owner, text, time};
use super::quantity::parse;
use super::subject::Subject;
use crate::lookups::{LogName, Lookups, ObjectFilter, ObjectName, Unavailable};

/// Requests for one report: a storm must not make the API server's day worse.
pub(super) const CALLS_MAX: u32 = 12;
/// A report that takes longer than this is told with what is known by then.
pub(super) const MILLIS_MAX: u32 = 2_000;
/// Enough for a stack trace and what led to it.
const LOG_LINES_MAX: u32 = 200;
/// What the record of a run keeps whole.
const LOG_BYTES_MAX: u32 = 64 * 1024;
/// Events about one object: the server keeps an hour of them.
const EVENTS_MAX: u32 = 100;
/// Objects of a list: a deployment keeps 10 old replica sets unless told otherwise.
const LIST_MAX: u32 = 50;

/// The log of the run that died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Log {
    /// It says.
    Text(String),
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
    let about_pod = format!("involvedObject.uid={}", subject.uid);
    let pod_events = ask.events("events of the pod", &subject.namespace, &about_pod);
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

/// Whether the label selector of an object selects a pod. Selectors by expressions are not read.
fn selects(object: &Value, pod: &Value) -> bool {
    let mut labels = entries(object, "/spec/selector/matchLabels").peekable();
    labels.peek().is_some()
        && labels.all(|(key, value)| super::json::entry(pod, "/metadata/labels", key) == Some(value))
}

/// Asks, as long as the budget lasts, and notes what could not be had.
struct Ask<'a> {
    subject: &'a Subject,
    lookups: &'a Lookups<'a>,
    gaps: Vec<String>,
}

impl Ask<'_> {
    fn within_budget(&self) -> Result<(), Unavailable> {
        let cost = self.lookups.cost();
        if cost.calls >= CALLS_MAX {
            return Err(Unavailable::for_now(format!("not asked, the {CALLS_MAX} requests of a report were spent")));
        }
        if cost.millis >= MILLIS_MAX {
            return Err(Unavailable::for_now(format!("not asked, the {} s of a report were over", MILLIS_MAX / 1000)));
        }
        Ok(())
    }

    fn note<T>(&mut self, what: &str, answer: Result<T, Unavailable>) -> Result<T, String> {
        answer.map_err(|unavailable| {
            self.gaps.push(format!("{what}: {unavailable}"));
            unavailable.reason
        })
    }

    fn object(
        &mut self,
        what: &str,
        (api, resource): (&str, &str),
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, String> {
        let asked = ObjectName {
            cluster: self.subject.cluster.clone(),
            api: api.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let answer = self.within_budget().and_then(|()| self.lookups.object(asked));
        self.note(what, answer)
    }

    fn list(
        &mut self,
        what: &str,
        (api, resource): (&str, &str),
        namespace: &str,
        labels: Option<String>,
    ) -> Vec<Value> {
        let filter = ObjectFilter {
            cluster: self.subject.cluster.clone(),
            api: api.to_owned(),
            resource: resource.to_owned(),
            namespace: Some(namespace.to_owned()),
            labels,
            fields: None,
            limit: LIST_MAX,
        };
        let answer = self.within_budget().and_then(|()| self.lookups.objects(filter));
        self.note(what, answer).unwrap_or_default()
    }

    fn events(&mut self, what: &str, namespace: &str, fields: &str) -> Vec<Value> {
        let filter = ObjectFilter {
            cluster: self.subject.cluster.clone(),
            api: "v1".to_owned(),
            resource: "events".to_owned(),
            namespace: Some(namespace.to_owned()),
            labels: None,
            fields: Some(fields.to_owned()),
            limit: EVENTS_MAX,
        };
        let answer = self.within_budget().and_then(|()| self.lookups.objects(filter));
        self.note(what, answer).unwrap_or_default()
    }

    /// What controls an object, if it is of a kind that the bot may read.
    fn owner_of(&mut self, object: &Value) -> Option<Value> {
        let (kind, name) = owner(object)?;
        let resource = match kind {
            "ReplicaSet" => ("apps/v1", "replicasets"),
            "Deployment" => ("apps/v1", "deployments"),
            "StatefulSet" => ("apps/v1", "statefulsets"),
            "DaemonSet" => ("apps/v1", "daemonsets"),
            "Job" => ("batch/v1", "jobs"),
            "CronJob" => ("batch/v1", "cronjobs"),
            _ => return None,
        };
        let (what, name) = (format!("{kind} {name}"), name.to_owned());
        let namespace = self.subject.namespace.clone();
        self.object(&what, resource, Some(&namespace), &name).ok().flatten()
    }

    /// The log of the run that died. Asked for as the last run but one if the watch saw a newer run, and else as the
    /// newest; if it was restarted since, the newest run is not the one that died.
    fn log(&mut self) -> Log {
        let subject = self.subject;
        let container = subject.container_name().filter(|_| !subject.cannot_start);
        let Some(container) = container else { return Log::Gone };
        let restarts = text(&subject.object, "/spec/restartPolicy") != Some("Never") && !subject.evicted;
        let previous = !subject.is_newest_run() || (restarts && self.was_restarted(container));
        let asked = |previous| LogName {
            cluster: subject.cluster.clone(),
            namespace: subject.namespace.clone(),
            pod: subject.pod.clone(),
            container: container.to_owned(),
            previous,
            lines_max: LOG_LINES_MAX,
            bytes_max: LOG_BYTES_MAX,
        };
        let answer = self.within_budget().and_then(|()| self.lookups.logs(asked(previous)));
        match self.note("the log", answer) {
            Ok(Some(text)) if !text.trim().is_empty() => Log::Text(text),
            Ok(Some(_) | None) => Log::Gone,
            Err(reason) => Log::Unavailable(reason),
        }
    }

    /// Whether the container runs again since the watch saw it end.
    fn was_restarted(&mut self, container: &str) -> bool {
        let subject = self.subject;
        let now = self.object("the pod as it is now", ("v1", "pods"), Some(&subject.namespace), &subject.pod);
        let Ok(Some(pod)) = now else { return false };
        let same_pod = text(&pod, "/metadata/uid").is_none_or(|uid| uid == subject.uid);
        let statuses = super::subject::CONTAINER_LISTS.iter().flat_map(|(statuses, _)| items(&pod, statuses));
        let mut statuses = statuses.filter(|status| text(status, "/name") == Some(container));
        same_pod && statuses.any(|status| super::json::number(status, "/restartCount") > subject.restarts())
    }

    /// What the container uses, where the cluster measures it.
    fn usage(&mut self) -> Result<Measured, String> {
        let subject = self.subject;
        if subject.cannot_start {
            return Err("it never ran".to_owned());
        }
        let what = ("metrics.k8s.io/v1beta1", "pods");
        let pod = self.object("memory in use", what, Some(&subject.namespace), &subject.pod)?;
        let pod = pod.ok_or_else(|| "the cluster has no measurement of this pod".to_owned())?;
        let container = subject.container_name().unwrap_or_default();
        let used = super::json::named(&pod, "/containers", container).and_then(|found| text(found, "/usage/memory"));
        let bytes = used.and_then(parse).ok_or_else(|| format!("no measurement of container {container}"))?;
        Ok(Measured { working_set_bytes: bytes, at: time(&pod, "/timestamp") })
    }
}
