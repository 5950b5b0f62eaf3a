//! Nodes: what is short, and what is not ready.

use bus::data::Data;
use bus::data::runtime;
use bus::ids::OrderKey;
use bus::kind::Kind;

use super::payload::{Body, Change, Condition, Node};
use super::told::{KnownAs, Told, subject};
use crate::sender::Draft;

/// Conditions that are trouble when they are true.
const PRESSURES: &[&str] = &["MemoryPressure", "DiskPressure", "PIDPressure"];

pub(super) fn drafts(told: &Told<'_>, body: &Body<Node>) -> Vec<Draft> {
    let node = &body.object;
    let id = format!("{}/{}", told.cluster, node.metadata.name);
    let mut drafts: Vec<Draft> = Vec::new();
    if body.change != Change::Deleted {
        drafts.extend(troubles(node).map(|(pressure, condition)| {
            let data = runtime::Node {
                id: id.clone(),
                cluster: Some(told.cluster.to_owned()),
                node: Some(node.metadata.name.clone()),
                pressure: Some(pressure.to_owned()),
                message: condition.message.clone(),
                since: condition.last_transition_time,
            };
            let subject = subject("Node", None, &node.metadata.name);
            let draft = told.draft(Kind::NodePressured, subject, condition.last_transition_time, Data::Node(data));
            draft.known_as(&identity(node, condition))
        }));
    }
    if drafts.is_empty() {
        let other = told.other(&node.metadata, "Node", body.change.word(), None);
        drafts.push(Draft { key: OrderKey(id), ..other });
    }
    drafts
}

/// What a change must bring to matter: trouble, or that the node takes no more pods.
pub(super) fn marks(node: &Node) -> Vec<String> {
    let troubles = troubles(node).map(|(_, condition)| format!("{}/{}", identity(node, condition), condition.status));
    let cordoned = node.spec.unschedulable.then(|| "unschedulable".to_owned());
    let taints = node.spec.taints.iter().map(|taint| format!("taint/{}/{}", taint.key, taint.effect));
    troubles.chain(cordoned).chain(taints).collect()
}

/// What is wrong with it, in one word, and since when.
fn troubles(node: &Node) -> impl Iterator<Item = (&str, &Condition)> {
    node.status.conditions.iter().filter_map(|condition| match condition.kind.as_str() {
        "Ready" => (!condition.is_true()).then_some(("NotReady", condition)),
        kind => (PRESSURES.contains(&kind) && condition.is_true()).then_some((kind, condition)),
    })
}

fn identity(node: &Node, condition: &Condition) -> String {
    let since = condition.last_transition_time.map(|at| at.timestamp()).unwrap_or_default();
    format!("{}/{}/{since}", node.metadata.uid, condition.kind)
}
