//! Logical deployments: what several tools tell of one deployment is one, with all its evidence.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bus::data::{Manner, Outcome};
use bus::ids::EventId;
use chrono::{DateTime, Utc};

use super::graph::{Graph, Node};
use super::places::{self, Place, Places};
use super::{DeploymentIx, streams};
use crate::catalog::Catalog;
use crate::facts::{Deployment, FactKey, Facts};
use crate::rules::Rules;

/// Shorter names of a commit than this are not taken for the beginning of a longer one.
const SHA_PREFIX_MIN: usize = 7;

/// What a deployment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A step forward.
    Deploy,
    /// Back to an earlier version.
    Rollback,
    /// A fix that does not wait for the usual way.
    Hotfix,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Hotfix => "hotfix",
        }
    }
}

/// One deployment, whoever told of it.
#[derive(Debug, Clone)]
pub(crate) struct Logical {
    /// Of the tool that told its end first.
    pub(crate) key: FactKey,
    pub(crate) place: Place,
    /// The sender's word, as it writes it.
    pub(crate) environment: String,
    /// `host/owner/name` as the graph has it.
    pub(crate) repository: Option<String>,
    pub(crate) sha: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: DateTime<Utc>,
    pub(crate) outcome: Outcome,
    pub(crate) kind: Kind,
    /// The event that tells the end.
    pub(crate) event: EventId,
    /// What else tells of it: its start, and what other tools say.
    pub(crate) also: Vec<EventId>,
    /// Ends of the same deployment told by other tools.
    pub(crate) duplicates: Vec<(FactKey, DateTime<Utc>, EventId)>,
    /// The deployment that it makes good, where a sender says so.
    pub(crate) fixes: Option<String>,
    /// The previous successful one of the same service and environment.
    pub(crate) previous: Option<DeploymentIx>,
    /// The first that makes it good: what makes it a failed deployment.
    pub(crate) remediated_by: Option<DeploymentIx>,
    /// Incidents blamed on it, by number.
    pub(crate) incidents: Vec<usize>,
    /// How many changes it brought; none if that cannot be known.
    pub(crate) changes: Option<u64>,
}

impl Logical {
    pub(crate) fn succeeded(&self) -> bool {
        self.outcome == Outcome::Success
    }

    /// True for one whose purpose is to make another good.
    pub(crate) fn only_remediates(&self) -> bool {
        self.kind != Kind::Deploy
    }

    /// When it took what it deploys: its start, or its end where no start is known.
    pub(crate) fn taken_at(&self) -> DateTime<Utc> {
        self.started_at.map_or(self.finished_at, |started| started.min(self.finished_at))
    }

    /// True if both are known to deploy the same.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        same_content((&self.sha, &self.version), (&other.sha, &other.version))
    }

    /// The deployed commit in the graph.
    pub(super) fn node(&self, graph: &Graph<'_>) -> Option<Node> {
        graph.find(self.repository.as_deref()?, self.sha.as_deref()?)
    }

    fn absorb(&mut self, other: Self) {
        self.started_at = [self.started_at, other.started_at].into_iter().flatten().min();
        self.sha = self.sha.take().or(other.sha);
        self.version = self.version.take().or(other.version);
        self.repository = self.repository.take().or(other.repository);
        self.place.repository = self.place.repository.or(other.place.repository);
        self.fixes = self.fixes.take().or(other.fixes);
        if self.kind == Kind::Deploy {
            self.kind = other.kind;
        }
        self.duplicates.push((other.key, other.finished_at, other.event));
        self.also.push(other.event);
        self.also.extend(other.also);
    }
}

/// The finished deployments in order of their ends, duplicates merged.
pub(super) fn gather(facts: &Facts, catalog: &Catalog, places: &Places, rules: &Rules) -> Vec<Logical> {
    let repositories: BTreeMap<String, &str> = facts
        .commits
        .values()
        .map(|commit| commit.repository.as_str())
        .map(|name| (name.to_lowercase(), name))
        .collect();
    let home = |place: &Place| {
        let entry =
            place.service.and_then(|code| places.service_name(code)).and_then(|name| catalog.service(name.as_str()));
        entry.and_then(|entry| entry.repository.clone())
    };
    let mut finished: Vec<Logical> = facts
        .deployments
        .iter()
        .filter_map(|(key, deployment)| {
            let place = places::of_deployment(places, catalog, deployment);
            let mut logical = logical(key, deployment, place)?;
            let repository = deployment.repository.clone().or_else(|| home(&place));
            // Commits are found by the name that the forge gives the repository.
            logical.repository =
                repository.map(|name| repositories.get(&name.to_lowercase()).map_or(name, |known| (*known).to_owned()));
            Some(logical)
        })
        .collect();
    finished.sort_by(|left, right| (left.finished_at, &left.key).cmp(&(right.finished_at, &right.key)));
    merge_duplicates(finished, rules)
}

fn logical(key: &FactKey, deployment: &Deployment, place: Place) -> Option<Logical> {
    let finished = deployment.finished.as_ref()?;
    Some(Logical {
        key: key.clone(),
        place,
        environment: deployment.environment.clone().unwrap_or_default(),
        repository: None,
        sha: deployment.sha.clone(),
        version: deployment.version.clone(),
        started_at: deployment.started.map(|started| started.at),
        finished_at: finished.at,
        outcome: finished.value,
        kind: match deployment.manner {
            Some(Manner::Rollback) => Kind::Rollback,
            Some(Manner::Hotfix) => Kind::Hotfix,
            None if deployment.fixes.is_some() => Kind::Hotfix,
            None => Kind::Deploy,
        },
        event: finished.event,
        also: deployment
            .started
            .map(|started| started.event)
            .into_iter()
            .filter(|event| *event != finished.event)
            .collect(),
        duplicates: Vec::new(),
        fixes: deployment.fixes.clone(),
        previous: None,
        remediated_by: None,
        incidents: Vec::new(),
        changes: None,
    })
}

/// A failed attempt and the successful one after it are two, however close: only equal ends can be the same.
fn merge_duplicates(finished: Vec<Logical>, rules: &Rules) -> Vec<Logical> {
    let window = rules.duplicate_window();
    let mut merged: Vec<Logical> = Vec::with_capacity(finished.len());
    let mut recent: HashMap<(Place, String, Outcome), Vec<usize>> = HashMap::new();
    for deployment in finished {
        // The repository may be told by one tool and not by the other; the service is what both must agree on.
        let place = match deployment.place.service {
            Some(_) => Place { repository: None, ..deployment.place },
            None => deployment.place,
        };
        let near = recent.entry((place, deployment.environment.to_lowercase(), deployment.outcome)).or_default();
        near.retain(|&ix| merged.get(ix).is_some_and(|other| deployment.finished_at - other.finished_at <= window));
        let same = near.iter().copied().find(|&ix| merged.get(ix).is_some_and(|other| other.same_content(&deployment)));
        match same.and_then(|ix| merged.get_mut(ix)) {
            Some(other) => other.absorb(deployment),
            None => {
                near.push(merged.len());
                merged.push(deployment);
            }
        }
    }
    merged
}

fn same_content(left: (&Option<String>, &Option<String>), right: (&Option<String>, &Option<String>)) -> bool {
    match (left.0, right.0) {
        (Some(left), Some(right)) => same_sha(left, right),
        (None, _) | (_, None) => left.1.is_some() && left.1 == right.1,
    }
}

/// True if one name of a commit begins with the other.
pub(super) fn same_sha(left: &str, right: &str) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    short == long || (short.len() >= SHA_PREFIX_MIN && long.starts_with(short))
}

/// Finds for each deployment the previous successful one of its stream, and whether it goes back.
pub(super) fn classify(deployments: &mut [Logical], graph: &Graph<'_>) {
    let mut environments: BTreeSet<String> = BTreeSet::new();
    environments.extend(deployments.iter().map(|deployment| deployment.environment.to_lowercase()));
    let codes: BTreeMap<String, usize> = environments.into_iter().zip(0..).collect();
    let mut latest: HashMap<(Place, Option<usize>), DeploymentIx> = HashMap::new();
    for index in 0..deployments.len() {
        let Some(deployment) = deployments.get(index) else { continue };
        let key = (stream_place(deployment), codes.get(&deployment.environment.to_lowercase()).copied());
        let previous = latest.get(&key).copied();
        let before = previous.and_then(|ix| deployments.get(ix.index()));
        let goes_back = match (before.and_then(|before| before.node(graph)), deployment.node(graph)) {
            (Some(before), Some(now)) => graph.is_ancestor(now, before),
            (None, _) | (_, None) => false,
        };
        let Some(deployment) = deployments.get_mut(index) else { continue };
        deployment.previous = previous;
        if goes_back && deployment.kind == Kind::Deploy {
            deployment.kind = Kind::Rollback;
        }
        if deployment.succeeded()
            && let Ok(number) = u32::try_from(index)
        {
            latest.insert(key, DeploymentIx(number));
        }
    }
}

/// The place that makes a stream: the service, or where it is unknown the repository.
pub(super) fn stream_place(deployment: &Logical) -> Place {
    match deployment.place.service {
        Some(_) => Place { repository: None, ..deployment.place },
        None => deployment.place,
    }
}

/// The successful deployments of each service and tier, in order of ends.
pub(super) fn by_tier(deployments: &[Logical]) -> Vec<(Place, Vec<DeploymentIx>)> {
    streams(deployments, stream_place)
}
