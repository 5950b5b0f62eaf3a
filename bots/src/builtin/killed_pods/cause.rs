//! Why a container was killed: a pure function from what the cluster tells to one cause of a closed set.
//!
//! Knows the objects of the Kubernetes API and nothing of messages, incidents or teams.

use chrono::{DateTime, Utc};
use serde_json::Value;

use self::facts::Facts;
use super::quantity;

mod codes;
mod container;
mod deletion;
mod eviction;
mod exit;
mod facts;
mod json;
mod memory;
mod node;
mod probe;
mod seen;
mod start;
mod takeover;
mod unknown;

#[cfg(test)]
mod tests;

/// What the cluster tells of one kill. Everything but the pod may be missing; the verdict is then less sure.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The pod, as the API server gave it.
    pub pod: &'a Value,
    /// The container that was killed; none if only the pod is known.
    pub container: Option<&'a str>,
    /// When.
    pub killed_at: DateTime<Utc>,
    /// Events about the pod, `v1` or `events.k8s.io/v1`, in any order.
    pub pod_events: &'a [Value],
    /// The node it ran on.
    pub node: Option<&'a Value>,
    /// Events about the node.
    pub node_events: &'a [Value],
    /// What owns the pod directly: a `ReplicaSet`, a `StatefulSet`, a `Job`.
    pub owner: Option<&'a Value>,
    /// The `Deployment` above it.
    pub deployment: Option<&'a Value>,
    /// What the container used before it died.
    pub usage: Option<Usage>,
}

/// What a container used before it died, by the last measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Working set in bytes.
    pub working_set_bytes: u64,
}

/// Why a container was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Replaced by a new revision of its owner.
    Rollout,
    /// Its owner wants fewer replicas.
    ScaleDown,
    /// Somebody deleted it.
    UserDelete,
    /// It used more memory than its limit.
    OomContainerLimit,
    /// The node ran out of memory.
    OomNode,
    /// A child process ran out of memory, the main process ended by itself later.
    OomChildThenExit,
    /// A child process ran out of memory, the container goes on.
    OomChildSilent,
    /// The kubelet made room on a node that ran low.
    EvictedNodePressure,
    /// It used more local storage than its limit.
    EvictedEphemeralLimit,
    /// Moved away through the eviction API: a drain.
    EvictedApi,
    /// The scheduler made room for a pod of higher priority.
    PreemptedScheduler,
    /// The kubelet made room for a critical pod.
    PreemptedKubelet,
    /// The node was shut down or restarted.
    NodeShutdown,
    /// The node is gone or does not answer.
    NodeLost,
    /// The liveness probe failed.
    ProbeLiveness,
    /// The startup probe failed.
    ProbeStartup,
    /// It did not end within its grace period.
    GraceExceeded,
    /// It ran longer than it may.
    Deadline,
    /// It could not be started.
    StartError,
    /// Its image could not be had.
    Image,
    /// A signal ended it.
    AppSignal,
    /// It exited by itself with a code that is not 0.
    AppExit,
    /// It ends well, and is started again and again.
    CompletedLoop,
    /// Something sent SIGKILL; nothing tells what.
    SigkillUnknown,
    /// It did what it had to and ended: no kill.
    Completed,
    /// Nothing that is known tells.
    Unknown,
}

/// Where a cause lies: what a storm of kills is collapsed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The machine.
    Node,
    /// The container's limits.
    Container,
    /// The program.
    App,
    /// Its image.
    Image,
    /// What runs it: configuration, deadlines, drains.
    Platform,
    /// Nothing is wrong.
    Normal,
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// It fits best of what is thinkable.
    Low,
    /// It fits, and something is inferred.
    Medium,
    /// The cluster says so.
    High,
}

/// Something that it may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hypothesis {
    /// In a sentence.
    pub text: String,
    /// How to find out: a command, or where to look.
    pub check: String,
}

/// Why a container was killed, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The cause.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// The fields that tell, each with its value: `lastState.terminated.reason = OOMKilled`.
    pub evidence: Vec<String>,
    /// One sentence that a person on call understands.
    pub sentence: String,
    /// What it may have been, likeliest first, where the cause is not known for sure.
    pub hypotheses: Vec<Hypothesis>,
    /// What to do first.
    pub todo: String,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 26] = [
        Self::Rollout,
        Self::ScaleDown,
        Self::UserDelete,
        Self::OomContainerLimit,
        Self::OomNode,
        Self::OomChildThenExit,
        Self::OomChildSilent,
        Self::EvictedNodePressure,
        Self::EvictedEphemeralLimit,
        Self::EvictedApi,
        Self::PreemptedScheduler,
        Self::PreemptedKubelet,
        Self::NodeShutdown,
        Self::NodeLost,
        Self::ProbeLiveness,
        Self::ProbeStartup,
        Self::GraceExceeded,
        Self::Deadline,
        Self::StartError,
        Self::Image,
        Self::AppSignal,
        Self::AppExit,
        Self::CompletedLoop,
        Self::SigkillUnknown,
        Self::Completed,
        Self::Unknown,
    ];

    /// The stored and shown name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::ScaleDown => "scale-down",
            Self::UserDelete => "user-delete",
            Self::OomContainerLimit => "oom.container_limit",
            Self::OomNode => "oom.node",
            Self::OomChildThenExit => "oom.child_then_exit",
            Self::OomChildSilent => "oom.child_silent",
            Self::EvictedNodePressure => "evicted.node_pressure",
            Self::EvictedEphemeralLimit => "evicted.ephemeral_limit",
            Self::EvictedApi => "evicted.api",
            Self::PreemptedScheduler => "preempted.scheduler",
            Self::PreemptedKubelet => "preempted.kubelet",
            Self::NodeShutdown => "node.shutdown",
            Self::NodeLost => "node.lost",
            Self::ProbeLiveness => "probe.liveness",
            Self::ProbeStartup => "probe.startup",
            Self::GraceExceeded => "grace_exceeded",
            Self::Deadline => "deadline",
            Self::StartError => "start_error",
            Self::Image => "image",
            Self::AppSignal => "app.signal",
            Self::AppExit => "app.exit",
            Self::CompletedLoop => "completed_loop",
            Self::SigkillUnknown => "sigkill.unknown",
            Self::Completed => "completed",
            Self::Unknown => "unknown",
        }
    }

    /// The cause of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }

    /// Where it lies.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::OomNode
            | Self::EvictedNodePressure
            | Self::NodeShutdown
            | Self::NodeLost
            | Self::PreemptedScheduler
            | Self::PreemptedKubelet => Class::Node,
            Self::OomContainerLimit | Self::OomChildThenExit | Self::OomChildSilent | Self::EvictedEphemeralLimit => {
                Class::Container
            }
            Self::ProbeLiveness
            | Self::ProbeStartup
            | Self::GraceExceeded
            | Self::AppSignal
            | Self::AppExit
            | Self::CompletedLoop => Class::App,
            Self::Image => Class::Image,
            Self::EvictedApi | Self::Deadline | Self::StartError | Self::SigkillUnknown | Self::Unknown => {
                Class::Platform
            }
            Self::Rollout | Self::ScaleDown | Self::UserDelete | Self::Completed => Class::Normal,
        }
    }

    /// Whether it is counted only: somebody wanted it so, or nothing is wrong.
    #[must_use]
    pub const fn is_suppressed(self) -> bool {
        matches!(self.class(), Class::Normal)
    }
}

impl Class {
    /// The stored and shown name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Container => "container",
            Self::App => "app",
            Self::Image => "image",
            Self::Platform => "platform",
            Self::Normal => "normal",
        }
    }
}

impl Confidence {
    /// The shown name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Verdict {
    /// A verdict whose only evidence is how the container ended.
    fn new(cause: Cause, confidence: Confidence, sentence: String, todo: String) -> Self {
        Self { cause, confidence, evidence: Vec::new(), sentence, hypotheses: Vec::new(), todo }
    }

    /// With these fields that tell.
    fn because(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }
}

impl Hypothesis {
    fn new(text: impl Into<String>, check: impl Into<String>) -> Self {
        Self { text: text.into(), check: check.into() }
    }
}

/// Says which cause it is, if it is one of this rule's.
type Rule = fn(&Facts<'_>) -> Option<Verdict>;

/// The first that answers decides.
///
/// What the cluster states about this pod or this container goes before what is inferred from its exit code: an evicted
/// pod whose containers were ended by SIGKILL on a node without memory was evicted, and a container that did not stop in
/// time while it was being replaced shows a fault that the replacement does not excuse.
const RULES: [Rule; 15] = [
    eviction::evicted,
    takeover::stopped_by_kubelet,
    deletion::deadline,
    memory::oom_killed,
    takeover::disrupted,
    node::lost,
    node::shut_down,
    probe::failed_probe,
    deletion::grace_exceeded,
    deletion::wanted,
    start::not_started,
    memory::killed_beside_an_oom,
    exit::completed,
    exit::signalled,
    exit::exited,
];

/// Why the container of that case was killed. The same case always gives the same verdict.
#[must_use]
pub fn classify(case: &Case<'_>) -> Verdict {
    let facts = Facts::of(case);
    let mut verdict = RULES.iter().find_map(|rule| rule(&facts)).unwrap_or_else(|| unknown::unknown(&facts));
    // A text that was cut short ends its sentence as it is.
    verdict.sentence = verdict.sentence.replace("….", "…");
    if verdict.confidence == Confidence::Low && !matches!(verdict.cause, Cause::SigkillUnknown | Cause::Unknown) {
        verdict.sentence = format!("Perhaps: {}", verdict.sentence);
    }
    let mut evidence = facts.evidence();
    evidence.append(&mut verdict.evidence);
    verdict.evidence = evidence;
    verdict
}
