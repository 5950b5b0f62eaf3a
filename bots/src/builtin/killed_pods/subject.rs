//! What died: one run of one container, or one pod, read from the event and from the pod as the watch told it.

use bus::data::runtime;
use bus::event::Recorded;
use bus::ids::EventId;
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::json::{items, named, number, owner, text, time};
use crate::lookups::{Lookups, ObjectName};

/// Where a pod tells of its containers: the statuses, and what they are the statuses of.
pub(super) const CONTAINER_LISTS: [(&str, &str); 3] = [
    ("/status/containerStatuses", "/spec/containers"),
    ("/status/initContainerStatuses", "/spec/initContainers"),
    ("/status/ephemeralContainerStatuses", "/spec/ephemeralContainers"),
];

/// What the cluster calls it when a container ends again and again; any other reason to wait keeps it from starting.
const CRASH_LOOP: &str = "CrashLoopBackOff";

/// One kill.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// The event that told of it.
    pub(super) event: EventId,
    /// Which run of which container: the same for its death and for the restart loop that this death is part of.
    pub(super) run: String,
    /// When it died.
    pub(super) at: DateTime<Utc>,
    /// Where.
    pub(super) cluster: String,
    /// Where in the cluster.
    pub(super) namespace: String,
    /// Name of the pod.
    pub(super) pod: String,
    /// The pod's uid, or else its name.
    pub(super) uid: String,
    /// The container; none if only the pod is known.
    pub(super) container: Option<String>,
    /// What owns the pod: `Deployment/checkout`.
    pub(super) workload: String,
    /// Where it ran.
    pub(super) node: Option<String>,
    /// The service.
    pub(super) service: String,
    /// The environment.
    pub(super) environment: Option<String>,
    /// What ran, as short as it is still told apart from another build.
    pub(super) digest: String,
    /// It is told as being restarted again and again.
    pub(super) looping: bool,
    /// It never came to run: its image or its configuration is wrong.
    pub(super) cannot_start: bool,
    /// It was not seen as it happened, but found later.
    pub(super) synthetic: bool,
    /// It was moved away rather than killed.
    pub(super) evicted: bool,
    /// In the cluster's word.
    pub(super) reason: Option<String>,
    /// The pod, as the API server gave it.
    pub(super) object: Value,
}

impl Subject {
    /// Reads an event about a pod.
    pub(super) fn read(event: &Recorded, told: &runtime::Pod, lookups: &Lookups<'_>) -> Self {
        let object = object(told, lookups);
        let or_else = |own: &Option<String>, pointer: &str| {
            own.clone().or_else(|| text(&object, pointer).map(str::to_owned)).unwrap_or_default()
        };
        let pod = or_else(&told.pod, "/metadata/name");
        let uid = Some(or_else(&told.uid, "/metadata/uid")).filter(|uid| !uid.is_empty()).unwrap_or(pod.clone());
        let workload = told.workload.clone().unwrap_or_else(|| match owner(&object) {
            Some((kind, name)) => format!("{kind}/{name}"),
            None => format!("Pod/{pod}"),
        });
        let service = told.service.clone().unwrap_or_else(|| name_of(&workload).to_owned());
        let waiting = event.event.kind == Kind::PodCrashLooping;
        let looping = waiting && told.reason.as_deref().is_none_or(|reason| reason == CRASH_LOOP);
        let dead = dead(&object, told).filter(|_| looping || !waiting);
        // Of a loop, the reason of the death is meant, not that of the wait.
        let of_run = dead.filter(|_| looping).and_then(|dead| text(dead, "/reason")).map(str::to_owned);
        let run = match (&told.container, dead.and_then(|dead| text(dead, "/containerID"))) {
            (Some(container), Some(id)) => format!("{uid}/{container}/{id}"),
            (_, _) => told.id.clone(),
        };
        Self {
            event: event.event.id,
            run,
            at: told.killed_at.unwrap_or(event.event.time),
            cluster: told.cluster.clone().unwrap_or_default(),
            namespace: or_else(&told.namespace, "/metadata/namespace"),
            pod,
            uid,
            container: told.container.clone(),
            workload,
            node: told.node.clone().or_else(|| text(&object, "/spec/nodeName").map(str::to_owned)),
            service,
            environment: told.environment.clone(),
            digest: digest(&object, told),
            looping,
            cannot_start: waiting && !looping,
            synthetic: told.synthetic,
            evicted: event.event.kind == Kind::PodEvicted,
            reason: of_run.or_else(|| told.reason.clone()),
            object,
        }
    }

    /// The container that is looked at: the one that died, or else the first.
    pub(super) fn container_name(&self) -> Option<&str> {
        self.container.as_deref().or_else(|| text(&self.object, "/spec/containers/0/name"))
    }

    /// What the pod says its container is to be.
    pub(super) fn spec(&self) -> Option<&Value> {
        let name = self.container_name()?;
        CONTAINER_LISTS.iter().find_map(|(_, specs)| named(&self.object, specs, name))
    }

    /// What the pod says its container is.
    pub(super) fn status(&self) -> Option<&Value> {
        status(&self.object, self.container_name()?)
    }

    /// How the run ended.
    pub(super) fn terminated(&self) -> Option<&Value> {
        if self.cannot_start {
            return None;
        }
        let status = self.status()?;
        let ends = ["/state/terminated", "/lastState/terminated"].map(|place| status.pointer(place));
        let mut ends = ends.into_iter().flatten();
        let told = |end: &Value| text(end, "/containerID").is_some_and(|id| self.run.ends_with(id));
        ends.clone().find(|end| told(end)).or_else(|| ends.next())
    }

    /// Whether the run that died is the newest of its container, by what the watch told.
    pub(super) fn is_newest_run(&self) -> bool {
        let newest = self.status().and_then(|status| status.pointer("/state/terminated"));
        newest.is_some() && newest == self.terminated()
    }

    /// How often the container was restarted.
    pub(super) fn restarts(&self) -> Option<i64> {
        number(self.status()?, "/restartCount")
    }

    /// Name of the workload, without its kind.
    pub(super) fn workload_name(&self) -> &str {
        name_of(&self.workload)
    }

    /// What people call it: the service, and the container where it is one of several.
    pub(super) fn title(&self) -> String {
        let mut all = items(&self.object, "/spec/containers").map(|container| text(container, "/name"));
        let first = all.next().flatten();
        let is_only = all.next().is_none() && first == self.container.as_deref();
        match self.container.as_deref() {
            Some(container) if !is_only && container != self.service => format!("{}/{container}", self.service),
            Some(_) | None => self.service.clone(),
        }
    }
}

/// Name of a workload, without its kind.
pub(super) fn name_of(workload: &str) -> &str {
    workload.split_once('/').map_or(workload, |(_, name)| name)
}

/// The pod: as it was delivered, or as it is now, or what the event alone tells of it.
fn object(told: &runtime::Pod, lookups: &Lookups<'_>) -> Value {
    let is_pod = |value: &Value| value.get("status").is_some() && value.get("metadata").is_some();
    let delivered = lookups.delivery().ok().and_then(|mut body| {
        let object = body.get_mut("object").map(Value::take).filter(is_pod);
        object.or_else(|| Some(body).filter(is_pod))
    });
    if let Some(object) = delivered {
        return object;
    }
    let name = told.pod.clone().map(|name| ObjectName {
        cluster: told.cluster.clone().unwrap_or_default(),
        api: "v1".to_owned(),
        resource: "pods".to_owned(),
        namespace: told.namespace.clone(),
        name,
    });
    name.and_then(|name| lookups.object(name).ok().flatten()).filter(is_pod).unwrap_or_else(|| sketch(told))
}

/// A pod of which only an event is known.
fn sketch(told: &runtime::Pod) -> Value {
    let mut terminated = json!({"reason": told.reason, "exitCode": told.exit_code, "finishedAt": told.killed_at});
    if let Value::Object(fields) = &mut terminated {
        fields.retain(|_, value| !value.is_null());
    }
    json!({
        "metadata": {"name": told.pod, "namespace": told.namespace, "uid": told.uid},
        "spec": {"nodeName": told.node, "containers": [{"name": told.container, "image": told.image}]},
        "status": {"containerStatuses": [{
            "name": told.container, "image": told.image, "restartCount": told.restarts,
            "state": {}, "lastState": {"terminated": terminated},
        }]},
    })
}

fn status<'a>(object: &'a Value, container: &str) -> Option<&'a Value> {
    CONTAINER_LISTS.iter().find_map(|(statuses, _)| named(object, statuses, container))
}

/// The end that the event tells of.
fn dead<'a>(object: &'a Value, told: &runtime::Pod) -> Option<&'a Value> {
    let status = status(object, told.container.as_deref()?)?;
    let ends = ["/state/terminated", "/lastState/terminated"].map(|place| status.pointer(place));
    let mut ends = ends.into_iter().flatten();
    let by_id = |end: &Value| text(end, "/containerID").is_some_and(|id| told.id.ends_with(id));
    let by_time = |end: &Value| told.killed_at.is_some() && time(end, "/finishedAt") == told.killed_at;
    ends.clone().find(|end| by_id(end)).or_else(|| ends.clone().find(|end| by_time(end))).or_else(|| ends.next())
}

/// The digest of the image that ran, or its name where it never came to run.
fn digest(object: &Value, told: &runtime::Pod) -> String {
    /// As many as people compare by eye.
    const DIGITS: usize = 12;
    let container = told.container.as_deref().or_else(|| text(object, "/spec/containers/0/name")).unwrap_or_default();
    let image_id = status(object, container).and_then(|status| text(status, "/imageID"));
    match image_id.and_then(|id| id.split_once("sha256:")) {
        Some((_, digest)) => digest.chars().take(DIGITS).collect(),
        None => told.image.clone().or_else(|| image_id.map(str::to_owned)).unwrap_or_default(),
    }
}
