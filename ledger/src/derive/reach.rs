//! Which changes each deployment brought: by the commit graph where it is known, else by time.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::deployments::{Logical, by_tier, stream_place};
use super::graph::{Graph, Node, Seen};
use super::places::{Place, RepositoryCode, ServiceCode};
use super::{ChangeIx, Changes, DeploymentIx, Reach, ReachedBy, Waiting};
use crate::rules::Rules;

/// Walks every stream once, from its first deployment to its latest. Each stream visits each commit at most once.
pub(super) fn reach(
    deployments: &mut [Logical],
    changes: &Changes<'_>,
    graph: &Graph<'_>,
    rules: &Rules,
) -> (Vec<Reach>, Vec<Waiting>) {
    let candidates = Candidates::new(changes);
    let (mut reached, mut waiting) = (Vec::new(), Vec::new());
    for (place, stream) in by_tier(deployments) {
        let repository = stream
            .iter()
            .rev()
            .filter_map(|ix| deployments.get(ix.index()))
            .find_map(|deployment| deployment.place.repository);
        let Some(repository) = repository else { continue };
        let here = candidates.of(repository, place.service);
        let mut walk = StreamWalk::new(&here, &candidates, changes, graph);
        for ix in stream {
            let Some(deployment) = deployments.get_mut(ix.index()) else { continue };
            let unknown_base = walk.previous.is_none() && !rules.first_deployment_has_lead_times;
            let before = reached.len();
            walk.step(deployment, |change, by| {
                reached.push(Reach { change, deployment: ix, by, unknown_base });
            });
            deployment.changes = (!unknown_base).then_some((reached.len() - before) as u64);
        }
        waiting.extend(walk.left(place));
    }
    reached.sort_by_key(|reach| (reach.deployment, reach.change));
    (reached, waiting)
}

/// Merged changes by repository in order of merging, and by commit.
struct Candidates {
    by_repository: BTreeMap<RepositoryCode, Vec<Candidate>>,
    /// By number of commit: the change that it is the merge of. A second one is in `twins`.
    at_node: Vec<Option<ChangeIx>>,
    twins: BTreeMap<Node, Vec<ChangeIx>>,
}

#[derive(Clone, Copy)]
struct Candidate {
    change: ChangeIx,
    merged_at: DateTime<Utc>,
    in_graph: bool,
}

impl Candidates {
    fn new(changes: &Changes<'_>) -> Self {
        let nodes = changes.info.iter().filter_map(|info| info.node).map(|node| node.index() + 1).max().unwrap_or(0);
        let mut candidates =
            Self { by_repository: BTreeMap::new(), at_node: vec![None; nodes], twins: BTreeMap::new() };
        for (ix, ((_, change), info)) in (0..).map(ChangeIx).zip(changes.facts.iter().zip(&changes.info)) {
            let (Some(merged), Some(repository), false) = (change.merged, info.repository, info.is_merge_of_another)
            else {
                continue;
            };
            let candidate = Candidate { change: ix, merged_at: merged.at, in_graph: info.node.is_some() };
            candidates.by_repository.entry(repository).or_default().push(candidate);
            if let Some(node) = info.node {
                match candidates.at_node.get_mut(node.index()) {
                    Some(slot @ None) => *slot = Some(ix),
                    Some(Some(_)) | None => candidates.twins.entry(node).or_default().push(ix),
                }
            }
        }
        for list in candidates.by_repository.values_mut() {
            list.sort_by_key(|candidate| (candidate.merged_at, candidate.change));
        }
        candidates
    }

    /// Those of a repository that touch a service; all of them if it is not known which service was deployed.
    fn of<'c>(&'c self, repository: RepositoryCode, service: Option<ServiceCode>) -> Here<'c> {
        Here { all: self.by_repository.get(&repository).map_or(&[][..], Vec::as_slice), service }
    }

    fn at(&self, node: Node) -> impl Iterator<Item = ChangeIx> {
        let first = self.at_node.get(node.index()).copied().flatten();
        // Nearly every commit is the merge of no change or of one.
        let more = first.and_then(|_| self.twins.get(&node)).map_or(&[][..], Vec::as_slice);
        first.into_iter().chain(more.iter().copied())
    }
}

struct Here<'c> {
    all: &'c [Candidate],
    service: Option<ServiceCode>,
}

impl Here<'_> {
    fn touches(&self, changes: &Changes<'_>, change: ChangeIx) -> bool {
        let Some(service) = self.service else { return true };
        changes.info.get(change.index()).is_some_and(|info| info.services.contains(&service))
    }

    /// Merged after `after` and not after `until`.
    fn merged_between(&self, after: Option<DateTime<Utc>>, until: DateTime<Utc>) -> &[Candidate] {
        let start = after.map_or(0, |after| self.all.partition_point(|candidate| candidate.merged_at <= after));
        let end = self.all.partition_point(|candidate| candidate.merged_at <= until);
        self.all.get(start..end).unwrap_or_default()
    }
}

/// The state between two deployments of a stream.
struct StreamWalk<'c, 'f> {
    here: &'c Here<'c>,
    candidates: &'c Candidates,
    changes: &'c Changes<'f>,
    graph: &'c Graph<'f>,
    seen: Seen,
    reached: HashSet<ChangeIx>,
    deployed: HashSet<String>,
    previous: Option<DateTime<Utc>>,
}

impl<'c, 'f> StreamWalk<'c, 'f> {
    fn new(here: &'c Here<'c>, candidates: &'c Candidates, changes: &'c Changes<'f>, graph: &'c Graph<'f>) -> Self {
        let (seen, reached) = (graph.nothing_seen(), HashSet::new());
        Self { here, candidates, changes, graph, seen, reached, deployed: HashSet::new(), previous: None }
    }

    /// Tells the changes that this deployment is the first of the stream to bring.
    fn step(&mut self, deployment: &Logical, mut tell: impl FnMut(ChangeIx, ReachedBy)) {
        let by_graph = self.walk_from(deployment);
        let has_graph = by_graph.is_some();
        for change in by_graph.into_iter().flatten() {
            if self.here.touches(self.changes, change) && self.reached.insert(change) {
                tell(change, ReachedBy::CommitGraph);
            }
        }
        let taken_at = deployment.taken_at();
        if !self.was_deployed(deployment) {
            for candidate in self.here.merged_between(self.previous, taken_at) {
                let by_time = !(has_graph && candidate.in_graph);
                if by_time && self.here.touches(self.changes, candidate.change) && self.reached.insert(candidate.change)
                {
                    tell(candidate.change, ReachedBy::Time);
                }
            }
        }
        self.deployed.extend(deployment.sha.clone());
        self.previous = Some(self.previous.map_or(taken_at, |previous| previous.max(taken_at)));
    }

    /// The changes whose commits a walk comes to; none if the graph does not tell what the deployment is made of.
    fn walk_from(&mut self, deployment: &Logical) -> Option<Vec<ChangeIx>> {
        let node = deployment.node(self.graph).filter(|node| self.graph.is_known(*node))?;
        let mut found = Vec::new();
        let walked = self.graph.walk(node, &mut self.seen, |node| found.extend(self.candidates.at(node)));
        // The walk fell off the known history before it met what was deployed earlier: the range has a gap.
        let gap = self.previous.is_some() && walked.met_unknown && !walked.met_seen;
        (!gap).then_some(found)
    }

    /// True for a commit that the stream had before: going back to it brings nothing.
    fn was_deployed(&self, deployment: &Logical) -> bool {
        deployment.sha.as_ref().is_some_and(|sha| self.deployed.contains(sha))
    }

    /// What was merged and not brought by any deployment of the stream.
    fn left(self, place: Place) -> Vec<Waiting> {
        let waits = |candidate: &&Candidate| {
            let change = candidate.change;
            let to_default = self
                .changes
                .facts
                .get(change.index())
                .is_some_and(|(_, change)| change.to_default_branch != Some(false));
            to_default && self.here.touches(self.changes, change) && !self.reached.contains(&change)
        };
        let left = self.here.all.iter().filter(waits);
        left.map(|candidate| Waiting { change: candidate.change, service: place.service, tier: place.tier }).collect()
    }
}

/// By stream and change: the deployment that brought it.
pub(super) fn brought_by(deployments: &[Logical], reached: &[Reach]) -> HashMap<(Place, ChangeIx), DeploymentIx> {
    let known = reached.iter().filter(|reach| !reach.unknown_base);
    known
        .filter_map(|reach| {
            let deployment = deployments.get(reach.deployment.index())?;
            Some(((stream_place(deployment), reach.change), reach.deployment))
        })
        .collect()
}
