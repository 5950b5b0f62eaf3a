//! Pods: what was killed, what cannot start, what finds no place.
//!
//! A container that ended is told in its state, and once it runs again in its last state; both are the same end, known
//! by the id of the container. So one kill is one event, however often and wherever it is seen.
//!
//! No kill is: an end with exit code 0 where that is what the pod is for (init containers, jobs), and what the deletion
//! of a pod ends in good time. What ends a whole pod is one event for the pod, not one for each of its containers.

use std::collections::BTreeSet;

use bus::data::Data;
use bus::data::runtime;
use bus::kind::Kind;
use chrono::{DateTime, TimeDelta, Utc};

use super::payload::{Body, Change, Condition, Container, ContainerStatus, Pod, Terminated, condition};
use super::told::{KnownAs, Told};
use super::workload;
use crate::sender::Draft;

/// Reasons of a pod's status that say the pod was put away.
const EVICTED: &[&str] = &["Evicted", "Preempting", "NodeLost", "Terminated", "NodeShutdown", "Shutdown"];

/// Reasons of waiting that say a container cannot start, and what they have in common: trying to pull an image is told
/// in two words by turns.
const CANNOT_START: &[(&str, &str)] = &[
    ("CrashLoopBackOff", "crashlooping"),
    ("ImagePullBackOff", "image"),
    ("ErrImagePull", "image"),
    ("InvalidImageName", "image"),
    ("ErrImageNeverPull", "image"),
    ("ImageInspectError", "image"),
    ("RegistryUnavailable", "image"),
    ("CreateContainerConfigError", "config"),
    ("CreateContainerError", "create"),
    ("RunContainerError", "run"),
];

/// What the program in a container ends with when it was killed at the end of its time, or had too much memory.
const KILLED: i32 = 137;

/// Clocks of nodes and of the server differ by about this.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(2);

pub(super) fn drafts(told: &Told<'_>, body: &Body<Pod>) -> Vec<Draft> {
    let pod = &body.object;
    let mut drafts = match PodEnd::of(pod) {
        Some(end) => vec![whole_pod(told, pod, &end)],
        None => ended(pod).iter().filter(|ended| ended.is_kill(pod)).map(|ended| kill(told, pod, ended)).collect(),
    };
    drafts.extend(waiting(pod).map(|(status, class)| cannot_start(told, pod, status, class)));
    drafts.extend(unschedulable(pod).map(|condition| no_place(told, pod, condition)));
    // That it is gone is told besides: whoever reported trouble of it wants to know.
    if drafts.is_empty() || body.change == Change::Deleted {
        drafts.push(told.other(&pod.metadata, "Pod", body.change.word(), Some(&workload::of_pod(pod))));
    }
    drafts
}

/// What a change must bring to matter: one text for each thing that can be told of the pod.
pub(super) fn marks(pod: &Pod) -> Vec<String> {
    let ends = ended(pod).into_iter().filter(|ended| ended.may_matter(pod)).map(|ended| ended.identity(pod));
    let whole = PodEnd::of(pod).map(|end| format!("{}/{}", end.identity(pod), end.reason));
    let waiting = waiting(pod).map(|(status, class)| waiting_identity(pod, status, class));
    let unschedulable = unschedulable(pod).map(|condition| unschedulable_identity(pod, condition));
    ends.chain(whole).chain(waiting).chain(unschedulable).collect()
}

/// What kind of container it is, which decides what an end of it means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Init,
    Regular,
    /// Put into the pod by a person to look around.
    Ephemeral,
}

/// A run of a container that is over.
struct Ended<'p> {
    status: &'p ContainerStatus,
    terminated: &'p Terminated,
    class: Class,
    /// Which run of the container it was, counted from 0.
    run: u32,
}

/// Every end that the pod tells of, each once.
fn ended(pod: &Pod) -> Vec<Ended<'_>> {
    let status = &pod.status;
    let lists = [
        (Class::Init, &status.init_container_statuses),
        (Class::Regular, &status.container_statuses),
        (Class::Ephemeral, &status.ephemeral_container_statuses),
    ];
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (class, status) in lists.into_iter().flat_map(|(class, list)| list.iter().map(move |status| (class, status))) {
        let before = status.restart_count.saturating_sub(1);
        let states = [(&status.last_state, before), (&status.state, status.restart_count)];
        for (terminated, run) in states.into_iter().filter_map(|(s, run)| Some((s.terminated.as_ref()?, run))) {
            let ended = Ended { status, terminated, class, run };
            if seen.insert(ended.identity(pod)) {
                all.push(ended);
            }
        }
    }
    all
}

impl Ended<'_> {
    /// What this end is known by, wherever it is seen.
    fn identity(&self, pod: &Pod) -> String {
        let run = match self.terminated.container_id.as_deref() {
            Some(id) if !id.is_empty() => id.to_owned(),
            Some(_) | None => {
                let at = self.terminated.finished_at.map(|at| at.timestamp()).unwrap_or_default();
                format!("{}@{at}", self.run)
            }
        };
        format!("{}/{}/{run}", pod.metadata.uid, self.status.name)
    }

    /// Something may be told of it, now or by a later version of this program.
    fn may_matter(&self, pod: &Pod) -> bool {
        self.terminated.exit_code != 0 || self.is_kill(pod)
    }

    fn is_kill(&self, pod: &Pod) -> bool {
        // A child can be killed for memory while the container itself ends in any way.
        if self.terminated.reason.as_deref() == Some("OOMKilled") {
            return true;
        }
        if let Some(deletion) = Deletion::of(pod)
            && self.terminated.finished_at.is_none_or(|at| at + CLOCKS_DIFFER >= deletion.asked)
        {
            // It had its time and did not use it.
            let late = self.terminated.finished_at.is_some_and(|at| at + CLOCKS_DIFFER >= deletion.due);
            return deletion.due > deletion.asked && late && self.terminated.exit_code == KILLED;
        }
        match (self.terminated.exit_code, self.class) {
            // Whoever leaves a shell leaves it with what its last command said.
            (code, Class::Ephemeral) => code == KILLED,
            (0, Class::Init | Class::Regular) => self.should_go_on(pod),
            (_, Class::Init | Class::Regular) => true,
        }
    }

    /// It is there to run for ever, so that ending well is wrong as well.
    fn should_go_on(&self, pod: &Pod) -> bool {
        let named = |container: &&Container| container.name == self.status.name;
        let own = match self.class {
            Class::Init => pod.spec.init_containers.iter().find(named),
            Class::Regular => pod.spec.containers.iter().find(named),
            Class::Ephemeral => None,
        };
        let policy = own.and_then(|container| container.restart_policy.as_deref());
        match self.class {
            // An init container that is restarted for ever is a sidecar.
            Class::Init => policy == Some("Always"),
            Class::Regular => policy.or(pod.spec.restart_policy.as_deref()).unwrap_or("Always") == "Always",
            Class::Ephemeral => false,
        }
    }
}

/// The deletion of a pod.
struct Deletion {
    asked: DateTime<Utc>,
    due: DateTime<Utc>,
}

impl Deletion {
    fn of(pod: &Pod) -> Option<Self> {
        let due = pod.metadata.deletion_timestamp?;
        let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
        let grace = TimeDelta::try_seconds(seconds).unwrap_or_default();
        Some(Self { asked: due - grace, due })
    }
}

/// The end of a whole pod.
struct PodEnd<'p> {
    kind: Kind,
    reason: &'p str,
    condition: Option<&'p Condition>,
}

impl<'p> PodEnd<'p> {
    fn of(pod: &'p Pod) -> Option<Self> {
        let disruption = condition(&pod.status.conditions, "DisruptionTarget").filter(|condition| condition.is_true());
        let reason = pod.status.reason.as_deref().unwrap_or_default();
        if reason == "DeadlineExceeded" {
            return Some(Self { kind: Kind::PodKilled, reason, condition: None });
        }
        let evicted = EVICTED.contains(&reason);
        let reason = if evicted { reason } else { disruption?.reason.as_str() };
        Some(Self { kind: Kind::PodEvicted, reason, condition: disruption })
    }

    fn identity(&self, pod: &Pod) -> String {
        format!("{}/evicted", pod.metadata.uid)
    }

    /// When it was decided, or else when the last of its containers ended.
    fn time(&self, pod: &Pod) -> Option<DateTime<Utc>> {
        let last_end = || ended(pod).iter().filter_map(|ended| ended.terminated.finished_at).max();
        self.condition.and_then(|condition| condition.last_transition_time).or_else(last_end)
    }
}

/// Containers that wait and cannot start.
fn waiting(pod: &Pod) -> impl Iterator<Item = (&ContainerStatus, &'static str)> {
    let status = &pod.status;
    let lists = [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    lists.into_iter().flatten().filter_map(|status| {
        let reason = &status.state.waiting.as_ref()?.reason;
        let (_, class) = CANNOT_START.iter().find(|(known, _)| known == reason)?;
        Some((status, *class))
    })
}

fn waiting_identity(pod: &Pod, status: &ContainerStatus, class: &str) -> String {
    format!("{}/{}/{class}/{}", pod.metadata.uid, status.name, status.restart_count)
}

/// The scheduler finds no node for it.
fn unschedulable(pod: &Pod) -> Option<&Condition> {
    condition(&pod.status.conditions, "PodScheduled").filter(|c| c.status == "False" && c.reason == "Unschedulable")
}

fn unschedulable_identity(pod: &Pod, condition: &Condition) -> String {
    let since = condition.last_transition_time.map(|at| at.timestamp()).unwrap_or_default();
    format!("{}/unschedulable/{since}", pod.metadata.uid)
}

fn kill(told: &Told<'_>, pod: &Pod, ended: &Ended<'_>) -> Draft {
    let at = ended.terminated.finished_at;
    let data = runtime::Pod {
        reason: ended.terminated.reason.clone(),
        exit_code: Some(ended.terminated.exit_code),
        killed_at: at,
        ..container(told, pod, ended.status)
    };
    draft(told, Kind::PodKilled, &ended.identity(pod), at, data)
}

fn whole_pod(told: &Told<'_>, pod: &Pod, end: &PodEnd<'_>) -> Draft {
    let at = end.time(pod);
    let only = match pod.spec.containers.as_slice() {
        [only] => only.image.clone(),
        _ => None,
    };
    let data = runtime::Pod {
        reason: Some(end.reason.to_owned()).filter(|reason| !reason.is_empty()),
        image: only,
        killed_at: at,
        ..describe(told, pod)
    };
    draft(told, end.kind.clone(), &end.identity(pod), at, data)
}

fn cannot_start(told: &Told<'_>, pod: &Pod, status: &ContainerStatus, class: &str) -> Draft {
    let last = status.last_state.terminated.as_ref();
    let at = last.and_then(|terminated| terminated.finished_at);
    let data = runtime::Pod {
        reason: status.state.waiting.as_ref().map(|waiting| waiting.reason.clone()),
        exit_code: last.map(|terminated| terminated.exit_code),
        killed_at: at,
        ..container(told, pod, status)
    };
    draft(told, Kind::PodCrashLooping, &waiting_identity(pod, status, class), at, data)
}

fn no_place(told: &Told<'_>, pod: &Pod, condition: &Condition) -> Draft {
    let data = runtime::Pod { reason: Some(condition.reason.clone()), ..describe(told, pod) };
    let at = condition.last_transition_time;
    draft(told, Kind::PodUnschedulable, &unschedulable_identity(pod, condition), at, data)
}

fn draft(told: &Told<'_>, kind: Kind, identity: &str, at: Option<DateTime<Utc>>, data: runtime::Pod) -> Draft {
    let data = runtime::Pod { id: format!("{}/{identity}", told.cluster), ..data };
    let subject = ["Pod", data.namespace.as_deref().unwrap_or_default(), data.pod.as_deref().unwrap_or_default()];
    told.draft(kind, subject.join("/"), at, Data::Pod(Box::new(data))).known_as(identity)
}

fn container(told: &Told<'_>, pod: &Pod, status: &ContainerStatus) -> runtime::Pod {
    let spec = pod.spec.containers.iter().chain(&pod.spec.init_containers).find(|spec| spec.name == status.name);
    // A status may name the image by nothing but its digest.
    let resolved = status.image.clone().filter(|image| !image.is_empty() && !image.starts_with("sha256:"));
    runtime::Pod {
        container: Some(status.name.clone()),
        image: resolved.or_else(|| spec.and_then(|spec| spec.image.clone())),
        restarts: Some(status.restart_count),
        ..describe(told, pod)
    }
}

/// What holds of the pod whatever happened to it.
fn describe(told: &Told<'_>, pod: &Pod) -> runtime::Pod {
    let metadata = &pod.metadata;
    let workload = workload::of_pod(pod);
    runtime::Pod {
        cluster: Some(told.cluster.to_owned()),
        uid: Some(metadata.uid.clone()),
        namespace: metadata.namespace.clone(),
        pod: Some(metadata.name.clone()),
        service: Some(workload::service(&metadata.labels, &workload)),
        environment: told.environment(&metadata.labels),
        workload: Some(workload),
        node: pod.spec.node_name.clone(),
        synthetic: told.synthetic,
        ..runtime::Pod::default()
    }
}
