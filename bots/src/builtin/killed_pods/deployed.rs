//! The last deployment before a kill: one, however many tools tell of it; and the one that the cluster is still at,
//! which no tool calls finished because its pods die.

use std::collections::BTreeSet;

use bus::data::runtime::Deployment;
use bus::kind::Kind;
use chrono::{DateTime, TimeDelta, Utc};

use super::bus_events::{Told, around, deployments};
use super::collect::Collected;
use super::json::{items, text, time};
use super::ownership::Ownership;
use super::revisions::current;
use super::subject::Subject;
use super::words::{moment, span};
use crate::lookups::Lookups;
use crate::message::Span;

/// How far back a deployment is looked for.
pub(super) const DEPLOYED_WITHIN: TimeDelta = TimeDelta::days(14);
/// Tools tell of one deployment within so long of each other.
const SAME_DEPLOYMENT_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// The last deployment before a kill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Deployed {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Its version, or else its commit.
    pub(super) name: Option<String>,
    /// `host/owner/name`.
    pub(super) repository: Option<String>,
    /// When the one before was.
    pub(super) before: Option<DateTime<Utc>>,
    /// Version or commit of the one before.
    pub(super) name_before: Option<String>,
    url: Option<String>,
    sha: Option<String>,
    manner: Manner,
}

/// How a deployment went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Manner {
    /// It was finished.
    #[default]
    Done,
    /// It was finished, and leads back to an earlier version.
    Back,
    /// It was given up.
    Failed,
    /// It is not known to be finished.
    Begun,
}

impl Deployed {
    /// What was deployed and when, in a sentence.
    pub(super) fn sentence(&self, killed_at: DateTime<Utc>) -> Vec<Span> {
        let name = self.name.clone().unwrap_or_else(|| "A deployment".to_owned());
        let what = match &self.url {
            Some(url) => Span::link(name, url.clone()),
            None => Span::bold(name),
        };
        let sha = self.sha.as_deref().map(short).filter(|sha| Some(sha) != self.name.as_ref());
        let commit = sha.map(|sha| format!(" ({sha})")).unwrap_or_default();
        let verb = match self.manner {
            Manner::Done => "was deployed",
            Manner::Back => "was rolled back to",
            Manner::Failed => "failed to deploy",
            Manner::Begun => "began to roll out",
        };
        let before = span(killed_at - self.at);
        vec![what, Span::plain(format!("{commit} {verb} at {}, {before} before this began.", moment(self.at)))]
    }

    /// How soon after it something was killed, for the beginning of a sentence.
    pub(super) fn blamed(&self, killed_at: DateTime<Utc>) -> String {
        let name = self.name.as_deref().unwrap_or("a deployment");
        let verb = match self.manner {
            Manner::Done => "was deployed",
            Manner::Back => "was rolled back to",
            Manner::Failed => "failed to deploy",
            Manner::Begun => "began to roll out",
        };
        format!("{} after {name} {verb}. ", span(killed_at - self.at))
    }
}

/// The last deployment before the kill, where one is known.
pub(super) fn last_deployment(
    subject: &Subject,
    whose: &Ownership,
    collected: &Collected,
    lookups: &Lookups<'_>,
    gaps: &mut Vec<String>,
) -> Option<Deployed> {
    let of_cluster = by_cluster(subject, collected);
    let told = told(subject, whose, lookups, gaps);
    match (told, of_cluster) {
        // A rollout whose pods die is never told as finished: then only the cluster knows of it.
        (Some(told), Some(rollout)) if rollout.at > told.at + SAME_DEPLOYMENT_WITHIN => {
            Some(Deployed { before: Some(told.at), name_before: told.name, repository: told.repository, ..rollout })
        }
        (Some(told), _) => Some(told),
        (None, of_cluster) => of_cluster,
    }
}

/// The newest deployment on the bus, with what every tool tells of it.
fn told(subject: &Subject, whose: &Ownership, lookups: &Lookups<'_>, gaps: &mut Vec<String>) -> Option<Deployed> {
    let window = around(subject.at, DEPLOYED_WITHIN, TimeDelta::zero());
    let names = BTreeSet::from([whose.service.as_str(), subject.service.as_str()]);
    let mut found: Vec<Told<Deployment>> = Vec::new();
    for name in names {
        match deployments(name, window, lookups) {
            Ok(more) => found.extend(more),
            Err(unavailable) => gaps.push(format!("deployments of {name}: {unavailable}")),
        }
    }
    found.retain(|told| agree(told.data.environment.as_deref(), subject.environment.as_deref()));
    found.sort_by_key(|told| std::cmp::Reverse(told.at));
    let newest = found.first()?;
    let (of_newest, earlier): (Vec<_>, Vec<_>) = found.iter().partition(|told| is_same(newest, told));
    let first = |field: fn(&Deployment) -> &Option<String>| of_newest.iter().find_map(|told| field(&told.data).clone());
    let any = |kind: &Kind| of_newest.iter().any(|told| told.kind == *kind);
    let before = earlier.iter().find(|told| told.kind != Kind::DeploymentFailed);
    let sha = first(|data| &data.sha);
    let manner = if any(&Kind::ServiceRolledBack) {
        Manner::Back
    } else if any(&Kind::ServiceDeployed) || any(&Kind::ServiceUpgraded) {
        Manner::Done
    } else if any(&Kind::DeploymentFailed) {
        Manner::Failed
    } else {
        Manner::Begun
    };
    Some(Deployed {
        at: of_newest.iter().map(|told| told.at).min().unwrap_or(newest.at),
        name: first(|data| &data.version).or_else(|| sha.as_deref().map(short)),
        repository: first(|data| &data.repository),
        before: before.map(|told| told.at),
        name_before: before.and_then(|told| told.data.version.clone().or_else(|| told.data.sha.as_deref().map(short))),
        url: first(|data| &data.url),
        sha,
        manner,
    })
}

/// Whether two tools, or one at its beginning and its end, tell of one deployment.
fn is_same(newest: &Told<Deployment>, other: &Told<Deployment>) -> bool {
    let (one, two) = (&newest.data, &other.data);
    newest.at - other.at <= SAME_DEPLOYMENT_WITHIN
        && agree(one.version.as_deref(), two.version.as_deref())
        && agree(one.sha.as_deref(), two.sha.as_deref())
}

/// What both know must be the same.
fn agree(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none_or(|one| other.is_none_or(|other| one.eq_ignore_ascii_case(other)))
}

/// What the cluster itself knows: when the revision of the pod was made, and what it runs.
fn by_cluster(subject: &Subject, collected: &Collected) -> Option<Deployed> {
    let (revision, replica_set) = current(collected)?;
    let at = time(replica_set, "/metadata/creationTimestamp").filter(|at| *at <= subject.at)?;
    let image = items(replica_set, "/spec/template/spec/containers").find_map(|container| text(container, "/image"));
    let image = image.and_then(|image| image.rsplit('/').next()).map(|image| format!(" ({image})")).unwrap_or_default();
    let name = Some(format!("Revision {revision}{image}"));
    Some(Deployed { at, name, manner: Manner::Begun, ..Deployed::default() })
}

/// A commit as people write it.
fn short(sha: &str) -> String {
    let is_hash = sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { sha.chars().take(7).collect() } else { sha.to_owned() }
}
