//! What changed before it died: the last deployment and the changes in it, what the new revision sets otherwise, and
//! whether it died like this before.

use std::collections::BTreeSet;

use bus::data::runtime::{Deployment, Pod};
use bus::kind::Kind;
use chrono::{DateTime, TimeDelta, Utc};

use super::bus_events::{KILLS_MAX, Told, around, deployments, kills_of, merged};
use super::collect::Collected;
use super::json::time;
use super::ownership::Ownership;
use super::revisions::{current, difference};
use super::subject::Subject;
use super::words::{count, moment, span};
use crate::lookups::Lookups;
use crate::message::Span;

/// How far back a deployment is looked for.
const DEPLOYED_WITHIN: TimeDelta = TimeDelta::days(14);
/// Tools tell of one deployment within so long of each other.
const SAME_DEPLOYMENT_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// A kill this soon after a deployment is first thought to be its doing.
pub(super) const BLAMED_WITHIN: TimeDelta = TimeDelta::minutes(15);
/// How far back before the deployment it is looked for kills of the same kind.
const KILLED_BEFORE_WITHIN: TimeDelta = TimeDelta::days(7);
/// Titles of changes that are shown.
const TITLES_MAX: usize = 5;

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// The last deployment.
    pub(super) deployed: Option<Deployed>,
    /// What changed, an item each, the most telling first.
    pub(super) items: Vec<Vec<Span>>,
    /// What could not be had.
    pub(super) gaps: Vec<String>,
}

/// The last deployment before the kill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Deployed {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Its version, or else its commit.
    pub(super) name: Option<String>,
    url: Option<String>,
    sha: Option<String>,
    repository: Option<String>,
    rolled_back: bool,
    /// When the one before was.
    before: Option<DateTime<Utc>>,
    name_before: Option<String>,
}

/// What changed before a kill.
pub(super) fn changes(subject: &Subject, whose: &Ownership, collected: &Collected, lookups: &Lookups<'_>) -> Changes {
    let mut changes = Changes::default();
    changes.deployed = last_deployment(subject, whose, collected, lookups, &mut changes.gaps);
    let Some(deployed) = changes.deployed.clone() else {
        let within = span(DEPLOYED_WITHIN);
        changes
            .items
            .push(vec![Span::plain(format!("No deployment of {} is known in the {within} before.", whose.service))]);
        changes.items.extend(difference(collected).into_iter().map(|text| vec![Span::plain(text)]));
        return changes;
    };
    changes.items.push(deployed.sentence(subject.at));
    let window = around(deployed.at, KILLED_BEFORE_WITHIN, subject.at - deployed.at);
    match kills_of(subject, window, lookups) {
        Ok(kills) => changes.items.push(vec![Span::plain(known_before(subject, &deployed, &kills))]),
        Err(unavailable) => changes.gaps.push(format!("earlier kills: {unavailable}")),
    }
    changes.items.extend(difference(collected).into_iter().map(|text| vec![Span::plain(text)]));
    let repository = whose.repository.clone().or_else(|| deployed.repository.clone());
    if let (Some(repository), Some(before)) = (repository, deployed.before) {
        match merged(&repository, [before, deployed.at], lookups) {
            Ok(found) => changes.items.extend(titles(&found, deployed.name_before.as_deref())),
            Err(unavailable) => changes.gaps.push(format!("changes of {repository}: {unavailable}")),
        }
    }
    changes
}

impl Deployed {
    fn sentence(&self, killed_at: DateTime<Utc>) -> Vec<Span> {
        let name = self.name.clone().unwrap_or_else(|| "A deployment".to_owned());
        let what = match &self.url {
            Some(url) => Span::link(name, url.clone()),
            None => Span::bold(name),
        };
        let sha = self.sha.as_deref().filter(|sha| Some(*sha) != self.name.as_deref()).map(short);
        let commit = sha.map(|sha| format!(" ({sha})")).unwrap_or_default();
        let verb = if self.rolled_back { "was rolled back to" } else { "was deployed" };
        let before = span(killed_at - self.at);
        vec![what, Span::plain(format!("{commit} {verb} at {}, {before} before this began.", moment(self.at)))]
    }
}

/// The newest deployment before the kill, with what every tool tells of it; or what the cluster itself knows.
fn last_deployment(
    subject: &Subject,
    whose: &Ownership,
    collected: &Collected,
    lookups: &Lookups<'_>,
    gaps: &mut Vec<String>,
) -> Option<Deployed> {
    let window = around(subject.at, DEPLOYED_WITHIN, TimeDelta::zero());
    let names = BTreeSet::from([whose.service.as_str(), subject.service.as_str()]);
    let mut found: Vec<Told<Deployment>> = Vec::new();
    for name in names {
        match deployments(name, window, lookups) {
            Ok(more) => found.extend(more),
            Err(unavailable) => gaps.push(format!("deployments of {name}: {unavailable}")),
        }
    }
    found.retain(|told| is_there(told.data.environment.as_deref(), subject.environment.as_deref()));
    found.sort_by_key(|told| std::cmp::Reverse(told.at));
    let Some(newest) = found.first() else { return by_cluster(collected) };
    let same = |told: &&Told<Deployment>| newest.at - told.at <= SAME_DEPLOYMENT_WITHIN;
    let of_newest = || found.iter().filter(same);
    let told = |field: fn(&Deployment) -> &Option<String>| of_newest().find_map(|told| field(&told.data).clone());
    let before = found.iter().find(|told| !same(told));
    let sha = told(|data| &data.sha);
    Some(Deployed {
        at: of_newest().map(|told| told.at).min().unwrap_or(newest.at),
        name: told(|data| &data.version).or_else(|| sha.as_deref().map(short)),
        url: told(|data| &data.url),
        sha,
        repository: told(|data| &data.repository),
        rolled_back: of_newest().any(|told| told.kind == Kind::ServiceRolledBack),
        before: before.map(|told| told.at),
        name_before: before.and_then(|told| told.data.version.clone().or_else(|| told.data.sha.as_deref().map(short))),
    })
}

/// The environment where both are known must be the same.
fn is_there(deployed_to: Option<&str>, killed_in: Option<&str>) -> bool {
    deployed_to.is_none_or(|there| killed_in.is_none_or(|here| there.eq_ignore_ascii_case(here)))
}

/// What the cluster itself knows: when the running revision was made.
fn by_cluster(collected: &Collected) -> Option<Deployed> {
    let (revision, replica_set) = current(collected)?;
    let at = time(replica_set, "/metadata/creationTimestamp")?;
    Some(Deployed { at, name: Some(format!("Revision {revision}")), ..Deployed::default() })
}

fn titles(found: &[Told<bus::data::forge::Change>], since: Option<&str>) -> Vec<Vec<Span>> {
    let since = since.map_or("the deployment before".to_owned(), str::to_owned);
    if found.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![vec![Span::plain(format!("{} merged since {since}:", count(found.len(), "change")))]];
    lines.extend(found.iter().take(TITLES_MAX).map(|told| {
        let change = &told.data;
        let number = change.number.map(|number| format!("#{number}")).unwrap_or_else(|| "A direct push".to_owned());
        let name = match &change.url {
            Some(url) => Span::link(number, url.clone()),
            None => Span::plain(number),
        };
        vec![name, Span::plain(format!(" {}", change.title.as_deref().unwrap_or_default()))]
    }));
    if found.len() > TITLES_MAX {
        lines.push(vec![Span::plain(format!("and {} more", found.len() - TITLES_MAX))]);
    }
    lines
}

/// Whether it died like this before the deployment.
fn known_before(subject: &Subject, deployed: &Deployed, kills: &[Told<Pod>]) -> String {
    let before = kills.iter().filter(|told| told.at < deployed.at).count();
    let what = subject.reason.as_deref().unwrap_or("kill");
    let within = span(KILLED_BEFORE_WITHIN);
    match before {
        0 => format!("New with this deployment: no {what} in the {within} before it."),
        many => {
            let more = if kills.len() >= KILLS_MAX { " or more" } else { "" };
            format!("Not new: {what} {}{more} in the {within} before this deployment.", count(many, "time"))
        }
    }
}

/// A commit as people write it.
fn short(sha: &str) -> String {
    let is_hash = sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { sha.chars().take(7).collect() } else { sha.to_owned() }
}
