//! What follows from the facts taken together: which deployments are one, what each brought, which failed and which
//! incident it is to blame for.
//!
//! Pure: the same facts, catalog and rules give the same answer, whatever the order in which the facts came.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::catalog::Catalog;
use crate::facts::{Change, FactKey, Facts};
use crate::rules::Rules;

pub(crate) mod changes;
pub(crate) mod deployments;
pub(crate) mod first_commit;
mod graph;
mod incidents;
pub(crate) mod places;
mod reach;
mod remediation;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use changes::ChangeInfo;
use deployments::Logical;
use graph::Graph;
use places::{Place, Places, ServiceCode, TierCode};

/// Index of a change: its place in the order of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChangeIx(pub(crate) u32);

/// Index of a logical deployment: its place in the order of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DeploymentIx(pub(crate) u32);

impl ChangeIx {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl DeploymentIx {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// By which rule a deployment is known to bring a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReachedBy {
    /// The change's commit can be reached from the deployed one.
    CommitGraph,
    /// It was merged after the start of the previous deployment, and not after the start of this one.
    Time,
}

/// A change that a successful deployment was the first of its service and tier to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) change: ChangeIx,
    pub(crate) deployment: DeploymentIx,
    /// How it is known.
    pub(crate) by: ReachedBy,
    /// True for the first deployment of a service and tier: what was there before is not known.
    pub(crate) unknown_base: bool,
}

/// A merged change that no deployment of the service and tier has brought yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) change: ChangeIx,
    pub(crate) service: Option<ServiceCode>,
    pub(crate) tier: Option<TierCode>,
}

/// An incident, with the deployment it is blamed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributed {
    pub(crate) place: Place,
    /// None if no deployment is linked and none ended shortly before.
    pub(crate) deployment: Option<DeploymentIx>,
}

/// All that follows from the facts.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    pub(crate) places: Places,
    /// In order of ends.
    pub(crate) deployments: Vec<Logical>,
    /// In order of keys.
    pub(crate) changes: Vec<ChangeInfo>,
    /// In order of the deployments' ends.
    pub(crate) reached: Vec<Reach>,
    pub(crate) waiting: Vec<Waiting>,
    /// In order of keys.
    pub(crate) incidents: Vec<Attributed>,
    /// Of pipeline runs, in order of keys.
    pub(crate) runs: Vec<Place>,
}

/// Changes by number, as all of this module uses them.
pub(crate) struct Changes<'f> {
    pub(crate) facts: Vec<(&'f FactKey, &'f Change)>,
    pub(crate) info: Vec<ChangeInfo>,
}

impl Derived {
    /// Derives everything.
    pub(crate) fn new(facts: &Facts, catalog: &Catalog, rules: &Rules) -> Self {
        let places = Places::new(facts, catalog);
        let graph = Graph::new(&facts.commits);
        let changes = changes::gather(facts, catalog, &places, &graph);
        let mut deployments = deployments::gather(facts, catalog, &places, rules);
        deployments::classify(&mut deployments, &graph);
        let (reached, waiting) = reach::reach(&mut deployments, &changes, &graph, rules);
        remediation::mark(&mut deployments, &reached, &changes, &graph, rules);
        let incidents = incidents::attribute(facts, catalog, &places, &mut deployments, rules);
        let runs = facts.pipeline_runs.values().map(|run| places::of_run(&places, catalog, run)).collect();
        Self { deployments, changes: changes.info, reached, waiting, incidents, runs, places }
    }

    /// A deployment by its number.
    pub(crate) fn deployment(&self, ix: DeploymentIx) -> Option<&Logical> {
        self.deployments.get(ix.index())
    }
}

/// Numbers the successful deployments of each service (or, where that is unknown, repository) and whatever else `key`
/// tells apart, in order of ends.
fn streams<K: std::hash::Hash + Eq + Ord + Copy>(
    deployments: &[Logical],
    key: impl Fn(&Logical) -> K,
) -> Vec<(K, Vec<DeploymentIx>)> {
    let mut streams: HashMap<K, Vec<DeploymentIx>> = HashMap::new();
    for (ix, deployment) in (0..).map(DeploymentIx).zip(deployments) {
        if deployment.succeeded() {
            streams.entry(key(deployment)).or_default().push(ix);
        }
    }
    let mut streams: Vec<_> = streams.into_iter().collect();
    streams.sort_unstable_by_key(|(key, _)| *key);
    streams
}

/// True if `later` lies after `earlier`, by at most `window`.
fn within(earlier: DateTime<Utc>, later: DateTime<Utc>, window: chrono::Duration) -> bool {
    earlier <= later && later - earlier <= window
}
