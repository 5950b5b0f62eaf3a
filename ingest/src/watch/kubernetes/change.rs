//! From a change to a delivery: whether it matters, and the object as the server sent it.

use bus::delivery::{NewDelivery, Verification};
use bus::ids::DeliveryId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cluster;
use super::api::Trouble;
use super::known::{Entry, Known, tell};
use crate::senders::kubernetes::{
    CLUSTER, Change, ENVIRONMENT, Metadata, RESOURCE, ReplicaSetNote, Resource, SYNTHETIC, delivery_name, essence,
};

/// How a change came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The server told of it.
    Seen,
    /// It is found in the list of that number.
    Found(u32),
}

/// A change that matters.
#[derive(Debug)]
pub(super) struct Found {
    change: Change,
    pub(super) object: Value,
    metadata: Metadata,
    how: How,
    /// What is known of its replica sets, if it is a deployment.
    pub(super) replica_sets: Option<Vec<ReplicaSetNote>>,
}

/// Notes a change, and returns it if it matters.
pub(super) fn consider(
    known: &mut Known,
    resource: Resource,
    change: Change,
    object: Value,
    how: How,
) -> Option<Found> {
    let metadata = Metadata::deserialize(object.get("metadata")?).ok().filter(|metadata| !metadata.uid.is_empty())?;
    let mut told = known.get(&metadata.uid).map(|entry| entry.told.clone()).unwrap_or_default();
    let trouble_before = !told.is_empty();
    let news = tell(&mut told, &essence(resource, &object));
    let matters = match change {
        Change::Added | Change::Modified => news,
        Change::Deleted => news || deletion_matters(resource, trouble_before),
    };
    let keep = change != Change::Deleted && (remembers_all(resource) || !told.is_empty());
    let listed = match how {
        How::Seen => 0,
        How::Found(list) => list,
    };
    let name = [metadata.namespace.as_deref(), Some(metadata.name.as_str())];
    let name = name.into_iter().flatten().collect::<Vec<_>>().join("/").into();
    let entry = Entry { version: metadata.resource_version.as_str().into(), name, told, listed };
    known.stage(&metadata.uid, keep.then_some(entry));
    matters.then(|| Found { change, object: without_managed_fields(object), metadata, how, replica_sets: None })
}

/// Notes that an object is in no list any more, and returns that if it matters. What it was last is not known.
pub(super) fn consider_gone(
    known: &mut Known,
    resource: Resource,
    uid: &str,
    entry: &Entry,
    list: u32,
) -> Option<Found> {
    known.stage(uid, None);
    let (namespace, name) = match entry.name.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, &*entry.name),
    };
    let mut object = json!({"metadata": {"uid": uid, "name": name, "resourceVersion": entry.version}});
    if let (Some(namespace), Some(metadata)) = (namespace, object.get_mut("metadata").and_then(Value::as_object_mut)) {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    let metadata = Metadata::deserialize(object.get("metadata")?).ok()?;
    let matters = deletion_matters(resource, !entry.told.is_empty()) || resource == Resource::Pods;
    matters.then_some(Found { change: Change::Deleted, object, metadata, how: How::Found(list), replica_sets: None })
}

/// That a pod is gone matters if there was trouble with it, or if nobody saw how it went.
fn deletion_matters(resource: Resource, trouble_before: bool) -> bool {
    match resource {
        Resource::Pods => trouble_before,
        Resource::Nodes | Resource::Deployments => true,
        Resource::Events | Resource::ReplicaSets => false,
    }
}

/// Of events only those are remembered that are taken: they are many, and that they are gone says nothing.
fn remembers_all(resource: Resource) -> bool {
    match resource {
        Resource::Pods | Resource::Nodes | Resource::Deployments => true,
        Resource::Events | Resource::ReplicaSets => false,
    }
}

/// Who wrote which field when: as long as the object, and nobody asks for it.
fn without_managed_fields(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// The delivery of a change.
pub(super) fn delivery(
    cluster: &Cluster,
    resource: Resource,
    found: &Found,
    received_at: DateTime<Utc>,
) -> Result<NewDelivery, Trouble> {
    #[derive(Serialize)]
    struct Body<'f> {
        r#type: Change,
        object: &'f Value,
        #[serde(rename = "replicaSets", skip_serializing_if = "Option::is_none")]
        replica_sets: Option<&'f [ReplicaSetNote]>,
    }
    let name = delivery_name(resource, found.change, &found.metadata);
    let delivery_id: DeliveryId = name.parse().map_err(|error| Trouble::failed(format!("{error}")))?;
    let body = Body { r#type: found.change, object: &found.object, replica_sets: found.replica_sets.as_deref() };
    let body = serde_json::to_vec(&body).map_err(|error| Trouble::failed(format!("{name}: {error}")))?;
    let mut headers = vec![(RESOURCE, resource.name().to_owned()), (CLUSTER, cluster.name.to_string())];
    headers.extend(cluster.environment.clone().map(|environment| (ENVIRONMENT, environment)));
    headers.extend(matches!(found.how, How::Found(_)).then(|| (SYNTHETIC, "relist".to_owned())));
    Ok(NewDelivery {
        source: cluster.name.source().clone(),
        delivery_id,
        received_at,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        content_type: Some("application/json".to_owned()),
        body,
        verification: Verification::Local,
    })
}
