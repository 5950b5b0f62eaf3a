//! The message of a node in trouble.

use bus::data::runtime::Pod;
use bus::kind::Kind;
use serde_json::Value;

use super::super::bus_events::{Killed, Told};
use super::super::facts::troubles;
use super::super::json::text;
use super::super::message::{ACKNOWLEDGE, SNOOZE, open};
use super::super::ownership::platform;
use super::super::words::{count, moment, moment_after};
use super::{Storm, by_owner, state_key};
use crate::action::Action;
use crate::lookups::{Lookups, ObjectName, OwnedThing};
use crate::message::{Block, Button, Field, Message, Press, Span};

/// Workloads that are named.
const WORKLOADS_MAX: usize = 10;

/// Posts it, or brings it up to date.
pub(super) fn post(
    storm: &Storm,
    (cluster, node): (&str, &str),
    killed: &Killed,
    is_over: bool,
    lookups: &Lookups<'_>,
) -> Action {
    let group = format!("{}@{}", state_key(cluster, node), storm.first.timestamp());
    let kills = killed.pods.as_slice();
    let owners = by_owner(kills);
    let more = if killed.are_all { "" } else { " or more" };
    let evicted = kills.iter().all(|told| told.kind == Kind::PodEvicted);
    let verb = if evicted { "evicted" } else { "killed" };
    let what = format!("{}{more} of {}", count(kills.len(), "pod"), count(owners.len(), "workload"));
    let mark = if is_over { "✅ " } else { "" };
    let heading = format!("{mark}Node {node}: {what} {verb}");
    let (state, troubled) = node_now(cluster, node, lookups);
    let mut blocks = vec![
        Block::Heading(heading.clone()),
        Block::Text(vec![Span::plain(format!("For example: {}", storm.sentence))]),
        Block::Text(since(storm, is_over)),
        Block::Text(vec![
            Span::bold("What to do: "),
            Span::plain(format!("look at the node before the workloads. {} See ", storm.todo)),
            Span::code(format!("kubectl describe node {node}")),
        ]),
        Block::Fields(vec![Field::new("Node", state), Field::new("Kills", what)]),
        Block::List(workloads(&owners, kills, lookups)),
    ];
    let cost = lookups.cost();
    let place = if cluster.is_empty() { node.to_owned() } else { format!("{cluster} / {node}") };
    let troubled = troubled.map(|gap| format!(" · {gap}")).unwrap_or_default();
    let small = format!(
        "{place} · {}, {} ms{troubled}",
        count(usize::try_from(cost.calls).unwrap_or_default(), "API call"),
        cost.millis
    );
    blocks.push(Block::Context(vec![Span::plain(small)]));
    if !is_over {
        blocks.push(Block::Buttons(buttons(storm, &group, lookups)));
    }
    let message = Message { summary: heading, blocks };
    Action::PostMessage { audience: platform(lookups), message, group: Some(group), in_thread_of: None }
}

fn since(storm: &Storm, is_over: bool) -> Vec<Span> {
    let last = moment_after(storm.last, storm.first);
    let mut spans = vec![Span::bold(format!("Since {}", moment(storm.first))), Span::plain(format!(", last {last}."))];
    if let Some(pressed) = &storm.acknowledged {
        spans.push(Span::plain(" Acknowledged by "));
        spans.push(Span::Person(pressed.by.clone()));
        spans.push(Span::plain(format!(" at {}.", moment_after(pressed.at, storm.first))));
    }
    if is_over {
        spans.push(Span::bold(" No kill since then."));
    }
    spans
}

/// What the node says of itself now, and why that is not known.
fn node_now(cluster: &str, node: &str, lookups: &Lookups<'_>) -> (String, Option<String>) {
    let found = lookups.object(ObjectName {
        cluster: cluster.to_owned(),
        api: "v1".to_owned(),
        resource: "nodes".to_owned(),
        namespace: None,
        name: node.to_owned(),
    });
    match found {
        Ok(Some(object)) => (format!("{node}: {}", condition(&object)), None),
        Ok(None) => (format!("{node}: gone from the cluster"), None),
        Err(unavailable) => (node.to_owned(), Some(format!("the node: {unavailable}"))),
    }
}

fn condition(node: &Value) -> String {
    let troubles: Vec<_> = troubles(node).collect();
    let machine = text(node, "/status/nodeInfo/kubeletVersion").map(|version| format!(", kubelet {version}"));
    let state = if troubles.is_empty() { "ready".to_owned() } else { troubles.join(", ") };
    format!("{state}{}", machine.unwrap_or_default())
}

/// The workloads that were hit most, each with its team.
fn workloads(owners: &[(String, usize)], kills: &[Told<Pod>], lookups: &Lookups<'_>) -> Vec<Vec<Span>> {
    let mut lines: Vec<Vec<Span>> = owners
        .iter()
        .take(WORKLOADS_MAX)
        .map(|(owner, many)| {
            let pod = kills.iter().map(|told| &told.data).find(|pod| super::owner(pod) == *owner);
            let team = pod.and_then(|pod| {
                let (service, namespace) = (pod.service.clone(), pod.namespace.clone());
                lookups.owner(OwnedThing { service, namespace, ..OwnedThing::default() }).team
            });
            let team = team.map(|team| format!(", team {team}")).unwrap_or_default();
            vec![Span::plain(format!("{owner}: {}{team}", count(*many, "pod")))]
        })
        .collect();
    if owners.len() > WORKLOADS_MAX {
        lines.push(vec![Span::plain(format!("and {}", count(owners.len() - WORKLOADS_MAX, "other workload")))]);
    }
    lines
}

fn buttons(storm: &Storm, group: &str, lookups: &Lookups<'_>) -> Vec<Button> {
    let answer = |label: &str, button: &str| Button {
        label: label.to_owned(),
        does: Press::Answer { button: button.to_owned(), value: group.to_owned() },
    };
    let report = super::super::report_address(storm.leader, lookups);
    let mut buttons: Vec<Button> = report.as_deref().map(open).into_iter().collect();
    if storm.acknowledged.is_none() {
        buttons.push(answer("Acknowledge", ACKNOWLEDGE));
    }
    buttons.push(answer("Snooze 1 h", SNOOZE));
    buttons
}
