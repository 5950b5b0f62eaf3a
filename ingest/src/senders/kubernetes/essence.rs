//! What of an object matters: whether a change brings anything that could be told. Pure, and beside the senders' reading
//! of the same objects, so that the two cannot come apart.

use serde::Deserialize;
use serde_json::Value;

use super::Resource;
use super::deployments::{REVISION, REVISION_HISTORY};
use super::payload::{Deployment, Event, Node, Pod, ReplicaSet, ReplicaSetNote, Template};
use super::{deployments, events, nodes, pods};

/// The annotation that `kubectl rollout restart` sets, and nothing else.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// The label that the controller adds to the template of a replica set.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Digests of the single things that can be told of an object. A change matters if it brings one that was not there.
pub(crate) type Essence = Vec<u64>;

/// What of an object matters. An object that cannot be read matters as it is: its delivery then says so in quarantine.
pub(crate) fn essence(resource: Resource, object: &Value) -> Essence {
    let marks = match resource {
        Resource::Pods => Pod::deserialize(object).map(|pod| pods::marks(&pod)),
        Resource::Events => Event::deserialize(object).map(|event| events::marks(&event)),
        Resource::Nodes => Node::deserialize(object).map(|node| nodes::marks(&node)),
        Resource::Deployments => Deployment::deserialize(object).map(|deployment| deployments::marks(&deployment)),
        Resource::ReplicaSets => ReplicaSet::deserialize(object).map(|set| deployments::replica_set_marks(&set)),
    };
    let marks = marks.unwrap_or_else(|error| vec![format!("unreadable: {error}")]);
    marks.iter().map(|mark| digest(mark.as_bytes())).collect()
}

/// True for a deployment whose rollout is finished: its replica sets belong into the delivery.
pub(crate) fn wants_replica_sets(resource: Resource, object: &Value) -> bool {
    resource == Resource::Deployments && Deployment::deserialize(object).is_ok_and(|d| deployments::is_finished(&d))
}

/// What is needed of a replica set, if it belongs to the deployment of that uid.
pub(crate) fn note(set: &Value, deployment: &str) -> Option<ReplicaSetNote> {
    let read = ReplicaSet::deserialize(set).ok()?;
    let metadata = read.metadata;
    metadata.owner_references.iter().find(|owner| owner.uid == deployment)?;
    Some(ReplicaSetNote {
        revision: metadata.annotations.get(REVISION)?.parse().ok()?,
        revision_history: metadata.annotations.get(REVISION_HISTORY).cloned(),
        images: images(&read.spec.template),
        template: template_digest(set.pointer("/spec/template")?),
        created_at: metadata.creation_timestamp,
        name: metadata.name,
    })
}

fn images(template: &Template) -> Vec<String> {
    template.spec.containers.iter().filter_map(|container| container.image.clone()).collect()
}

/// A digest of a template without what a restart changes.
fn template_digest(template: &Value) -> String {
    let mut template = template.clone();
    for (map, key) in [("/metadata/annotations", RESTARTED_AT), ("/metadata/labels", TEMPLATE_HASH)] {
        if let Some(map) = template.pointer_mut(map).and_then(Value::as_object_mut) {
            map.remove(key);
        }
    }
    // The restart may have been the first annotation: none and no longer any are the same.
    if let Some(metadata) = template.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    }
    format!("{:016x}", digest(template.to_string().as_bytes()))
}

fn digest(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}
