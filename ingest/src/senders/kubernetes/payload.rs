//! The parts of objects that are read. Only those; everything else is skipped unread.
//!
//! Shapes: the API reference of Kubernetes 1.34, and recorded objects under `ingest/testdata/kubernetes/`. Lists and
//! objects may be null where they are empty, since clients in Go write them so.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What a null stands for.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The body of a delivery: a change, as a watch tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Body<T> {
    #[serde(rename = "type")]
    pub(super) change: Change,
    pub(super) object: T,
    /// Of a deployment, what is needed of its replica sets.
    #[serde(default, rename = "replicaSets")]
    pub(super) replica_sets: Vec<ReplicaSetNote>,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Change {
    /// It is new, or was not known.
    Added,
    /// It is another than before.
    Modified,
    /// It is gone; the object is as it was last.
    Deleted,
}

impl Change {
    /// The word of the end of a kind: `modified`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

/// What every object says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) resource_version: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) owner_references: Vec<Owner>,
    pub(crate) generation: Option<i64>,
    pub(crate) creation_timestamp: Option<DateTime<Utc>>,
    /// When its time to end well is over, not when its end was asked for.
    pub(crate) deletion_timestamp: Option<DateTime<Utc>>,
    pub(crate) deletion_grace_period_seconds: Option<i64>,
}

impl Metadata {
    /// What manages it, or else the first that it belongs to.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller).or(self.owner_references.first())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) controller: bool,
}

/// A condition of a pod, a node or a deployment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) reason: String,
    pub(super) message: Option<String>,
    pub(super) last_transition_time: Option<DateTime<Utc>>,
    pub(super) last_update_time: Option<DateTime<Utc>>,
}

impl Condition {
    pub(super) fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// The condition of that type.
pub(super) fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(super) spec: PodSpec,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: PodStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) node_name: Option<String>,
    pub(super) restart_policy: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: Option<String>,
    pub(super) restart_policy: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodStatus {
    pub(super) reason: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    pub(super) container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    pub(super) ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) name: String,
    pub(super) image: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) restart_count: u32,
    #[serde(deserialize_with = "or_default")]
    pub(super) state: ContainerState,
    #[serde(deserialize_with = "or_default")]
    pub(super) last_state: ContainerState,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) waiting: Option<Waiting>,
    pub(super) terminated: Option<Terminated>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    #[serde(deserialize_with = "or_default")]
    pub(super) reason: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Terminated {
    #[serde(deserialize_with = "exit_code")]
    pub(super) exit_code: i32,
    pub(super) reason: Option<String>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    #[serde(rename = "containerID")]
    pub(super) container_id: Option<String>,
}

/// Windows counts its codes without a sign: 3221225786 is what others call -1073741510.
fn exit_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let code = i64::deserialize(deserializer)?;
    let signed = i32::try_from(code).ok().or_else(|| u32::try_from(code).ok().map(u32::cast_signed));
    signed.ok_or_else(|| D::Error::custom(format!("exit code {code} does not fit into 32 bits")))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(super) spec: NodeSpec,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: NodeStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeSpec {
    #[serde(deserialize_with = "or_default")]
    pub(super) unschedulable: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) taints: Vec<Taint>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Taint {
    pub(super) key: String,
    pub(super) effect: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    #[serde(deserialize_with = "or_default")]
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deployment {
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(super) spec: DeploymentSpec,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: DeploymentStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeploymentSpec {
    /// One, where nothing is said.
    pub(super) replicas: Option<u32>,
    #[serde(deserialize_with = "or_default")]
    pub(super) template: Template,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    #[serde(deserialize_with = "or_default")]
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(super) spec: PodSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DeploymentStatus {
    pub(super) observed_generation: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pub(super) replicas: u32,
    #[serde(deserialize_with = "or_default")]
    pub(super) updated_replicas: u32,
    #[serde(deserialize_with = "or_default")]
    pub(super) available_replicas: u32,
    #[serde(deserialize_with = "or_default")]
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplicaSet {
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(super) spec: DeploymentSpec,
}

/// What a rollout needs to know of a replica set: noted by the watch beside the deployment, because the two are objects
/// of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ReplicaSetNote {
    /// Its name.
    pub(crate) name: String,
    /// The revision of the deployment that it is now.
    pub(crate) revision: u64,
    /// The revisions that it was before, as the annotation says them: it was rolled back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision_history: Option<String>,
    /// What its pods run.
    pub(crate) images: Vec<String>,
    /// A digest of its template without what `rollout restart` changes: two of the same differ by a restart only.
    pub(crate) template: String,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<DateTime<Utc>>,
}

/// An event of either interface: `v1` and `events.k8s.io/v1` tell the same objects in other words.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(super) reason: String,
    #[serde(alias = "regarding", deserialize_with = "or_default")]
    pub(super) involved_object: Involved,
    #[serde(alias = "deprecatedCount", deserialize_with = "or_default")]
    pub(super) count: u64,
    pub(super) event_time: Option<DateTime<Utc>>,
    #[serde(alias = "deprecatedLastTimestamp")]
    pub(super) last_timestamp: Option<DateTime<Utc>>,
    #[serde(alias = "deprecatedFirstTimestamp")]
    pub(super) first_timestamp: Option<DateTime<Utc>>,
    pub(super) series: Option<Series>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Involved {
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Series {
    #[serde(deserialize_with = "or_default")]
    pub(super) count: u64,
    pub(super) last_observed_time: Option<DateTime<Utc>>,
}

/// What is known of any object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Any {
    #[serde(deserialize_with = "or_default")]
    pub(super) kind: String,
    pub(super) metadata: Metadata,
}
