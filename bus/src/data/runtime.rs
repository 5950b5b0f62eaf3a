//! What happens where services run: deployments, environments, incidents, pods, vulnerabilities.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Manner, Outcome};

/// An attempt to put a version of a service into an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Deployment {
    /// Unique among all tools: `host/owner/name/deployments/123`.
    pub id: String,
    /// `host/owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The service, where the sender names one; else the catalog finds it by the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The environment, in the sender's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// True or false where the sender says whether this is production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub production: Option<bool>,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// Branch or tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The version, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What was deployed, as a package URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Rollback or hotfix, where the sender says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manner: Option<Manner>,
    /// Id of the deployment that this one makes good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixes: Option<String>,
}

/// An environment that services are deployed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Environment {
    /// The sender's id.
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Something that went wrong for users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Incident {
    /// Unique among all tools.
    pub id: String,
    /// The service that suffers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `host/owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// In the sender's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What was running, as a package URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Id, version or commit of the deployment that is to blame, where the sender says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// When it was noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<DateTime<Utc>>,
    /// When somebody took it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<DateTime<Utc>>,
}

/// A pod that did not keep running.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pod {
    /// What was killed, unique among all clusters: pod, container and which run of it. One kill has one id.
    pub id: String,
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The pod's uid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Name of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What owns the pod: `Deployment/checkout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Where it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// In the cluster's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Exit code of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How often it was restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub killed_at: Option<DateTime<Utc>>,
    /// It was not seen as it happened, but found later by comparing what is there with what was.
    #[serde(skip_serializing_if = "super::is_false")]
    pub synthetic: bool,
}

/// A node under pressure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Node {
    /// Unique among all clusters.
    pub id: String,
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Name of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What is short, in the cluster's word: `MemoryPressure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<String>,
    /// As the node says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
}

/// A known vulnerability in something a repository uses or holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Vulnerability {
    /// Unique among all tools.
    pub id: String,
    /// `host/owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// In the sender's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<DateTime<Utc>>,
    /// When it was gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<DateTime<Utc>>,
}
