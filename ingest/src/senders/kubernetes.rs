//! Kubernetes: deliveries that [`crate::watch::kubernetes`] makes of what changes in a cluster. Nothing comes over HTTP.
//!
//! The body is a change as a watch tells it, `{"type":"MODIFIED","object":{…}}`, with the object as the server sent it
//! but for its managed fields; headers say which resource it is, of which cluster. The same kill, rollout or trouble is
//! told by many deliveries: each has an identity of its own, so it is one event.
//!
//! Attributes: `source` is the cluster, `subject` the object as `Pod/shop/checkout-1`, `time` when it happened by the
//! cluster's clocks, or when it was seen where the object says no time.

mod deployments;
mod essence;
mod events;
mod nodes;
mod payload;
mod pods;
#[cfg(test)]
mod tests;
mod told;
mod workload;

use bus::delivery::Delivery;
use bus::ids::DeliveryId;
use http::HeaderMap;
use serde::de::DeserializeOwned;

pub(crate) use essence::{Essence, essence, note, wants_replica_sets};
use payload::{Any, Body};
pub(crate) use payload::{Change, Metadata, ReplicaSetNote};
use told::Told;

use crate::sender::{Draft, Scheme, Sender, Unreadable, receipt};

/// The header that says which resource an object is of.
pub(crate) const RESOURCE: &str = "devhose-resource";
/// The header that names the cluster.
pub(crate) const CLUSTER: &str = "devhose-cluster";
/// The header that names the environment of the cluster.
pub(crate) const ENVIRONMENT: &str = "devhose-environment";
/// The header that says that the change was not seen but found.
pub(crate) const SYNTHETIC: &str = "devhose-synthetic";

/// An object of a cluster is at most what etcd stores, 1.5 MB; the notes beside it are small.
const BODY_BYTES_MAX: usize = 4 << 20;

/// Clusters as a sender.
pub const KUBERNETES: Sender = Sender {
    name: "kubernetes",
    title: "Kubernetes",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::Local,
    headers: &[RESOURCE, CLUSTER, ENVIRONMENT, SYNTHETIC],
    media_types: &["application/json"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Resource {
    Pods,
    Events,
    Nodes,
    Deployments,
    ReplicaSets,
}

impl Resource {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Pods, Self::Events, Self::Nodes, Self::Deployments, Self::ReplicaSets];

    /// As in the addresses of the interface: `pods`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Events => "events",
            Self::Nodes => "nodes",
            Self::Deployments => "deployments",
            Self::ReplicaSets => "replicasets",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.name() == name)
    }
}

/// What the delivery of a version of an object is called.
pub(crate) fn delivery_name(resource: Resource, change: Change, metadata: &Metadata) -> String {
    let deleted = if change == Change::Deleted { "/deleted" } else { "" };
    format!("{}/{}/{}{deleted}", resource.name(), metadata.uid, metadata.resource_version)
}

fn delivery_id(headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    let resource = Resource::parse(headers.get(RESOURCE)?.to_str().ok()?)?;
    let body: Body<Any> = serde_json::from_slice(body).ok()?;
    delivery_name(resource, body.change, &body.object.metadata).parse().ok()
}

/// The word is the resource: `devhose send --as kubernetes:pods`.
fn headers_for(event: &str, _delivery_id: &str) -> Vec<(&'static str, String)> {
    let resource = Resource::parse(event).unwrap_or(Resource::Pods).name().to_owned();
    vec![("content-type", "application/json".to_owned()), (RESOURCE, resource)]
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let told = Told::read(delivery)?;
    Ok(match told.resource {
        Resource::Pods => pods::drafts(&told, &read(delivery)?),
        Resource::Events => events::drafts(&told, &read(delivery)?),
        Resource::Nodes => nodes::drafts(&told, &read(delivery)?),
        Resource::Deployments => deployments::drafts(&told, &read(delivery)?),
        Resource::ReplicaSets => deployments::replica_set_drafts(&told, &read(delivery)?),
    })
}

fn read<T: DeserializeOwned>(delivery: &Delivery) -> Result<Body<T>, Unreadable> {
    serde_json::from_slice(&delivery.content.body)
        .map_err(|error| Unreadable(format!("the body is no change: {error}")))
}
