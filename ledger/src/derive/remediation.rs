//! Which deployments failed: those that a rollback, a hotfix or the revert of one of their changes follows in time.
//!
//! A rollback makes good every deployment that it takes back, not everything of the last day: what still stands after
//! it was not the trouble.

use std::collections::HashMap;

use super::deployments::{Kind, Logical, stream_place};
use super::graph::Graph;
use super::reach::brought_by;
use super::{Changes, DeploymentIx, Reach, within};
use crate::rules::Rules;

/// Marks each successful deployment with the first that makes it good.
pub(super) fn mark(
    deployments: &mut [Logical],
    reached: &[Reach],
    changes: &Changes<'_>,
    graph: &Graph<'_>,
    rules: &Rules,
) {
    let mut found: Vec<(DeploymentIx, DeploymentIx)> = Vec::new();
    let named = names(deployments);
    for (ix, deployment) in (0..).map(DeploymentIx).zip(deployments.iter()) {
        if !deployment.succeeded() {
            continue;
        }
        match deployment.kind {
            Kind::Deploy => {}
            Kind::Rollback => {
                found.extend(taken_back(deployments, deployment, graph, rules).map(|failed| (failed, ix)))
            }
            Kind::Hotfix => {
                let linked = deployment.fixes.as_deref().and_then(|name| named.get(name)).copied();
                found.extend(linked.or(deployment.previous).map(|failed| (failed, ix)));
            }
        }
    }
    found.extend(reverts(deployments, reached, changes));
    // In order of ends, so that the first one stays.
    found.sort_unstable_by_key(|(failed, remedy)| (*remedy, *failed));
    for (failed, remedy) in found {
        let Some(finished_at) = deployments.get(remedy.index()).map(|remedy| remedy.finished_at) else { continue };
        let Some(failed) = deployments.get_mut(failed.index()).filter(|failed| failed.succeeded()) else { continue };
        if failed.remediated_by.is_none() && within(failed.finished_at, finished_at, rules.remediation_window()) {
            failed.remediated_by = Some(remedy);
        }
    }
}

/// Deployments by the names that a link may use.
fn names(deployments: &[Logical]) -> HashMap<&str, DeploymentIx> {
    let mut names = HashMap::new();
    for (ix, deployment) in (0..).map(DeploymentIx).zip(deployments) {
        for key in std::iter::once(&deployment.key).chain(deployment.duplicates.iter().map(|(key, _, _)| key)) {
            names.entry(key.0.as_str()).or_insert(ix);
        }
    }
    names
}

/// The deployment before a rollback, and further back those that it takes back too: until one that still stands.
fn taken_back<'d>(
    deployments: &'d [Logical],
    rollback: &'d Logical,
    graph: &'d Graph<'_>,
    rules: &'d Rules,
) -> impl Iterator<Item = DeploymentIx> + 'd {
    let in_time = move |ix: &DeploymentIx| {
        let earlier = deployments.get(ix.index());
        earlier.is_some_and(|earlier| within(earlier.finished_at, rollback.finished_at, rules.remediation_window()))
    };
    let before = move |ix: &DeploymentIx| deployments.get(ix.index()).and_then(|deployment| deployment.previous);
    let target = rollback.node(graph);
    let is_taken_back = move |ix: &DeploymentIx| {
        let Some(earlier) = deployments.get(ix.index()) else { return false };
        match (target, earlier.node(graph)) {
            (Some(target), Some(earlier)) => earlier != target && !graph.is_ancestor(earlier, target),
            // Without a graph only the same content tells where it went back to; if that is not found, one step.
            (None, _) | (_, None) => {
                !earlier.same_content(rollback) && goes_back_to_known(deployments, *ix, rollback, rules)
            }
        }
    };
    let further = std::iter::successors(rollback.previous.as_ref().and_then(before), before);
    rollback.previous.into_iter().chain(further.take_while(in_time).take_while(is_taken_back))
}

/// True if the stream deployed what `rollback` deploys before `ix`, within the window.
fn goes_back_to_known(deployments: &[Logical], ix: DeploymentIx, rollback: &Logical, rules: &Rules) -> bool {
    let before = |ix: &DeploymentIx| deployments.get(ix.index()).and_then(|deployment| deployment.previous);
    std::iter::successors(Some(ix), before)
        .filter_map(|ix| deployments.get(ix.index()))
        .take_while(|earlier| within(earlier.finished_at, rollback.finished_at, rules.remediation_window()))
        .any(|earlier| earlier.same_content(rollback))
}

/// Pairs (deployment that brought a change, deployment of the same stream that brought its revert).
fn reverts(deployments: &[Logical], reached: &[Reach], changes: &Changes<'_>) -> Vec<(DeploymentIx, DeploymentIx)> {
    let brought = brought_by(deployments, reached);
    let pair = |reach: &Reach| {
        let reverted = changes.info.get(reach.change.index())?.reverts?;
        let place = stream_place(deployments.get(reach.deployment.index())?);
        let failed = brought.get(&(place, reverted)).copied()?;
        (failed < reach.deployment).then_some((failed, reach.deployment))
    };
    reached.iter().filter_map(pair).collect()
}
