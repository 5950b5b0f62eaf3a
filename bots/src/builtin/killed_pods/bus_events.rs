//! Questions to the bus: what was deployed and merged, and what else was killed.

use std::collections::BTreeSet;

use bus::data::forge::Change;
use bus::data::runtime::{Deployment, Pod};
use bus::query::{Condition, Pattern, Query, Term};
use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;

use super::subject::Subject;
use crate::lookups::{Happened, Lookups, Unavailable};

/// Kills of one window that are looked at; beyond it, "so many or more".
pub(super) const KILLS_MAX: usize = 500;

/// Something that happened, with its particulars read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told<T> {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Whether it is of one of the kinds that the asker looks for in particular.
    pub(super) kind: bus::kind::Kind,
    /// Its particulars.
    pub(super) data: T,
}

/// Pods that were killed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Killed {
    /// Each by its last kill, newest first.
    pub(super) pods: Vec<Told<Pod>>,
    /// There are no more.
    pub(super) are_all: bool,
}

/// Deployments of a service, newest first.
pub(super) fn deployments(
    service: &str,
    window: [DateTime<Utc>; 2],
    lookups: &Lookups<'_>,
) -> Result<Vec<Told<Deployment>>, Unavailable> {
    /// Each may be told by more than one tool.
    const DEPLOYMENTS_MAX: usize = 20;
    let query = types(&[
        "service.deployed",
        "service.upgraded",
        "service.rolledback",
        "deployment.started",
        "deployment.failed",
    ])
    .and(term(Condition::Service { pattern: is(service), repositories: Vec::new() }));
    read(lookups.events(query.to_string(), window, DEPLOYMENTS_MAX)?)
}

/// Changes merged in a repository, newest first.
pub(super) fn merged(
    repository: &str,
    window: [DateTime<Utc>; 2],
    lookups: &Lookups<'_>,
) -> Result<Vec<Told<Change>>, Unavailable> {
    /// A deployment of more changes than this is not read at night.
    const CHANGES_MAX: usize = 50;
    let query = types(&["change.merged"]).and(term(Condition::Repository(is(repository))));
    read(lookups.events(query.to_string(), window, CHANGES_MAX)?)
}

/// Kills of a service, newest first.
pub(super) fn kills_of(
    subject: &Subject,
    window: [DateTime<Utc>; 2],
    lookups: &Lookups<'_>,
) -> Result<Vec<Told<Pod>>, Unavailable> {
    let query = types(&["pod.killed", "pod.evicted", "pod.crashlooping"])
        .and(term(Condition::Service { pattern: is(&subject.service), repositories: Vec::new() }));
    let found: Vec<Told<Pod>> = read(lookups.events(query.to_string(), window, KILLS_MAX)?)?;
    let same = |pod: &Pod| {
        pod.container == subject.container
            && pod.reason == subject.reason
            && pod.namespace.as_ref() == Some(&subject.namespace)
    };
    Ok(found.into_iter().filter(|told| same(&told.data)).collect())
}

/// Pods killed on a node, each by its last kill, newest first.
pub(super) fn kills_on(
    (cluster, node): (&str, &str),
    window: [DateTime<Utc>; 2],
    lookups: &Lookups<'_>,
) -> Result<Killed, Unavailable> {
    let query = types(&["pod.killed", "pod.evicted"]).and(term(Condition::Text(node.to_owned())));
    let found: Vec<Told<Pod>> = read(lookups.events(query.to_string(), window, KILLS_MAX)?)?;
    let are_all = found.len() < KILLS_MAX;
    let there = |pod: &Pod| pod.node.as_deref() == Some(node) && pod.cluster.as_deref().unwrap_or_default() == cluster;
    let mut pods = BTreeSet::new();
    let is_first = |pod: &Pod, pods: &mut BTreeSet<_>| pods.insert(pod.uid.clone().unwrap_or_else(|| pod.id.clone()));
    let pods = found.into_iter().filter(|told| there(&told.data) && is_first(&told.data, &mut pods)).collect();
    Ok(Killed { pods, are_all })
}

/// From so long before to so long after, both included.
pub(super) fn around(at: DateTime<Utc>, before: TimeDelta, after: TimeDelta) -> [DateTime<Utc>; 2] {
    [at - before, at + after + TimeDelta::milliseconds(1)]
}

fn read<T: DeserializeOwned>(found: Vec<Happened>) -> Result<Vec<Told<T>>, Unavailable> {
    let told = found.into_iter().map(|happened| {
        let data = serde_json::from_value(happened.data);
        data.map(|data| Told { at: happened.time, kind: happened.kind, data })
    });
    told.collect::<Result<_, _>>().map_err(|error| Unavailable::for_good(format!("an event of the bus: {error}")))
}

fn types(names: &[&str]) -> Query {
    names.iter().fold(Query::default(), |query, name| query.and(term(Condition::Type(is(name)))))
}

fn is(value: &str) -> Pattern {
    Pattern::Is(value.to_owned())
}

const fn term(condition: Condition) -> Term {
    Term { negated: false, condition }
}
